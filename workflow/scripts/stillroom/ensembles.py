"""Several rankers as one system."""

from pathlib import Path

import numpy as np

from stillroom.runs import Ranking, read_run, write_run


def average_runs(*, run_paths: list[str], run_path: str | Path, tag: str) -> None:
    """Write a run of the mean raw scores of several runs, which have to rank the same passages.

    The ensemble of Hofstätter et al. 2020 (arXiv:2010.02666), as its teacher scores are.
    """
    runs = [read_run(path).set_index(["query_id", "passage_id"])["score"].sort_index() for path in run_paths]
    for path, run in zip(run_paths, runs, strict=True):
        if not run.index.equals(runs[0].index):
            raise ValueError(f"{path}: ranks other passages than {run_paths[0]}; re-rank the same candidates.")
    means = runs[0].copy()
    means[:] = np.mean(runs, axis=0)
    ranked = (
        Ranking(query_id, rows.index.get_level_values("passage_id").to_numpy(), rows.to_numpy())
        for query_id, rows in means.groupby(level="query_id", sort=False)
    )
    write_run(run_path, ranked, tag)
