"""Files of vectors: faiss reads them as its own, and what is broken stops."""

import faiss
import numpy as np
import pytest

from stillroom import vectors
from stillroom.vectors import HEADER, VectorWriter, open_vectors

VECTORS = np.random.default_rng(5).normal(size=(11, 6)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    """A file of the vectors above, written in three blocks."""
    with VectorWriter(tmp_path / "vectors.faiss", 11, 6) as writer:
        for rows in (slice(0, 4), slice(4, 5), slice(5, 11)):
            writer.write(VECTORS[rows])
    return tmp_path / "vectors.faiss"


def test_the_file_is_byte_for_byte_what_faiss_writes(path, tmp_path):
    index = faiss.IndexFlatIP(6)
    index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "index"))
    assert path.read_bytes() == (tmp_path / "index").read_bytes()


def test_vectors_come_back_without_being_read_into_memory(path):
    found = open_vectors(path)
    assert isinstance(found, np.memmap) and found.dtype == np.float32
    assert np.array_equal(found, VECTORS)
    assert np.array(found[2:5]).flags.aligned


def test_a_file_that_was_begun_is_gone_on_with(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: HEADER.size + 5 * 24 + 7])  # five vectors, and a part of the sixth
    with VectorWriter(path, 11, 6, done=5) as writer:
        writer.write(VECTORS[5:])
    assert path.read_bytes() == whole


def test_several_write_into_one_file_and_none_shortens_it(path):
    whole = path.read_bytes()
    path.unlink()
    with VectorWriter(path, 11, 6, done=7) as second, VectorWriter(path, 11, 6) as first:
        assert path.stat().st_size == len(whole)
        second.write(VECTORS[7:])
        first.write(VECTORS[:7])
        assert path.read_bytes() == whole  # before either ends
    with VectorWriter(path, 11, 6):
        pass
    assert path.read_bytes() == whole


def test_vectors_are_on_the_disk_when_they_count_as_written(tmp_path, monkeypatch):
    """Else a machine that fails leaves zeros that the next run takes for vectors."""
    synced = []
    monkeypatch.setattr(vectors.os, "fsync", lambda file: synced.append((tmp_path / "v").read_bytes()))
    with VectorWriter(tmp_path / "v", 11, 6) as writer:
        writer.write(VECTORS)
    assert synced == [(tmp_path / "v").read_bytes()]


def test_no_vectors_are_a_file_too(tmp_path):
    with VectorWriter(tmp_path / "none", 0, 6):
        pass
    assert open_vectors(tmp_path / "none").shape == (0, 6)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"0"])
def test_a_file_of_another_size_stops_with_both_sizes(change, path):
    path.write_bytes(change(path.read_bytes()))
    sentence = rf"vectors\.faiss: expected 309 bytes of 11 vectors with 6 dimensions, found {path.stat().st_size}; "
    with pytest.raises(ValueError, match=sentence):
        open_vectors(path)


@pytest.mark.parametrize("content", [b"", b"IxFI", b"IxF2" + b"\0" * 60, b"\x93NUMPY" + b"\0" * 60])
def test_what_holds_no_vectors_stops(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match=r"other: no vectors in the layout of faiss's IndexFlatIP; encode "):
        open_vectors(tmp_path / "other")
