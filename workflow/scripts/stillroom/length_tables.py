"""Tables by passage length: where rankers made for short passages fail."""

from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillroom.parquet import open_parquet
from stillroom.runs import read_qrels
from stillroom.tables import SEEN_NOTE, printed_measure, read_metrics, system_rows, write_table

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
) -> None:
    """Write the mean of one measure per group of queries: those whose relevant passage has so many words.

    A query belongs to the group of the shortest of its passages with the highest grade.
    """
    metrics = read_metrics(metrics_paths)
    words_of_query = relevant_words(qrels_path, passages_path)
    edges = settings["passage_words"]
    group_of = {query_id: bisect_left(edges, words) for query_id, words in words_of_query.items()}
    names = group_names(edges)
    counts = np.bincount(list(group_of.values()), minlength=len(names))
    rows = system_rows(settings)
    values = [
        group_means(
            metrics[settings["test_set"], system]["measures"][settings["measure"]]["by_query"], group_of, len(names)
        )
        for system, _ in rows
    ]
    measure = printed_measure(settings["measure"])
    notes = [
        f"{measure} on {settings['test_set']}, by the number of words of the relevant passage.",
        *([SEEN_NOTE] if settings["seen"] else []),
    ]
    write_table(
        title=settings["title"],
        rows=rows,
        headers=[f"{name} words" for name in names],
        printed=[f"{name} words (n = {count})" for name, count in zip(names, counts, strict=True)],
        values=np.array(values),
        notes=notes,
        paths=(csv_path, md_path, tex_path),
    )


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


def group_means(by_query: dict[str, float], group_of: dict[str, int], groups: int) -> list[float]:
    """The mean over each group's queries; not a number where a group has none."""
    values = [[] for _ in range(groups)]
    for query_id, value in by_query.items():
        if query_id in group_of:
            values[group_of[query_id]].append(value)
    return [float(np.mean(group)) if group else float("nan") for group in values]
