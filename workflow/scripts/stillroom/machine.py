"""What a job ran on: processor, memory, GPUs and versions, in a file beside its log."""

import atexit
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from stillroom.files import write_json
from stillroom.timing import cpu_name

CLAIMED = "STILLROOM_CLAIMED_GPUS"  # where `devices.claim_gpus` says which it has taken
LIBRARIES = (
    "faiss-cpu",
    "ir_datasets",
    "ir_measures",
    "numpy",
    "pyarrow",
    "pyserini",
    "scikit-learn",
    "snakemake",
    "tokenizers",
    "torch",
    "transformers",
)


def facts_path(log_path: str | Path) -> Path:
    """Where the machine of the job with this log is described."""
    return Path(log_path).with_suffix(".json")


def note_machine(log_path: str | Path) -> None:
    """Describe the machine now, and once more when the process ends, if it has taken GPUs by then."""
    path, facts = facts_path(log_path), machine_facts()
    write_json(path, facts)
    atexit.register(note_gpus, path, facts)


def machine_facts() -> dict:
    """Processor, cores, memory, system, Python and the libraries that results depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "gpus": [],
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": dict(filter(None, map(version_of, LIBRARIES))),
    }


def version_of(library: str) -> tuple[str, str] | None:
    """The library and its version, if it is installed."""
    try:
        return library, importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def note_gpus(path: Path, facts: dict) -> None:
    """Add the GPUs that this process has taken."""
    if claimed := os.environ.get(CLAIMED):
        names = gpu_names()
        write_json(path, {**facts, "gpus": [names.get(gpu, gpu) for gpu in claimed.split(",")]})


def gpu_names() -> dict[str, str]:
    """Number and own name (`GPU-8932f937-…`) of every GPU → what kind it is."""
    query = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=True)
    lines = [line.split(", ", 2) for line in told.stdout.splitlines()]
    return {key: kind for index, own, kind in lines for key in (index, own)}
