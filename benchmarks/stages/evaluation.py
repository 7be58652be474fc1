"""Measuring a run file of 1,000 results per query, beside pytrec_eval as one uses it: read the files, evaluate."""

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUERIES, DEPTH, PASSAGES = 2_000, 1_000, 100_000
MEASURES = {"nDCG@10": "ndcg_cut_10", "R@1000": "recall_1000", "AP@1000": "map_cut_1000"}


def prepare(folder: Path, scale: float) -> None:
    from stillroom.runs import Ranking, write_qrels, write_run

    random, queries = np.random.default_rng(1), max(2, round(QUERIES * scale))
    names = [f"q{number}" for number in range(queries)]
    found = (np.unique(random.integers(0, PASSAGES, DEPTH)).astype(str) for _ in names)
    rankings = [Ranking(name, ids, random.random(len(ids))) for name, ids in zip(names, found, strict=True)]
    write_run(folder / "run.trec", rankings, "made_up")
    judged = [(each.query_id, passage, int(random.integers(0, 4))) for each in rankings for passage in each[1][:5]]
    write_qrels(folder / "qrels.txt", judged)
    pq.write_table(pa.table({"query_id": names}), folder / "queries.parquet")
    pq.write_table(pa.table({"passage_id": np.arange(PASSAGES).astype(str)}), folder / "passages.parquet")


def evaluate(folder: Path) -> tuple[int, float]:
    from stillroom.measures import measure

    began = time.perf_counter()
    measure(
        run_path=folder / "run.trec",
        qrels_path=folder / "qrels.txt",
        queries_path=folder / "queries.parquet",
        passages_path=folder / "passages.parquet",
        system="made_up",
        test_set="made_up",
        measures=list(MEASURES),
        min_relevance=1,
        metrics_path=folder / "ours.json",
    )
    return queries(folder), time.perf_counter() - began


def evaluate_with_peer(folder: Path) -> tuple[int, float]:
    import pytrec_eval

    began = time.perf_counter()
    with open(folder / "qrels.txt") as qrels, open(folder / "run.trec") as run:
        evaluator = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(qrels), set(MEASURES.values()))
        found = evaluator.evaluate(pytrec_eval.parse_run(run))
    means = {
        name: float(np.mean([values[peer_name] for values in found.values()])) for name, peer_name in MEASURES.items()
    }
    (folder / "peer.json").write_text(json.dumps(means))
    return queries(folder), time.perf_counter() - began


def queries(folder: Path) -> int:
    return pq.read_metadata(folder / "queries.parquet").num_rows


def difference(folder: Path, scale: float) -> dict:
    """The largest difference of a mean."""
    ours = json.loads((folder / "ours.json").read_text())["measures"]
    peer = json.loads((folder / "peer.json").read_text())
    return {"difference": max(abs(ours[name]["mean"] - peer[name]) for name in MEASURES)}


STAGES = {
    "evaluate": {
        "prepare": prepare,
        "ours": evaluate,
        "peer": evaluate_with_peer,
        "difference": difference,
        "tolerance": 1e-6,
        "peer_name": "pytrec_eval",
        "unit": "queries/s",
    },
}
