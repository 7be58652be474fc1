"""Validation candidates from a ranker's index: what it finds, and every relevant passage."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.indexes import retrieve
from stillroom.runs import Ranking, read_qrels, read_run, write_run

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
        found, qrels = read_run(found_path), read_qrels(qrels_path)
        known = set((Path(index_folder) / "docid").read_text("utf-8").split("\n"))
        query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"].to_pylist()
        write_run(found_path, with_relevant(query_ids, found, qrels, known), tag)


def with_relevant(query_ids: list[str], found: pd.DataFrame, qrels: pd.DataFrame, known: set[str]) -> Iterator[Ranking]:
    """The rankings of the queries, and last in each the relevant passages (grade 1 or more) that were not found.

    Only known ones: judgements may name passages that the collection lacks.
    """
    found_of = dict(iter(found.groupby("query_id", sort=False)))
    relevant = qrels[(qrels["grade"] > 0) & qrels["passage_id"].isin(known)]
    relevant_of = relevant.groupby("query_id", sort=False)["passage_id"].agg(list).to_dict()
    added = total = 0
    for query_id in query_ids:
        rows = found_of.get(query_id, found[:0])
        passage_ids, scores = rows["passage_id"].to_list(), rows["score"].to_list()
        missed = sorted(set(relevant_of.get(query_id, ())) - set(passage_ids))
        lowest = min(scores, default=0.0)
        yield Ranking(query_id, np.array(passage_ids + missed), np.array(scores + [lowest - 1.0] * len(missed)))
        added, total = added + len(missed), total + len(relevant_of.get(query_id, ()))
    logger.info("%s of %s relevant passages were not found and are added", f"{added:,}", f"{total:,}")
