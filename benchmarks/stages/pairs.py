"""Pairs scored by a cross-encoder, beside CrossEncoder.predict of sentence-transformers: as they come, and of triples.

Of triples the workflow scores every distinct pair once; the peer, as it is used, scores the list that it is given.
"""

import time
from pathlib import Path

import made_up
import models
import numpy as np
import pyarrow.parquet as pq
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LONGEST = 512  # tokens of a pair: nothing is cut, which both would do in ways of their own
PAIRS = {"cpu": 1_600, "cuda": 100_000}[DEVICE]


def prepare(folder: Path, scale: float) -> None:
    from stillroom.tokenization import tokenize_passages

    triples = round(PAIRS * scale) // 2
    queries = made_up.write_triples(folder / "triples.parquet", triples)
    made_up.write_passages(folder / "passages.parquet", triples + queries)
    made_up.write_queries(folder / "queries.parquet", queries)
    models.save_ranker(folder / "model", "bert_cat", passage_tokens=LONGEST - models.QUERY_TOKENS)
    tokenize_passages(  # once for all that reads the corpus, and not counted
        passages_path=folder / "passages.parquet",
        weights=models.WEIGHTS,
        revision=None,
        tokens_folder=folder / "tokens",
    )


def rows_of(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the queries and passages of all pairs of the triples, those that recur too."""
    triples = pq.read_table(folder / "triples.parquet").to_pydict()
    passages = np.concatenate([triples["positive"], triples["negative"]])
    return np.tile(triples["query"], 2), passages


def opened(folder: Path):
    """The ranker, queries and passages."""
    from stillroom.inference import Inference, ranker_at_work
    from stillroom.token_store import open_tokens
    from stillroom.tokenization import tokenize_queries

    inference = Inference(**models.INFERENCE[DEVICE])
    model = ranker_at_work(folder / "model", threads=torch.get_num_threads(), inference=inference)
    return model, tokenize_queries(model.tokenizer, folder / "queries.parquet"), open_tokens(folder / "tokens")


def score(folder: Path) -> tuple[int, float]:
    """Pairs, and the seconds for them all, as in re-ranking."""
    from stillroom.scoring import score_pairs

    rows, began = rows_of(folder), time.perf_counter()
    scores = score_pairs(*opened(folder), *rows)
    seconds = time.perf_counter() - began
    np.save(folder / "ours.npy", scores)
    return len(scores), seconds


def score_triples(folder: Path) -> tuple[int, float]:
    """Triples, and the seconds of the workflow's scoring of their distinct pairs."""
    from stillroom.pair_scores import distinct_pairs, query_and_passage
    from stillroom.scoring import score_pairs

    (query_rows, passage_rows), began = rows_of(folder), time.perf_counter()
    keys = distinct_pairs(folder / "triples.parquet")
    scores = score_pairs(*opened(folder), *query_and_passage(keys))
    seconds = time.perf_counter() - began
    np.save(folder / "ours.npy", scores[np.searchsorted(keys, passage_rows << 32 | query_rows)])
    return len(query_rows) // 2, seconds


def score_with_peer(folder: Path) -> tuple[int, float]:
    from sentence_transformers import CrossEncoder

    queries, passages = (made_up.read_texts(folder / f"{name}.parquet") for name in ("queries", "passages"))
    pairs = [(queries[query], passages[passage]) for query, passage in zip(*rows_of(folder), strict=True)]
    began = time.perf_counter()
    model = CrossEncoder(str(folder / "model"), device=DEVICE, max_length=LONGEST)
    scores = model.predict(pairs, activation_fn=torch.nn.Identity())
    seconds = time.perf_counter() - began
    np.save(folder / "peer.npy", scores)
    return len(pairs), seconds


def score_triples_with_peer(folder: Path) -> tuple[int, float]:
    pairs, seconds = score_with_peer(folder)
    return pairs // 2, seconds


def difference(folder: Path, scale: float) -> dict:
    """The largest difference of a score."""
    return {"difference": float(np.abs(np.load(folder / "ours.npy") - np.load(folder / "peer.npy")).max())}


SHARED = {
    "prepare": prepare,
    "difference": difference,
    "tolerance": 1e-4 if DEVICE == "cpu" else 0.05,
    "peer_name": "CrossEncoder.predict",
}
STAGES = {
    "score pairs": {**SHARED, "ours": score, "peer": score_with_peer, "unit": "pairs/s"},
    "score triples": {**SHARED, "ours": score_triples, "peer": score_triples_with_peer, "unit": "triples/s"},
}
