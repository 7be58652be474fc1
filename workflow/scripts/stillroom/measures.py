"""How good a run is: the measures of ir_measures, per query and in the mean."""

import logging
from itertools import pairwise
from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from stillroom.conditions import conditions
from stillroom.files import write_json
from stillroom.runs import first_lines, iter_rankings, read_qrels

logger = logging.getLogger(__name__)


def measure(
    *,
    run_path: str | Path,
    qrels_path: str | Path,
    queries_path: str | Path,
    passages_path: str | Path,
    system: str,
    test_set: str,
    measures: list[str],
    min_relevance: int,
    metrics_path: str | Path,
) -> None:
    """Write the values of all measures for one run, as JSON.

    Means are over all queries that have a judgement, as with trec_eval's option -c: a query without results
    counts as 0. Binary measures take grades from `min_relevance` on as relevant; nDCG knows all grades.
    Judged@10 and `nDCG(judged_only=True)@10` tell how far missing judgements may mislead.
    """
    qrels = read_qrels(qrels_path)
    query_ids = set(pq.read_table(queries_path, columns=["query_id"])["query_id"].to_pylist())
    check_queries(set(qrels["query_id"]), query_ids, f"{qrels_path}: the qrels")
    qrels = qrels[qrels["grade"] >= 0]  # trec_eval and TREC-COVID: -1 is a passage without a judgement
    judgements = by_query(qrels, "grade")
    values, results = evaluate(run_path, judgements, [parse_measure(name, min_relevance) for name in measures])
    check_queries(set(results), query_ids, f"{run_path}: the run")
    judged = set(judgements)
    metrics = {
        "system": system,
        "test_set": test_set,
        "min_relevance": min_relevance,
        **conditions(qrels=qrels, passages_path=passages_path, depth=max(results.values(), default=0)),
        "queries_without_judgements": len(query_ids - judged),
        "queries_without_results": len(judged - results.keys()),
        "measures": {name: summary(by_query) for name, by_query in zip(measures, values, strict=True)},
    }
    write_json(metrics_path, metrics)
    log_metrics(metrics)


def check_queries(found: set[str], query_ids: set[str], what: str) -> None:
    """Refuse a run or qrels of another test set."""
    foreign = sorted(found - query_ids)
    if foreign:
        raise ValueError(
            f"{what} has {len(foreign)} queries that are not in the test set (the first is {foreign[0]}),"
            f" expected some of its {len(query_ids)} queries."
        )


def parse_measure(name: str, min_relevance: int) -> ir_measures.Measure:
    """The measure of that name; a binary one takes grades from `min_relevance` on as relevant."""
    try:
        parsed = ir_measures.parse_measure(name)
    except (NameError, ValueError) as error:
        raise ValueError(
            f'found the measure "{name}", expected ir_measures notation such as RR@10, nDCG@10 or R@1000.'
        ) from error
    is_binary = "rel" in parsed.SUPPORTED_PARAMS
    return parsed(rel=min_relevance) if is_binary and "rel" not in parsed.params else parsed


def evaluate(
    run_path: str | Path, judgements: dict[str, dict[str, int]], measures: list[ir_measures.Measure]
) -> tuple[list[dict[str, float]], dict[str, int]]:
    """Per measure, its value for every judged query in the order of the judgements; and each query's results, counted.

    The run is read, and measured, a block of queries at a time.
    """
    values = {measure: dict.fromkeys(judgements, 0.0) for measure in measures}
    results = {}
    for lines in iter_rankings(run_path):
        scores = by_query(lines, "score")
        results |= {query_id: len(passages) for query_id, passages in scores.items()}
        if own := {query_id: judgements[query_id] for query_id in scores if query_id in judgements}:
            for found in ir_measures.iter_calc(measures, own, scores):
                values[found.measure][found.query_id] = float(found.value)
    return [values[measure] for measure in measures], results


def by_query(lines: pd.DataFrame, value: str) -> dict[str, dict[str, float]]:
    """{query_id: {passage_id: value}}, the form that evaluators take without conversion."""
    nested: dict[str, dict[str, float]] = {}
    places = first_lines(lines)
    passage_ids, values = lines["passage_id"].tolist(), lines[value].tolist()
    for query_id, bounds in zip(lines["query_id"].iloc[places], pairwise([*places, len(lines)]), strict=True):
        own = slice(*bounds)
        nested.setdefault(query_id, {}).update(zip(passage_ids[own], values[own], strict=True))
    return nested


def summary(by_query: dict[str, float]) -> dict:
    """The mean and the values behind it."""
    return {"mean": float(np.mean(list(by_query.values()))), "by_query": by_query}


def log_metrics(metrics: dict) -> None:
    """One line with all means."""
    means = ", ".join(f"{name} {found['mean']:.4f}" for name, found in metrics["measures"].items())
    logger.info("%s on %s, %s queries: %s", metrics["system"], metrics["test_set"], f"{metrics['queries']:,}", means)
