"""Outputs appear whole or not at all."""

import pytest

from stillroom.files import atomic_path, link_or_copy, parts_folder, workplace


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


def test_parts_are_found_again_only_by_the_same_inputs_and_facts(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"one")
    first = parts_folder(tmp_path / "run.trec", [weights], depth=10, code="a")
    assert first.is_dir() and first.parent == tmp_path
    assert parts_folder(tmp_path / "run.trec", [weights], code="a", depth=10) == first
    others = [
        parts_folder(tmp_path / "run.trec", [weights], depth=11, code="a"),
        parts_folder(tmp_path / "run.trec", [weights], depth=10, code="b"),
        parts_folder(tmp_path / "other.trec", [weights], depth=10, code="a"),
    ]
    weights.write_bytes(b"two")
    others.append(parts_folder(tmp_path / "run.trec", [weights], depth=10, code="a"))
    assert len({first, *others}) == 5


def test_a_workplace_is_empty_at_first_and_gone_in_the_end_whatever_happens(tmp_path):
    killed = workplace(tmp_path / "scores.parquet")
    (killed.__enter__() / "left").touch()
    with pytest.raises(KeyError), workplace(tmp_path / "scores.parquet") as folder:
        assert folder.parent == tmp_path and not list(folder.iterdir())
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_file_gets_a_second_name_and_where_there_are_none_a_copy(tmp_path, monkeypatch):
    (tmp_path / "one").write_text("content")
    link_or_copy(tmp_path / "one", tmp_path / "linked")
    assert (tmp_path / "linked").samefile(tmp_path / "one")

    def refuse(self, target):
        raise OSError("no second names here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    link_or_copy(tmp_path / "one", tmp_path / "copied")
    assert (tmp_path / "copied").read_text() == "content"
    assert not (tmp_path / "copied").samefile(tmp_path / "one")
