"""Encoding beside sentence-transformers, from texts to a file of vectors, and beside the chip's peak.

Both sides read passages.parquet and a model folder. On a GPU ours computes in bfloat16, and once more with
packed texts; the peer does as by default.
"""

import time
from functools import partial
from pathlib import Path

import made_up
import models
import numpy as np
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PASSAGES = {"cpu": 2_000, "cuda": 200_000}[DEVICE]


def prepare(folder: Path, scale: float) -> None:
    made_up.write_passages(folder / "passages.parquet", round(PASSAGES * scale))
    models.save_ranker(folder / "model")


def tokenize(folder: Path) -> None:
    from stillroom.tokenization import tokenize_passages

    tokenize_passages(
        passages_path=folder / "passages.parquet",
        weights=models.WEIGHTS,
        revision=None,
        tokens_folder=folder / "tokens",
    )


def encode_tokens(folder: Path, **inference: str) -> float:
    """The seconds of the workflow's step from token ids to a file of vectors."""
    from stillroom.encoding import encode_passages
    from stillroom.inference import Inference

    began = time.perf_counter()
    encode_passages(
        model_folder=folder / "model",
        tokens_folder=folder / "tokens",
        vectors_path=folder / "ours.vectors",
        threads=torch.get_num_threads(),
        inference=Inference(**models.INFERENCE[DEVICE], **inference),
        code="",
    )
    return time.perf_counter() - began


def encode(folder: Path, **inference: str) -> tuple[int, float]:
    """Passages, and the seconds of both steps: tokens, then vectors."""
    import stillroom.encoding  # noqa: F401 (as the peer's, imports are not counted)

    began = time.perf_counter()
    tokenize(folder)
    seconds = time.perf_counter() - began
    return len(tokens_read(folder)), seconds + encode_tokens(folder, **inference)


def encode_with_peer(folder: Path) -> tuple[int, float]:
    """sentence-transformers as it is used."""
    from sentence_transformers import SentenceTransformer

    began = time.perf_counter()
    texts = made_up.read_texts(folder / "passages.parquet")
    np.save(folder / "peer.npy", SentenceTransformer(str(folder / "model"), device=DEVICE).encode(texts))
    return len(texts), time.perf_counter() - began


def difference(folder: Path, scale: float) -> dict:
    """The largest difference of a number in float32; on a GPU the largest of a cosine from 1."""
    from stillroom.vectors import open_vectors

    ours, peer = np.array(open_vectors(folder / "ours.vectors")), np.load(folder / "peer.npy")
    if DEVICE == "cpu":
        return {"difference": float(np.abs(ours - peer).max())}
    cosines = (ours * peer).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(peer, axis=1)
    return {"difference": float(1 - cosines.min())}


def prepare_tokens(folder: Path, scale: float) -> None:
    prepare(folder, scale)
    tokenize(folder)


def tokens_read(folder: Path) -> np.ndarray:
    """How many tokens the encoder reads of each passage."""
    from stillroom.token_store import open_tokens

    return np.minimum(open_tokens(folder / "tokens").lengths + 2, models.PASSAGE_TOKENS)


def seconds_of_windows(folder: Path) -> float:
    """The seconds of the forward passes alone, with what is around them: no model is loaded, and nothing written."""
    from stillroom.encoding import encode_window
    from stillroom.inference import Inference, ranker_at_work
    from stillroom.scoring import windows
    from stillroom.token_store import open_tokens

    inference = Inference(**models.INFERENCE[DEVICE])
    model = ranker_at_work(folder / "model", threads=torch.get_num_threads(), inference=inference)
    passages = open_tokens(folder / "tokens")
    began = time.perf_counter()
    for rows in windows(len(passages), model.window):
        encode_window(model, passages, range(rows.start, rows.stop))
    return time.perf_counter() - began


def operations(folder: Path) -> tuple[float, float]:
    """Billions of floating-point operations, and their seconds."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder / "model")
    return 1e-9 * models.operations(config, tokens_read(folder)), seconds_of_windows(folder)


def tokens(folder: Path) -> tuple[float, float]:
    """Tokens, and their seconds."""
    return float(tokens_read(folder).sum()), seconds_of_windows(folder)


def tokens_with_peer(folder: Path) -> tuple[float, float]:
    return float(tokens_read(folder).sum()), encode_with_peer(folder)[1]


def nothing(folder: Path, scale: float) -> dict:
    """Of speeds of different work."""
    return {"difference": 0.0}


STAGES = {
    "encode passages": {
        "prepare": prepare,
        "ours": encode,
        "peer": encode_with_peer,
        "difference": difference,
        "tolerance": 1e-4 if DEVICE == "cpu" else 1e-3,
        "peer_name": "sentence-transformers",
        "unit": "passages/s",
    },
    "encode passages, of the chip's peak": {
        "prepare": prepare_tokens,
        "ours": operations,
        "peer": lambda folder: models.peak(),
        "difference": nothing,
        "tolerance": 0.0,
        "peer_name": "matrix product",
        "unit": "GFLOP/s",
    },
}
if DEVICE == "cuda":
    STAGES["encode passages, packed"] = {**STAGES["encode passages"], "ours": partial(encode, attention="packed")}
    STAGES["encode tokens"] = {
        "prepare": prepare_tokens,
        "ours": tokens,
        "peer": tokens_with_peer,
        "difference": nothing,
        "tolerance": 0.0,
        "peer_name": "sentence-transformers",
        "unit": "tokens/s",
    }
