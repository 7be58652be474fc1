"""Outputs appear whole or not at all."""

import pytest

from stillroom.files import atomic_path


def test_a_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "run.trec"
    with atomic_path(path) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
        assert unfinished.suffix == ".trec"
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "run.trec"
    path.write_text("older")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as unfinished:
        unfinished.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_an_older_folder(tmp_path):
    path = tmp_path / "index"
    path.mkdir()
    (path / "old").touch()
    with atomic_path(path) as unfinished:
        unfinished.mkdir()
        (unfinished / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_job_left_is_cleared(tmp_path):
    path = tmp_path / "index"
    killed = atomic_path(path)
    killed.__enter__().mkdir()
    with atomic_path(path) as unfinished:
        assert not unfinished.exists()
        unfinished.touch()
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_older_file(tmp_path):
    path = tmp_path / "run.trec"
    path.write_text("older")
    with pytest.raises(FileNotFoundError, match=r"run\.trec: nothing was written"), atomic_path(path):
        pass
    assert path.read_text() == "older"
