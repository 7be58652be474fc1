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
from stillroom.id_rows import IdRows
from stillroom.parquet import open_parquet
from stillroom.query_ranges import query_ranges
from stillroom.runs import read_qrels
from stillroom.triples import Triples, blocks_of, check_known, mapped_triples, pair_keys

logger = logging.getLogger(__name__)

BATCH_TEXTS = 65_536


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
    passages, queries = IdRows.read(passages_path, "passage_id"), IdRows.read(queries_path, "query_id")
    judged_keys = relevant_pairs(read_qrels(qrels_path), queries, passages)
    is_asked, is_used = np.zeros(len(queries), bool), np.zeros(len(passages), bool)
    equal = judged = 0
    with mapped_triples(triples_path, audit_path) as triples:
        check_known(triples, len(queries), len(passages), triples_path)
        for _, block in blocks_of(triples):
            is_asked[block.query] = True
            is_used[block.positive] = is_used[block.negative] = True
            equal += np.count_nonzero(block.positive == block.negative)
            judged += np.count_nonzero(np.isin(pair_keys(block.query, block.negative), judged_keys))
        repeated, total = count_repeated(triples), len(triples.query)
    asked, used = np.count_nonzero(is_asked), np.count_nonzero(is_used)
    empty_queries, _ = count_texts(queries_path, np.ones(len(queries), bool))
    empty_passages, unfinished_passages = count_texts(passages_path, is_used)
    rows = [
        ("triples", total, total),
        ("queries with triples", asked, len(queries)),
        ("distinct passages used", used, len(passages)),
        ("duplicate triples", repeated, total),
        ("positive = negative", equal, total),
        ("negative is judged relevant", judged, total),
        ("empty queries", empty_queries, len(queries)),
        ("empty passages used", empty_passages, used),
        ("passages used that end within a sentence", unfinished_passages, used),
    ]
    write_counts(rows, audit_path)


def relevant_pairs(qrels: pd.DataFrame, queries: IdRows, passages: IdRows) -> np.ndarray:
    """The keys of the pairs that are judged relevant."""
    relevant = qrels[qrels["grade"] > 0]
    query = queries.find(pa.array(relevant["query_id"], pa.string()))
    passage = passages.find(pa.array(relevant["passage_id"], pa.string()))
    is_known = (query >= 0) & (passage >= 0)
    return pair_keys(query[is_known], passage[is_known])


def count_repeated(triples: Triples) -> int:
    """How many triples were there before; triples of the same queries are compared at a time."""
    count = 0
    for (rows,) in query_ranges(triples.query):
        columns = {"query": triples.query[rows], "positive": triples.positive[rows], "negative": triples.negative[rows]}
        count += int(pd.DataFrame(columns).duplicated().sum())
    return count


def count_texts(path: str | Path, is_counted: np.ndarray) -> tuple[int, int]:
    """How many texts are white space only, and how many end with a letter or a comma: cut off, perhaps.

    (Rankers log what their own limits cut.)
    """
    empty = unfinished = start = 0
    for batch in open_parquet(path).iter_batches(BATCH_TEXTS, columns=["text"]):
        texts = batch["text"].filter(pa.array(is_counted[start : start + len(batch)]))
        empty += pc.sum(pc.equal(pc.utf8_trim_whitespace(texts), "")).as_py() or 0
        unfinished += pc.sum(pc.match_substring_regex(texts, r"[\p{L},]\s*$")).as_py() or 0
        start += len(batch)
    return empty, unfinished


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
