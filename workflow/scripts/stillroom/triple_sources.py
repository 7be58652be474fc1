"""Where training triples come from: a dataset's own, or what is found for the training queries."""

import logging
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.collections.datasets import id_digest, numbered, open_dataset, require
from stillroom.files import atomic_path
from stillroom.id_rows import IdRows
from stillroom.runs import iter_rankings, read_qrels
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
    judgements = Judgements(qrels_path, queries, passages)
    query_ids = queries.known_ids.to_pylist()
    blocks = [np.empty((3, 0), np.int32)]
    for lines in iter_rankings(candidates_path):
        query_rows = queries.find_all(lines["query_id"], path=candidates_path, kind="query")
        passage_rows = passages.find_all(lines["passage_id"], path=candidates_path, kind="passage")
        starts = np.flatnonzero(np.diff(query_rows, prepend=-1))
        own = []
        for query, found in zip(query_rows[starts], np.split(passage_rows, starts[1:]), strict=True):
            unjudged = found[~np.isin(found, judgements.of(query))]
            if among == "relevant":
                unjudged = unjudged[judgements.is_relevant_for_any[unjudged]]
            relevant = judgements.of(query, relevant=True)
            own.append(triples_of_query(query, query_ids[query], relevant, unjudged, per_query, per_relevant))
        blocks.append(np.concatenate(own, axis=1))
    order = sorted(range(len(query_ids)), key=lambda query: id_digest(query_ids[query])) if triples else None
    columns = in_order_of_queries(np.concatenate(blocks, axis=1), len(query_ids), order, triples)
    if not columns.size:
        raise ValueError(f"{candidates_path}: no query has a triple; take more candidates (`depth`) per query.")
    with atomic_path(triples_path) as path:
        pq.write_table(pa.table(list(columns), schema=TRIPLES), path)


class Judgements:
    """Judged passages of queries, by row numbers; those of other queries, or not in the collection, are no one's."""

    def __init__(self, qrels_path: str | Path, queries: IdRows, passages: IdRows):
        qrels = read_qrels(qrels_path)
        query = queries.find(pa.array(qrels["query_id"], pa.string()))
        passage = passages.find(pa.array(qrels["passage_id"], pa.string()))
        is_known, is_relevant = passage >= 0, qrels["grade"].to_numpy() > 0
        self.is_relevant_for_any = np.zeros(len(passages), bool)
        self.is_relevant_for_any[passage[is_known & is_relevant]] = True
        order = np.argsort(query, kind="stable")
        order = order[is_known[order]]
        self.query, self.passage, self.is_relevant = query[order], passage[order], is_relevant[order]

    def of(self, query: int, relevant: bool = False) -> np.ndarray:
        """The passages that are judged for a query, in the order of the qrels; all, or the relevant ones."""
        own = slice(*np.searchsorted(self.query, [query, query + 1]))
        return self.passage[own][self.is_relevant[own]] if relevant else self.passage[own]


def triples_of_query(
    query: int, query_id: str, relevant: np.ndarray, others: np.ndarray, per_query: int, per_relevant: int
) -> np.ndarray:
    """(3, T) query, relevant, other: each relevant passage in turn with so many others; none without either of them.

    Of more relevant passages than there are turns, those that have one are drawn too.
    """
    if not len(relevant) or not len(others):
        return np.empty((3, 0), np.int32)
    random = np.random.default_rng(list(id_digest(query_id)[:16]))
    drawn = random.choice(others, min(per_query, len(others)), replace=False)
    if len(relevant) > (places := ceil(len(drawn) / per_relevant)):
        relevant = random.choice(relevant, places, replace=False)
    turns = np.arange(len(drawn)) // per_relevant % len(relevant)
    return np.stack([np.full(len(drawn), query), relevant[turns], drawn]).astype(np.int32)


def in_order_of_queries(columns: np.ndarray, queries: int, order: list[int] | None, triples: int | None) -> np.ndarray:
    """The (3, T) triples by query, in the order of the queries or in another one, and only so many, if given."""
    order = np.arange(queries) if order is None else np.array(order)
    counts = np.bincount(columns[0], minlength=queries)[order]
    if triples:  # queries are taken until there are enough
        counts = counts[: np.searchsorted(counts.cumsum(), triples) + 1]
    place = np.empty(queries, np.int32)
    place[order] = np.arange(queries)
    kept = columns[:, np.argsort(place[columns[0]], kind="stable")[:triples]]
    logger.info("%s triples of %s queries", f"{kept.shape[1]:,}", f"{np.count_nonzero(counts):,}")
    if left_out := np.count_nonzero(counts == 0):
        logger.warning("%d queries have no triple: no relevant passage, or no unjudged candidate", left_out)
    return kept
