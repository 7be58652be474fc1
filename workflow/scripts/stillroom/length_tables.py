"""Tables by passage length: where rankers made for short passages fail."""

from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillroom.parquet import open_parquet
from stillroom.runs import read_qrels
from stillroom.tables import (
    SAMPLE_NOTE,
    SEEN_NOTE,
    Metrics,
    marked,
    missing_metrics,
    missing_notes,
    notation,
    printed_measure,
    read_metrics,
    system_rows,
    systems_of_rows,
    write_table,
)

BATCH_TEXTS = 65_536


def make_length_table(
    *,
    settings: dict,
    metrics_paths: list[str],
    qrels_path: str | Path,
    passages_path: str | Path,
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write the mean of one measure per group of queries: those whose relevant passage has so many words.

    A query belongs to the group of the shortest of its passages with the highest grade.
    """
    rows, test_set, edges = system_rows(settings), settings["test_set"], settings["passage_words"]
    gone = [str(path) for path in (qrels_path, passages_path) if not Path(path).exists()]
    metrics = {} if gone else read_metrics(metrics_paths)
    names = group_names(edges)
    groups: list[list[str]] = [[] for _ in names]
    for query_id, words in relevant_words(qrels_path, passages_path).items() if metrics else ():
        groups[bisect_left(edges, words)].append(query_id)
    values = np.array([system_means(metrics, test_set, system, settings["measure"], groups) for system, _ in rows])
    printed = [f"{name} words (n = {len(group)})" for name, group in zip(names, groups, strict=True)]
    cells = [
        [(text if (test_set, system) in metrics else "", best) for text, best in row]
        for (system, _), row in zip(rows, marked(values, printed), strict=True)
    ]
    traces = [[trace(metrics, test_set, system, settings["measure"])] * len(groups) for system, _ in rows]
    keys = [(labels, [(test_set, system) for system in systems]) for labels, systems in systems_of_rows(settings)]
    missing = missing_metrics(metrics_paths)
    notes = [
        f"{printed_measure(settings['measure'])} on {test_set}, by the number of words of the relevant passage.",
        *missing_notes(keys, missing, md_path),
        *([f"The lengths are in {' and '.join(gone)}, not there yet."] if gone and len(missing) < len(rows) else []),
        *([SAMPLE_NOTE] if settings["sampled"] else []),
        *([SEEN_NOTE] if settings["seen"] else []),
    ]
    write_table(
        title=settings["title"],
        rows=rows,
        headers=[f"{name} words" for name in names],
        printed=printed,
        values=values,
        notes=notes,
        paths=(csv_path, md_path, tex_path, html_path),
        cells=cells,
        traces=traces,
        column_queries=groups,
    )


def system_means(metrics: Metrics, test_set: str, system: str, measure: str, groups: list[list[str]]) -> list[float]:
    """The mean of each group of queries; not a number where the system has not been measured."""
    if (test_set, system) not in metrics:
        return [float("nan")] * len(groups)
    return group_means(metrics[test_set, system]["measures"][measure]["by_query"], groups)


def trace(metrics: Metrics, test_set: str, system: str, measure: str) -> dict:
    """The file and the measure of a row's cells; which queries they are about is in the headers."""
    if (test_set, system) not in metrics:
        return {}
    content = metrics[test_set, system]
    return {"sources": (content["path"],), "measure": notation(measure, [content])}


def relevant_words(qrels_path: str | Path, passages_path: str | Path) -> dict[str, int]:
    """Words (separated by white space) of each query's shortest passage with its highest grade."""
    qrels = read_qrels(qrels_path)
    judged_ids = pa.array(qrels["passage_id"], pa.string())
    words = {}
    for batch in open_parquet(passages_path).iter_batches(BATCH_TEXTS, columns=["passage_id", "text"]):
        judged = batch.filter(pc.is_in(batch["passage_id"], value_set=judged_ids))
        texts = zip(judged["passage_id"].to_pylist(), judged["text"].to_pylist(), strict=True)
        words |= {passage_id: len(text.split()) for passage_id, text in texts}
    qrels = qrels[qrels["passage_id"].isin(words.keys())]
    best = qrels[qrels["grade"] == qrels.groupby("query_id")["grade"].transform("max")]
    return best.assign(words=best["passage_id"].map(words)).groupby("query_id")["words"].min().to_dict()


def group_names(edges: list[int]) -> list[str]:
    """`≤ 50`, `51–100`, `> 100` for the edges 50 and 100."""
    between = [f"{low + 1}–{high}" for low, high in pairwise(edges)]
    return [f"≤ {edges[0]}", *between, f"> {edges[-1]}"]


def group_means(by_query: dict[str, float], groups: list[list[str]]) -> list[float]:
    """The mean over each group's queries that were measured; not a number where a group has none."""
    values = [[by_query[query_id] for query_id in group if query_id in by_query] for group in groups]
    return [float(np.mean(group)) if group else float("nan") for group in values]
