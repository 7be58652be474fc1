"""Passages and queries as vectors."""

import json
import logging
from pathlib import Path

import numpy as np
import torch

from stillroom.files import atomic_path, parts_folder, remove
from stillroom.log import ProgressMeter
from stillroom.ranker import load_ranker, model_files
from stillroom.token_store import open_tokens
from stillroom.tokenization import tokenize_queries
from stillroom.vectors import VectorWriter, open_vectors

logger = logging.getLogger(__name__)

BLOCK_PASSAGES = 1_024  # encoded between two saves


def encode_passages(
    *, model_folder: str | Path, tokens_folder: str | Path, vectors_path: str | Path, threads: int, code: str
) -> None:
    """Write float32 vectors_PD of all passages (see `vectors.py`); resumes at the last finished block.

    The unfinished file lies beside, in a folder named by a digest of the model, the passages and the `code`.
    """
    torch.set_num_threads(threads)
    model = load_ranker(model_folder)
    passages = open_tokens(tokens_folder)
    parts = parts_folder(vectors_path, [*model_files(model_folder), Path(tokens_folder) / "ids.bin"], code=code)
    unfinished, done_path = parts / Path(vectors_path).name, parts / "done.json"
    done = json.loads(done_path.read_text()) if done_path.exists() and unfinished.exists() else 0
    if done:
        logger.info("%s passages were encoded before", f"{done:,}")
    meter = ProgressMeter(total=len(passages), unit="passages encoded", start=done)
    with VectorWriter(unfinished, len(passages), model.encoder.config.hidden_size, done) as writer:
        for start in range(done, len(passages), BLOCK_PASSAGES):
            rows = range(start, min(start + BLOCK_PASSAGES, len(passages)))
            with torch.inference_mode():
                vectors = model.encode_passages(passages.take(rows)).float().cpu().numpy()
            check_finite(vectors, vectors_path, start)
            writer.write(vectors)
            done_path.with_suffix(".part").write_text(json.dumps(rows.stop))
            done_path.with_suffix(".part").replace(done_path)
            meter.advance(len(rows))
    meter.finish()
    open_vectors(unfinished)  # whole
    unfinished.replace(vectors_path)
    remove(parts)


def encode_queries(
    *, model_folder: str | Path, queries_path: str | Path, vectors_path: str | Path, threads: int
) -> None:
    """Write float32 vectors_QD of a query set as .npy."""
    torch.set_num_threads(threads)
    model = load_ranker(model_folder)
    queries = tokenize_queries(model.tokenizer, queries_path)
    shape = (len(queries), model.encoder.config.hidden_size)
    meter = ProgressMeter(total=len(queries), unit="queries encoded")
    with atomic_path(vectors_path) as path, open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for start in range(0, len(queries), BLOCK_PASSAGES):
            rows = range(start, min(start + BLOCK_PASSAGES, len(queries)))
            with torch.inference_mode():
                vectors = model.encode_queries(queries.take(rows)).float().cpu().numpy()
            check_finite(vectors, vectors_path, start)
            file.write(vectors.astype("<f4", copy=False).tobytes())
            meter.advance(len(rows))
    meter.finish()


def check_finite(vectors: np.ndarray, path: str | Path, first: int = 0) -> None:
    """Stop when a vector holds something that is not a number; the first of these vectors has the number `first`."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"{path}: vector {first + int(np.argmin(finite)):,} is not finite; train the ranker again.")
