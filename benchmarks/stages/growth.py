"""How time and memory grow with the collection: ten times the passages at each step.

Memory is the largest that the process has for itself (anonymous and shared pages); pages of mapped files are not
counted, which the system takes back when it needs them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import made_up
import models
import numpy as np
import torch

SIZES = [10_000, 100_000, 1_000_000]
DIMENSIONS, QUERIES, DEPTH = 384, 100, 100
SAMPLE_SECONDS = 0.02


class MemoryWatch(threading.Thread):
    """Samples the memory of this process until it is stopped, and once then."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.stopped = 0, threading.Event()

    def run(self) -> None:
        from stillroom.memory import status_bytes

        is_last = False
        while not is_last:
            is_last = self.stopped.wait(SAMPLE_SECONDS)
            self.most = max(self.most, status_bytes("RssAnon") + status_bytes("RssShmem"))


def measured(run: Callable[[], None]) -> dict:
    """Seconds of a step and the most megabytes during it, what the interpreter had before included."""
    watch = MemoryWatch()
    watch.start()
    began = time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    watch.stopped.set()
    watch.join()
    return {"s": seconds, "MB": watch.most / 1e6}


class LocalFile:
    """A file as ir_datasets reads it."""

    def __init__(self, path: Path):
        self.file = path

    def path(self, force: bool = True) -> str:
        return str(self.file)

    @contextmanager
    def stream(self) -> Iterator:
        with open(self.file, "rb") as stream:
            yield stream


def prepare_tsv(folder: Path, scale: float) -> None:
    """MS MARCO's own format."""
    for size in sizes(SIZES, scale):
        with open(folder / f"{size}.tsv", "w", encoding="utf-8") as file:
            file.writelines(f"{number}\t{text}\n" for number, text in enumerate(made_up.texts(size, 1)))


def store(folder: Path, size: int) -> dict:
    """From the collection's file to passages.parquet."""
    import ir_datasets
    from ir_datasets.formats import TsvDocs

    from stillroom.collections.datasets import fetch_collection

    os.environ["IR_DATASETS_HOME"] = str(folder / "ir_datasets")
    documents = TsvDocs(LocalFile(folder / f"{size}.tsv"), namespace="made-up", lang="en")
    ir_datasets.registry.register("made-up", ir_datasets.Dataset(documents))
    path = folder / f"{size}.parquet"
    whole = {"text": "repaired", "titles": False, "sample": None, "kept_path": None}
    return measured(lambda: fetch_collection(dataset_id="made-up", **whole, passages=size, passages_path=path))


def prepare_passages(folder: Path, scale: float) -> None:
    for size in sizes(SIZES, scale):
        made_up.write_passages(folder / f"{size}.parquet", size)


def tokens(folder: Path, size: int) -> dict:
    """From passages.parquet to the token store."""
    from stillroom.tokenization import tokenize_passages

    settings = {"weights": models.WEIGHTS, "revision": None}
    paths = {"passages_path": folder / f"{size}.parquet", "tokens_folder": folder / f"tokens-{size}"}
    return measured(lambda: tokenize_passages(**paths, **settings))


def prepare_vectors(folder: Path, scale: float) -> None:
    from stillroom.vectors import VectorWriter

    random = np.random.default_rng(1)
    np.save(folder / "queries.npy", random.standard_normal((QUERIES, DIMENSIONS), np.float32))
    for size in sizes(SIZES, scale):
        with VectorWriter(folder / f"{size}.faiss", size, DIMENSIONS) as writer:
            for start in range(0, size, made_up.BLOCK):
                writer.write(random.standard_normal((min(made_up.BLOCK, size - start), DIMENSIONS), np.float32))


def exact_search(folder: Path, size: int) -> dict:
    from stillroom.best_device import best_device
    from stillroom.exact_search import search_exactly
    from stillroom.vectors import open_vectors

    vectors_PD, vectors_QD = open_vectors(folder / f"{size}.faiss"), np.load(folder / "queries.npy")
    return measured(lambda: list(search_exactly(vectors_PD, vectors_QD, DEPTH, best_device())))


def prepare_tokens(folder: Path, scale: float) -> None:
    models.save_ranker(folder / "model", layers=1)
    for size in sizes(SIZES[:2], scale):
        made_up.write_passages(folder / f"{size}.parquet", size)
        tokens(folder, size)


def encode(folder: Path, size: int) -> dict:
    """From the token store to vectors, with an encoder of one layer."""
    from stillroom.encoding import encode_passages

    return measured(
        lambda: encode_passages(
            model_folder=folder / "model",
            tokens_folder=folder / f"tokens-{size}",
            vectors_path=folder / f"{size}.vectors",
            threads=torch.get_num_threads(),
            code="",
        )
    )


def sizes(all_sizes: list[int], scale: float) -> list[int]:
    return [round(size * scale) for size in all_sizes]


STAGES = {
    "store": {"prepare": prepare_tsv, "measure": store, "sizes": SIZES, "repetitions": 1},
    "tokens": {"prepare": prepare_passages, "measure": tokens, "sizes": SIZES, "repetitions": 1},
    "search exactly": {"prepare": prepare_vectors, "measure": exact_search, "sizes": SIZES, "repetitions": 1},
    "encode, one layer": {"prepare": prepare_tokens, "measure": encode, "sizes": SIZES[:2], "repetitions": 1},
}
