"""Several rankers as one system."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from stillroom.runs import Ranking, iter_rankings, write_run


def average_runs(*, run_paths: list[str], run_path: str | Path, tag: str) -> None:
    """Write a run of the mean raw scores of several runs, which have to rank the same passages of the same queries.

    The ensemble of Hofstätter et al. 2020 (arXiv:2010.02666), as its teacher scores are.
    """
    write_run(run_path, mean_rankings(run_paths), tag)


def mean_rankings(run_paths: list[str]) -> Iterator[Ranking]:
    """The passages of each query with the mean of their scores; queries in the order that all runs have them in."""
    for rankings in zip_longest(*map(rankings_by_id, run_paths)):
        for path, ranking in zip(run_paths[1:], rankings[1:], strict=True):
            if not is_of_same_passages(ranking, rankings[0]):
                raise ValueError(f"{path}: ranks other passages than {run_paths[0]}; re-rank the same candidates.")
        query_id, passage_ids, _ = rankings[0]
        yield Ranking(query_id, passage_ids, np.mean([ranking.scores for ranking in rankings], axis=0))


def rankings_by_id(path: str) -> Iterator[Ranking]:
    """The rankings of a run, with the passages in the order of their ids."""
    for lines in iter_rankings(path):
        for query_id, rows in lines.groupby("query_id", sort=False):
            passage_ids = rows["passage_id"].to_numpy().astype(str)
            order = np.argsort(passage_ids)
            yield Ranking(query_id, passage_ids[order], rows["score"].to_numpy()[order])


def is_of_same_passages(one: Ranking | None, other: Ranking | None) -> bool:
    """Whether two rankings are of the same query and passages; there is none where a run has ended."""
    if one is None or other is None:
        return False
    return one.query_id == other.query_id and np.array_equal(one.passage_ids, other.passage_ids)
