"""Candidates from files: what becomes of runs and of MS MARCO's lists, packed or not."""

import gzip
import hashlib
import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom import candidate_files
from stillroom.candidate_files import fetch_candidates, import_candidates
from stillroom.runs import read_run

# Lists are not in the order of the queries; q9 is of another test set.
LISTED = "".join(
    f'{query_id}\t{passage_id}\tsome query\tsome “passage” with a "quote\n'
    for query_id, passage_id in [("q2", "p7"), ("q1", "p3"), ("q9", "p3"), ("q2", "p1"), ("q1", "p8"), ("q2", "p5")]
)
RANKED = "q2 Q0 p7 1 3.5 x\nq2 Q0 p1 2 9.5 x\nq9 Q0 p1 1 1.0 x\nq1\tQ0\tp3\t1\t-2e-1\tx\n"


def packed_as_tar(text):
    """A .tar.gz with one file."""
    content, buffer = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("top1000.dev")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


PACKED = {"plain": str.encode, "gzip": lambda text: gzip.compress(text.encode()), "tar": packed_as_tar}


@pytest.fixture
def imported(tmp_path):
    """A function from the content of a file to {query_id: passage ids, best first}."""
    pq.write_table(pa.table({"query_id": ["q1", "q2", "q3"], "text": ["a", "b", "c"]}), tmp_path / "queries.parquet")

    def imported(content, depth=1000, md5=None):
        (tmp_path / "file").write_bytes(content)
        import_candidates(
            candidates_path=tmp_path / "file",
            md5=md5,
            queries_path=tmp_path / "queries.parquet",
            depth=depth,
            run_path=tmp_path / "run.trec",
            tag="official",
        )
        run = read_run(tmp_path / "run.trec")
        return {query_id: rows["passage_id"].tolist() for query_id, rows in run.groupby("query_id", sort=False)}

    return imported


@pytest.mark.parametrize("packing", PACKED)
def test_lists_become_the_candidates_of_the_test_sets_queries(packing, imported, caplog):
    assert imported(PACKED[packing](LISTED)) == {"q1": ["p3", "p8"], "q2": ["p7", "p1", "p5"]}
    assert "1 lines of other queries are left out" in caplog.text
    assert "1 queries have no candidates" in caplog.text


@pytest.mark.parametrize("packing", PACKED)
def test_a_run_keeps_the_order_of_its_scores_down_to_the_depth(packing, imported):
    assert imported(PACKED[packing](RANKED)) == {"q1": ["p3"], "q2": ["p1", "p7"]}
    assert imported(PACKED[packing](RANKED), depth=1) == {"q1": ["p3"], "q2": ["p1"]}


def test_a_list_without_an_order_is_not_cut(imported, tmp_path):
    with pytest.raises(
        ValueError, match=r"file: found 3 candidates of one query without an order, expected at most .* 2:"
    ):
        imported(LISTED.encode(), depth=2)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "queries.parquet"}


WRONG = {
    "another format": (b"q1 p3 1\n", r"file, line 1: found 'q1 p3 1', expected, as in line 1, `query_id Q0"),
    "an empty file": (b"", r"file, line 1: found '', expected"),
    "a score that is none": (b"q1 Q0 p1 1 nan x\n", r"file, line 1: found 'q1 Q0 p1 1 nan x', expected"),
    "a broken line": (LISTED.encode() + b"q1\tp4\n", r"file, line 7: found 'q1\\tp4', expected"),
    "a passage twice": (RANKED.encode() + b"q1 Q0 p3 9 0.1 x\n", r"query q1: found passage p3 twice"),
    "other queries": (b"q9 Q0 p1 1 1.0 x\n", r"file: found no candidate of a query of .*queries\.parquet, expected"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_ends_with_one_sentence_and_nothing_written(what, imported, tmp_path):
    content, sentence = WRONG[what]
    with pytest.raises(ValueError, match=sentence):
        imported(content)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "queries.parquet"}


def test_a_checksum_is_checked(imported):
    md5 = hashlib.md5(RANKED.encode()).hexdigest()
    assert imported(RANKED.encode(), md5=md5)
    with pytest.raises(ValueError, match=f"file: the md5 is {md5}, expected {'0' * 32};"):
        imported(RANKED.encode(), md5="0" * 32)


def test_an_archive_of_several_files_is_refused(imported):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("a", "b"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ValueError, match="file: found 2 files in the archive, expected one"):
        imported(buffer.getvalue())


@pytest.mark.parametrize(
    ("url", "headers", "terms"),
    [
        ("https://msmarco.z22.web.core.windows.net/msmarcoranking/a.gz", {"X-Ms-Version": "2019-12-12"}, True),
        ("https://example.org/a.gz", None, False),
    ],
)
def test_ms_marcos_server_is_told_what_it_wants_and_its_terms_are_said(url, headers, terms, monkeypatch, caplog):
    asked = []
    monkeypatch.setattr(candidate_files, "fetch_file", lambda **settings: asked.append(settings))
    fetch_candidates(url=url, md5=None, path="a.gz")
    assert asked == [{"url": url, "md5": None, "path": "a.gz", "headers": headers}]
    assert ("non-commercial research only" in caplog.text) == terms
