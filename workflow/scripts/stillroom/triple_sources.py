"""Where training triples come from: a dataset's own, or what is found for the training queries."""

import logging
from itertools import cycle, islice
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.collections.datasets import id_digest, numbered, open_dataset, require
from stillroom.files import atomic_path
from stillroom.id_rows import IdRows
from stillroom.runs import read_qrels, read_run
from stillroom.triples import TRIPLES

logger = logging.getLogger(__name__)

BATCH_TRIPLES = 1_000_000


def fetch_triples(
    *,
    dataset_id: str,
    triples: int | None,
    queries_path: str | Path,
    passages_path: str | Path,
    triples_path: str | Path,
) -> None:
    """Write the dataset's own triples (ir_datasets docpairs) as row numbers; the first `triples` of them, if given."""
    queries, passages = IdRows.read(queries_path, "query_id"), IdRows.read(passages_path, "passage_id")
    with open_dataset(dataset_id) as dataset, atomic_path(triples_path) as path:
        require(dataset, dataset_id, "docpairs")
        pairs = islice(numbered(dataset.docpairs_iter(), f"{dataset.docpairs_path()}: line"), triples)
        written = 0
        with pq.ParquetWriter(path, TRIPLES) as writer:
            while block := list(islice(pairs, BATCH_TRIPLES)):
                ids = [list(column) for column in zip(*block, strict=True)]
                where = f"dataset {dataset_id}: docpairs"
                columns = [
                    queries.find_all(ids[0], path=where, kind="query"),
                    passages.find_all(ids[1], path=where, kind="passage"),
                    passages.find_all(ids[2], path=where, kind="passage"),
                ]
                writer.write_table(pa.table([column.astype(np.int32) for column in columns], schema=TRIPLES))
                written += len(block)
    logger.info("%s triples", f"{written:,}")


def sample_triples(
    *,
    candidates_path: str | Path,
    queries_path: str | Path,
    qrels_path: str | Path,
    passages_path: str | Path,
    per_query: int,
    per_relevant: int,
    among: str,
    triples: int | None,
    triples_path: str | Path,
) -> None:
    """Write `per_query` triples of every training query: relevant passages in turn, each with `per_relevant` negatives.

    Negatives are drawn without replacement from the query's candidates that have no judgement, by a generator seeded
    with the query's id, and so are the relevant passages where a query has more than get a turn. With `among` =
    `relevant` negatives are passages that are relevant for other training queries: in a small collection a passage
    would otherwise be seen as relevant only or as a negative only, the relevant ones of the test queries always as the
    latter, and rankers would learn passages instead of relevance.
    With a number of `triples`, queries are taken in the order of their ids' digests until there are as many: a fair
    draw, where the first queries of a collection may be alike.
    """
    queries, passages = IdRows.read(queries_path, "query_id"), IdRows.read(passages_path, "passage_id")
    qrels = read_qrels(qrels_path)
    candidates = read_run(candidates_path)
    candidates_of = dict(iter(candidates.groupby("query_id", sort=False)["passage_id"]))
    judged_of = dict(iter(qrels.groupby("query_id", sort=False)["passage_id"]))
    relevant_of = dict(iter(qrels[qrels["grade"] > 0].groupby("query_id", sort=False)["passage_id"]))
    known = set(passages.known_ids.to_pylist())
    relevant_for_any = set(qrels.loc[qrels["grade"] > 0, "passage_id"])
    rows, taken, left_out = [], 0, 0
    query_ids = queries.known_ids.to_pylist()
    for query_id in sorted(query_ids, key=id_digest) if triples else query_ids:
        if triples and len(rows) >= triples:
            break
        relevant = [passage_id for passage_id in relevant_of.get(query_id, []) if passage_id in known]
        found = candidates_of.get(query_id, pd.Series(dtype=str))
        unjudged = found[~found.isin(judged_of.get(query_id, []))]
        if among == "relevant":
            unjudged = unjudged[unjudged.isin(relevant_for_any)]
        own = triples_of_query(query_id, relevant, unjudged.to_numpy(), per_query, per_relevant)
        rows += own
        taken, left_out = taken + bool(own), left_out + (not own)
    logger.info("%s triples of %s queries", f"{len(rows[:triples]):,}", f"{taken:,}")
    if left_out:
        logger.warning("%d queries have no triple: no relevant passage, or no unjudged candidate", left_out)
    if not rows:
        raise ValueError(f"{candidates_path}: no query has a triple; take more candidates (`depth`) per query.")
    columns = [np.array(column) for column in zip(*rows[:triples], strict=True)]
    rows_of_columns = [
        queries.find_all(columns[0], path=candidates_path, kind="query"),
        passages.find_all(columns[1], path=qrels_path, kind="passage"),
        passages.find_all(columns[2], path=candidates_path, kind="passage"),
    ]
    with atomic_path(triples_path) as path:
        pq.write_table(pa.table([column.astype(np.int32) for column in rows_of_columns], schema=TRIPLES), path)


def triples_of_query(
    query_id: str, relevant: list[str], others: np.ndarray, per_query: int, per_relevant: int
) -> list[tuple[str, str, str]]:
    """(query, relevant, other) ids: each relevant passage in turn with so many others; none without either of them.

    Of more relevant passages than there are turns, those that have one are drawn too.
    """
    if not relevant or not len(others):
        return []
    random = np.random.default_rng(list(id_digest(query_id)[:16]))
    drawn = random.choice(others, min(per_query, len(others)), replace=False)
    if len(relevant) > (places := ceil(len(drawn) / per_relevant)):
        relevant = random.choice(relevant, places, replace=False)
    turns = (passage_id for passage_id in cycle(relevant) for _ in range(per_relevant))
    return [(query_id, *pair) for pair in zip(turns, drawn, strict=False)]
