"""Validation candidates from a ranker's index: what it finds, and every relevant passage."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.indexes import read_passage_ids, retrieve
from stillroom.runs import Ranking, iter_rankings, read_qrels, write_run

logger = logging.getLogger(__name__)


def retrieve_validation_candidates(
    *,
    index_folder: str | Path,
    vectors_path: str | Path,
    queries_path: str | Path,
    qrels_path: str | Path,
    run_path: str | Path,
    depth: int,
    parameters: dict[str, int],
    tag: str,
    threads: int,
) -> None:
    """Write a run of each query's first `depth` passages, and after them the relevant ones that are not among them.

    Hofstätter et al. 2021 (arXiv:2104.06967), the early-stopping set: with its relevant passages a query can tell how
    high a ranker puts them, even where the first one did not find them.
    """
    with atomic_path(run_path) as found_path:
        retrieve(
            index_folder=index_folder,
            vectors_path=vectors_path,
            queries_path=queries_path,
            run_path=found_path,
            depth=depth,
            drop_own_passage=False,
            parameters=parameters,
            tag=tag,
            threads=threads,
        )
        query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"].to_pylist()
        relevant_of = known_relevant(qrels_path, read_passage_ids(index_folder))
        write_run(found_path, with_relevant(query_ids, iter_rankings(found_path), relevant_of), tag)


def known_relevant(qrels_path: str | Path, known: pa.Array) -> dict[str, list[str]]:
    """The relevant passages (grade 1 or more) of queries; judgements may name passages that the collection lacks."""
    qrels = read_qrels(qrels_path)
    relevant = qrels[qrels["grade"] > 0]
    judged = pa.array(relevant["passage_id"].unique(), known.type)
    in_collection = known.filter(pc.is_in(known, value_set=judged)).to_pylist()
    relevant = relevant[relevant["passage_id"].isin(in_collection)]
    return relevant.groupby("query_id", sort=False)["passage_id"].agg(list).to_dict()


def with_relevant(
    query_ids: list[str], found: Iterable[pd.DataFrame], relevant_of: dict[str, list[str]]
) -> Iterator[Ranking]:
    """The rankings of the queries, and last in each the relevant passages that were not found.

    `found` are the lines of a run in the order of the queries, of which some may have none.
    """
    rankings = (ranking for lines in found for ranking in lines.groupby("query_id", sort=False))
    next_id, rows = next(rankings, (None, None))
    added = total = 0
    for query_id in query_ids:
        passage_ids, scores = [], []
        if query_id == next_id:
            passage_ids, scores = rows["passage_id"].to_list(), rows["score"].to_list()
            next_id, rows = next(rankings, (None, None))
        missed = sorted(set(relevant_of.get(query_id, ())) - set(passage_ids))
        lowest = min(scores, default=0.0)
        yield Ranking(query_id, np.array(passage_ids + missed), np.array(scores + [lowest - 1.0] * len(missed)))
        added, total = added + len(missed), total + len(relevant_of.get(query_id, ()))
    logger.info("%s of %s relevant passages were not found and are added", f"{added:,}", f"{total:,}")
