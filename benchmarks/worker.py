"""One measurement in a process of its own: `worker.py <module> <stage> <side> <folder> <scale>` prints JSON.

A side is `ours`, `peer` or a size; `prepare` makes what both read, `difference` compares what they wrote.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow" / "scripts")]
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))


def main() -> None:
    module, *rest = sys.argv[1:]
    if module == "machine":
        print(json.dumps({"name": machine()}))
        return
    name, side, folder, scale = rest
    stage = import_module(f"stages.{module}").STAGES[name]
    print(json.dumps(measure(stage, side, Path(folder), float(scale)) or {}))


def measure(stage: dict, side: str, folder: Path, scale: float) -> dict | None:
    """What one side of a stage finds: a rate (amount of work per second), or seconds and megabytes of one size."""
    if side in ("prepare", "difference"):
        return stage[side](folder, scale)
    if side.isdigit():
        return stage["measure"](folder, round(int(side) * scale))
    amount, seconds = stage[side](folder)
    return {"rate": amount / seconds}


def machine() -> str:
    """The name of the GPU, or of the CPU and its cores."""
    import torch
    from run import slug

    from stillroom.timing import cpu_name

    if torch.cuda.is_available():
        return slug(torch.cuda.get_device_name())
    return f"{slug(cpu_name())}_{THREADS}_cores"


if __name__ == "__main__":
    main()
