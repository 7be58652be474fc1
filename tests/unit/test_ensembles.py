"""The mean of several rankers' runs."""

import numpy as np
import pytest

from stillroom import runs
from stillroom.ensembles import average_runs
from stillroom.runs import Ranking, read_run, write_run

PASSAGES = [f"p{number}" for number in range(20)]


@pytest.fixture
def write(tmp_path):
    """A function that writes a run of these passages for two queries and returns its path and scores."""

    def write(name, passages=PASSAGES, queries=("q2", "q1")):
        scores = np.random.default_rng(len(name)).normal(0, 5, (2, len(passages))).astype(np.float32)
        rankings = [Ranking(query, np.array(passages), row) for query, row in zip(queries, scores, strict=False)]
        write_run(tmp_path / name, rankings, tag=name)
        return str(tmp_path / name), scores

    return write


@pytest.mark.parametrize("block_bytes", [100, 1 << 20])
def test_passages_are_ranked_by_their_mean_score(block_bytes, write, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BLOCK_BYTES", block_bytes)
    paths, scores = zip(*(write(name) for name in ("a", "bb", "ccc")), strict=True)
    average_runs(run_paths=list(paths), run_path=tmp_path / "mean", tag="t2")
    run, means = read_run(tmp_path / "mean"), np.mean(scores, axis=0)
    for query, row in zip(("q2", "q1"), means, strict=True):
        lines = run[run["query_id"] == query]
        assert lines["passage_id"].tolist() == [PASSAGES[place] for place in np.argsort(-row)]
        assert lines["score"].to_numpy() == pytest.approx(np.sort(row)[::-1], rel=1e-6)
    assert (tmp_path / "mean").read_text().splitlines()[0].endswith(" t2")


@pytest.mark.parametrize("other", [{"passages": PASSAGES[1:]}, {"queries": ["q2"]}, {"queries": ["q1", "q2"]}])
def test_runs_of_other_candidates_stop(other, write, tmp_path):
    path, changed = write("a")[0], write("bb", **other)[0]
    with pytest.raises(ValueError, match=r"bb: ranks other passages than .*a; re-rank the same candidates\.$"):
        average_runs(run_paths=[path, changed], run_path=tmp_path / "mean", tag="t2")
    with pytest.raises(ValueError, match=r"a: ranks other passages than .*bb; re-rank the same candidates\.$"):
        average_runs(run_paths=[changed, path], run_path=tmp_path / "mean", tag="t2")
    assert not (tmp_path / "mean").exists()
