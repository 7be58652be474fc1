"""Passages and queries as vectors.

A large collection is cut into shards, which may be encoded side by side: all write into one file, each its own rows.
"""

import logging
from pathlib import Path

import numpy as np
import torch

from stillroom.files import atomic_path, parts_folder, read_json, remove_parts, write_json
from stillroom.gpu_memory import memory_checked
from stillroom.inference import DEFAULT, NOT_FINITE, Inference, OneText, ranker_at_work
from stillroom.log import ProgressMeter
from stillroom.ranker import Ranker, model_files
from stillroom.shards import rows_of_shard
from stillroom.token_store import Tokens, open_tokens
from stillroom.tokenization import tokenize_queries
from stillroom.vectors import VectorWriter

logger = logging.getLogger(__name__)


def encode_passages(*, vectors_path: str | Path, **settings) -> None:
    """Write float32 vectors_PD of all passages (see `vectors.py`); resumes at the last finished window.

    The settings are those of `encode_rows`.
    """
    unfinished, _ = encode_rows(vectors_path=vectors_path, shard=1, shards=1, **settings)
    finish(unfinished, vectors_path)


def encode_shard(*, vectors_path: str | Path, shard: int, shards: int, stamp_path: str | Path, **settings) -> None:
    """Write the vectors of one of so many shards of the passages, counted from 1; resumes as `encode_passages`.

    They are written into a file beside `vectors_path` that all shards share; the stamp says which, and which rows.
    """
    unfinished, rows = encode_rows(vectors_path=vectors_path, shard=shard, shards=shards, **settings)
    write_json(stamp_path, {"folder": unfinished.parent.name, "start": rows.start, "stop": rows.stop})


def join_vectors(*, stamp_paths: list[str], tokens_folder: str | Path, vectors_path: str | Path) -> None:
    """Give the file that the shards have written its name; nothing is copied."""
    stamps = [read_json(path) for path in stamp_paths]
    bounds = sorted((stamp["start"], stamp["stop"]) for stamp in stamps)
    starts, stops = [start for start, _ in bounds], [stop for _, stop in bounds]
    unfinished = Path(vectors_path).parent / stamps[0]["folder"] / Path(vectors_path).name
    is_whole = [*starts, len(open_tokens(tokens_folder))] == [0, *stops]
    if not is_whole or len({stamp["folder"] for stamp in stamps}) > 1 or not unfinished.exists():
        folder = Path(stamp_paths[0]).parent
        raise ValueError(f"{folder}: the shards do not make one file of all passages; delete the folder and run again.")
    finish(unfinished, vectors_path)


def finish(unfinished: Path, vectors_path: str | Path) -> None:
    """Give the file of all vectors its name."""
    for done in unfinished.parent.glob("*.json"):  # first: they count for this file only
        done.unlink()
    unfinished.replace(vectors_path)
    remove_parts(vectors_path)


@memory_checked()
def encode_rows(
    *,
    model_folder: str | Path,
    tokens_folder: str | Path,
    vectors_path: str | Path,
    shard: int,
    shards: int,
    threads: int,
    code: str,
    inference: Inference = DEFAULT,
) -> tuple[Path, range]:
    """Encode the rows of a shard into the unfinished file, which has room for all; returns the file and the rows.

    The file lies in a folder named by a digest of the model, the passages, how they are computed, and the `code`.
    """
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    passages = open_tokens(tokens_folder)
    inputs = [*model_files(model_folder), Path(tokens_folder) / "ids.bin"]
    unfinished = parts_folder(vectors_path, inputs, code=code, **inference.facts) / Path(vectors_path).name
    rows = rows_of_shard(len(passages), shard, shards)
    done_path = unfinished.with_name(f"{shard}-of-{shards}.json")
    done = read_json(done_path, default=rows.start) if unfinished.exists() else rows.start
    shape = len(passages), model.encoder.config.hidden_size
    if done > rows.start:
        logger.info("%s passages were encoded before", f"{done - rows.start:,}")
    if model.device.type == "cuda":
        try_longest(model)
    meter = ProgressMeter(total=len(rows), unit="passages encoded", start=done - rows.start)
    with VectorWriter(unfinished, *shape, done) as writer:
        for start in range(done, rows.stop, model.window):
            stop = min(start + model.window, rows.stop)
            vectors_PD = encode_window(model, passages, range(start, stop))
            check_finite(vectors_PD, vectors_path, start)
            writer.write(vectors_PD)
            write_json(done_path, stop)
            meter.advance(stop - start)
    meter.finish()
    return unfinished, rows


@torch.inference_mode()
def encode_window(model: Ranker, passages: Tokens, rows: range) -> np.ndarray:
    """float32 vectors_PD of some passages."""
    return model.encode_passages(passages.take(rows)).float().cpu().numpy()


def try_longest(model: Ranker) -> None:
    """Encode as many of the longest passages as are computed at a time: too little memory then shows at once."""
    limit = model.settings.encoder.passage_tokens
    count = max(1, model.tokens_in_use // limit)
    encode_window(model, OneText(limit), range(count))


@memory_checked()
def encode_queries(
    *,
    model_folder: str | Path,
    queries_path: str | Path,
    vectors_path: str | Path,
    threads: int,
    inference: Inference = DEFAULT,
) -> None:
    """Write float32 vectors_QD of a query set as .npy."""
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    queries = tokenize_queries(model.tokenizer, queries_path)
    shape = (len(queries), model.encoder.config.hidden_size)
    meter = ProgressMeter(total=len(queries), unit="queries encoded")
    with atomic_path(vectors_path) as path, open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for start in range(0, len(queries), model.window):
            rows = range(start, min(start + model.window, len(queries)))
            with torch.inference_mode():
                vectors_QD = model.encode_queries(queries.take(rows)).float().cpu().numpy()
            check_finite(vectors_QD, vectors_path, start)
            file.write(vectors_QD.astype("<f4", copy=False).tobytes())
            meter.advance(len(rows))
    meter.finish()


def check_finite(vectors: np.ndarray, path: str | Path, first: int = 0) -> None:
    """Stop when a vector holds something that is not a number; the first of these vectors has the number `first`."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"{path}: vector {first + int(np.argmin(finite)):,} is not finite; {NOT_FINITE}.")
