"""Audits: what is odd about training triples, and whether test queries are unseen."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillroom.counts import write_counts
from stillroom.files import write_json
from stillroom.runs import read_qrels
from stillroom.triples import Triples, check_known, read_triples

logger = logging.getLogger(__name__)


def audit_triples(
    *,
    triples_path: str | Path,
    queries_path: str | Path,
    qrels_path: str | Path,
    passages_path: str | Path,
    audit_path: str | Path,
) -> None:
    """Write a table of what was found: check, count, of how many.

    Nothing is removed: oddities of a data set are part of it. Triples that point beyond their files stop.
    """
    triples = read_triples(triples_path)
    queries = pq.read_table(queries_path)
    passages = pq.read_table(passages_path)
    check_known(triples, len(queries), len(passages), triples_path)
    is_judged = judged_negatives(triples, queries["query_id"], passages["passage_id"], read_qrels(qrels_path))
    columns = pd.DataFrame({"query": triples.query, "positive": triples.positive, "negative": triples.negative})
    used = np.unique(np.concatenate([triples.positive, triples.negative]))
    texts = passages["text"].take(used)
    rows = [
        ("triples", len(columns), len(columns)),
        ("queries with triples", columns["query"].nunique(), len(queries)),
        ("distinct passages used", len(used), len(passages)),
        ("duplicate triples", int(columns.duplicated().sum()), len(columns)),
        ("positive = negative", int((triples.positive == triples.negative).sum()), len(columns)),
        ("negative is judged relevant", int(is_judged.sum()), len(columns)),
        ("empty queries", count_empty(queries["text"]), len(queries)),
        ("empty passages used", count_empty(texts), len(used)),
        ("passages used that end within a sentence", count_unfinished(texts), len(used)),
    ]
    write_counts(rows, audit_path)


def judged_negatives(triples: Triples, query_ids, passage_ids, qrels: pd.DataFrame) -> np.ndarray:
    """Whether each triple's negative is judged relevant for its query."""
    relevant = qrels[qrels["grade"] > 0]
    query_rows = pd.Index(query_ids.to_numpy()).get_indexer(relevant["query_id"])
    passage_rows = pd.Index(passage_ids.to_numpy()).get_indexer(relevant["passage_id"])
    judged = pd.MultiIndex.from_arrays([query_rows, passage_rows])
    return pd.MultiIndex.from_arrays([triples.query, triples.negative]).isin(judged)


def count_empty(texts: pa.ChunkedArray) -> int:
    """How many texts are white space only."""
    return pc.sum(pc.equal(pc.utf8_trim_whitespace(texts), "")).as_py() or 0


def count_unfinished(texts: pa.ChunkedArray) -> int:
    """How many texts end with a letter or a comma: cut off, perhaps. (Rankers log what their own limits cut.)"""
    return pc.sum(pc.match_substring_regex(texts, r"[\p{L},]\s*$")).as_py() or 0


def check_overlap(
    *, test_queries_path: str | Path, learning_queries_paths: list[str], overlap_path: str | Path
) -> None:
    """Stop when a test query's id is that of a training or validation query; count equal texts, which may be.

    Only ids of the same data set can be equal by meaning: two data sets that both number their queries from 1 are
    told apart by the text.
    """
    test = pq.read_table(test_queries_path).to_pandas()
    overlap = {}
    for path in learning_queries_paths:
        known = pq.read_table(path).to_pandas()
        both = test.merge(known, on=["query_id", "text"])
        if len(both):
            raise ValueError(
                f"{test_queries_path}: {len(both):,} test queries are also in {path}, the first is "
                f"{both['query_id'][0]!r}; leave them out with `without` in the config."
            )
        same_text = int(test["text"].str.strip().str.lower().isin(known["text"].str.strip().str.lower()).sum())
        overlap[str(path)] = {"queries": len(known), "test_queries_with_equal_text": same_text}
        if same_text:
            logger.warning("%d of %d test queries have the text of a query in %s", same_text, len(test), path)
    write_json(overlap_path, overlap)
