"""Score files in the published columns: their triples, and their scores of triples that are there already."""

import csv
import gzip
import hashlib
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillroom import score_files
from stillroom.published_scores import extract_triples, join_scores
from stillroom.triples import read_triples

QUERY_IDS, PASSAGE_IDS = ["300", "1", "q'7"], ["9", "10", "passage", "'quoted", "-1"]
ROWS = [
    ("1.5", "-2.25", "1", "10", "9"),
    ("11.0", "3e-1", "q'7", "'quoted", "-1"),
    (".5", "0", "300", "passage", "10"),
    ("2", "-7", "1", "10", "passage"),
    ("4.0", "5.0", "1", "9", "9"),
]
UNKNOWN = [
    ("1", "2", "01", "10", "9"),
    ("1", "2", "1", "11", "9"),
    ("1", "2", "1", "10", ""),
    ("1", "2", "301", "10", "p"),
]


def text_of(rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def triples_of(rows):
    """Row numbers (query, positive, negative) of rows."""
    return [(QUERY_IDS.index(q), PASSAGE_IDS.index(p), PASSAGE_IDS.index(n)) for *_, q, p, n in rows]


@pytest.fixture
def write(tmp_path):
    """A function that writes a score file and returns its path."""

    def write(content, name="scores.tsv"):
        text = content if isinstance(content, str | bytes) else text_of(content)
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return tmp_path / name

    return write


@pytest.fixture
def collection_paths(tmp_path, write_texts):
    return {
        "queries_path": write_texts(tmp_path / "queries.parquet", "query_id", dict.fromkeys(QUERY_IDS, "text")),
        "passages_path": write_texts(tmp_path / "passages.parquet", "passage_id", dict.fromkeys(PASSAGE_IDS, "text")),
    }


@pytest.fixture
def extract(tmp_path, collection_paths):
    """A function that takes the triples of a score file and returns them with the report."""

    def extract(path, triples=None, md5=None):
        paths = {"triples_path": tmp_path / "triples.parquet", "report_path": tmp_path / "score_file.csv"}
        extract_triples(score_file_path=path, md5=md5, triples=triples, **collection_paths, **paths)
        table = pq.read_table(paths["triples_path"])
        assert table.column_names == ["query", "positive", "negative"]
        return [tuple(row.values()) for row in table.to_pylist()], read_report(paths["report_path"])

    return extract


@pytest.fixture
def join(tmp_path, collection_paths, write_triples):
    """A function that joins a score file with triples and returns the parquet's rows with the report."""

    def join(path, triples, md5=None):
        paths = {name: tmp_path / f"t.{name.split('_')[0]}" for name in ("scores_path", "tsv_path", "report_path")}
        triples_path = write_triples(tmp_path / "triples.parquet", *zip(*triples, strict=True))
        join_scores(score_file_path=path, md5=md5, triples_path=triples_path, **collection_paths, **paths)
        table = pq.read_table(paths["scores_path"])
        assert table.column_names == ["pos_score", "neg_score", "query_id", "pos_id", "neg_id"]
        return [tuple(row.values()) for row in table.to_pylist()], read_report(paths["report_path"])

    return join


def read_report(path):
    """{check: (count, of)}."""
    with open(path, newline="") as file:
        return {row["check"]: (int(row["count"]), int(row["of"])) for row in csv.DictReader(file)}


def as_numbers(rows):
    """Rows with their scores as numbers of 32 bits."""
    return [(np.float32(pos), np.float32(neg), *ids) for pos, neg, *ids in rows]


@pytest.mark.parametrize("name", ["scores.tsv", "scores.tsv.gz", "scores"])
def test_the_rows_of_a_file_become_triples_in_their_order(name, write, extract):
    triples, report = extract(write(ROWS, name))
    assert triples == triples_of(ROWS)
    assert report == {
        "rows with an unknown query": (0, 5),
        "rows with an unknown passage": (0, 5),
        "rows with known ids": (5, 5),
        "triples": (5, 5),
    }


def test_a_file_is_gzipped_if_its_content_is_whatever_its_name(write, extract):
    assert extract(write(gzip.compress(text_of(ROWS).encode())))[0] == triples_of(ROWS)


def test_windows_line_ends_and_a_missing_last_one_change_nothing(write, extract):
    assert extract(write(text_of(ROWS).replace("\n", "\r\n")))[0] == triples_of(ROWS)
    assert extract(write(text_of(ROWS).removesuffix("\n")))[0] == triples_of(ROWS)


def test_rows_with_unknown_ids_are_left_out_counted_and_reported(write, extract, caplog):
    caplog.set_level(logging.INFO)
    triples, report = extract(write([ROWS[0], *UNKNOWN, *ROWS[1:]]))
    assert triples == triples_of(ROWS)
    assert report["rows with an unknown query"] == (2, 9)
    assert report["rows with an unknown passage"] == (3, 9)
    assert report["rows with known ids"] == (5, 9)
    assert report["triples"] == (5, 5)
    assert "scores.tsv: 4 of 9 rows have an unknown id and are left out, the first has 01, 10, 9" in caplog.text
    assert "rows with an unknown passage: 3 of 9" in caplog.text


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 99])
def test_the_first_triples_are_kept_when_there_is_a_limit_and_the_whole_file_is_counted(limit, write, extract):
    triples, report = extract(write([*UNKNOWN, *ROWS]), triples=limit)
    assert triples == triples_of(ROWS)[:limit]
    assert report["rows with known ids"] == (5, 9)
    assert report["triples"] == (min(limit, 5), 5)


def test_blocks_make_no_difference(write, extract, join, monkeypatch):
    rows = [ROWS[place] for place in np.random.default_rng(3).integers(0, len(ROWS), 400)]
    path = write([*rows, *UNKNOWN, *rows])
    together = extract(path, triples=600), join(path, triples_of(ROWS))
    monkeypatch.setattr(score_files, "BLOCK_BYTES", 512)
    assert len(list(score_files.read_blocks(path))) > 20
    assert (extract(path, triples=600), join(path, triples_of(ROWS))) == together
    assert together[0][0] == triples_of([*rows, *rows])[:600]


MALFORMED = {
    "too few columns": ("1\t2\t300\t10\n", r"found 4 columns, expected 5 columns \(pos_score, neg_score, query_id, "),
    "too many columns": ("1\t2\t300\t10\t9\t9\n", "found 6 columns, expected 5 columns"),
    "an empty line": ("\n", "found 1 column, expected 5 columns"),
    "a header": ("pos_score\tneg_score\tquery_id\tpos_id\tneg_id\n", "found pos_score 'pos_score', expected a number"),
    "ids before scores": ("1\tq1\tp1\t10\t9\n", "found neg_score 'q1', expected a number"),
    "an empty score": ("1\t\t300\t10\t9\n", "found neg_score '', expected a number"),
    "no number": ("nan\t2\t300\t10\t9\n", "found pos_score 'nan', expected a number"),
    "an infinite number": ("1\t-inf\t300\t10\t9\n", "found neg_score '-inf', expected a number"),
    "a number that is too large": ("1\t1e39\t300\t10\t9\n", "found neg_score '1e39', expected a number"),
    "other bytes": (b"1\t2\t300\t10\t\xff\n", "found other bytes, expected text in UTF-8"),
}


@pytest.mark.parametrize("name", ["scores.tsv", "scores.tsv.gz"])
@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_row_stops_with_file_and_line_and_leaves_nothing(what, name, write, extract, tmp_path, monkeypatch):
    monkeypatch.setattr(score_files, "BLOCK_BYTES", 4096)
    line, message = MALFORMED[what]
    before = text_of(ROWS * 300).encode()
    path = write(before + (line if isinstance(line, bytes) else line.encode()) + before, name)
    with pytest.raises(ValueError, match=rf"{name}: line 1,501: {message}.*\.$"):
        extract(path)
    assert not list(tmp_path.glob("*triples.parquet*")) and not list(tmp_path.glob(".*"))


def test_an_empty_file_and_a_truncated_one_stop(write, extract):
    with pytest.raises(ValueError, match=r"scores\.tsv: found no row\.$"):
        extract(write(""))
    with pytest.raises(ValueError, match=r"scores\.tsv: the file is damaged or incomplete \(.*\); get it again\.$"):
        extract(write(gzip.compress(text_of(ROWS * 50).encode())[:-9]))


def test_a_missing_file_is_named(tmp_path, extract):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
        extract(tmp_path / "nowhere.tsv")


def test_a_file_of_another_collection_stops(write, extract, join, tmp_path):
    path = write(UNKNOWN)
    with pytest.raises(ValueError, match=r"none of the 4 rows has a known query and known passages, .* ids 01, 10, 9;"):
        extract(path)
    with pytest.raises(ValueError, match="none of the 4 rows has a known query and known passages"):
        join(path, triples_of(ROWS))
    assert {file.name for file in tmp_path.iterdir()} <= {
        "scores.tsv",
        "queries.parquet",
        "passages.parquet",
        "triples.parquet",
    }


def test_the_checksum_of_a_local_file_is_verified(write, extract, join):
    path = write(ROWS)
    right = hashlib.md5(path.read_bytes()).hexdigest()
    assert extract(path, md5=right)[0] == triples_of(ROWS)
    assert [row[2:] for row in join(path, triples_of(ROWS), md5=right)[0]] == [row[2:] for row in ROWS]
    for step in (extract, lambda path, md5: join(path, triples_of(ROWS), md5=md5)):
        with pytest.raises(ValueError, match=rf"scores\.tsv: the md5 is {right}, expected {'0' * 32}; "):
            step(path, md5="0" * 32)


def test_scores_are_joined_with_triples_of_any_order(write, join, tmp_path):
    shuffled = [ROWS[place] for place in (3, 0, 0, 4, 2, 1)]
    rows, report = join(write(ROWS), triples_of(shuffled))
    expected = as_numbers(shuffled)
    assert rows == expected
    assert report["rows with a wanted triple"] == (5, 5)
    assert report["triples with a score"] == (6, 6)
    with open(tmp_path / "t.tsv", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert as_numbers(lines) == expected


def test_triples_of_a_file_get_the_scores_of_its_rows(write, extract, join):
    path = write([*UNKNOWN, *ROWS])
    rows, _ = join(path, extract(path)[0])
    assert [row[2:] for row in rows] == [row[2:] for row in ROWS]
    assert [row[0] for row in rows] == [float(row[0]) for row in ROWS]


def test_a_triple_that_the_file_lacks_has_no_score_is_counted_and_left_out_of_the_training(
    write, join, tmp_path, caplog
):
    lacking = [(0, 2, 0), (2, 0, 0)]  # another negative; another pair of query and relevant passage
    rows, report = join(write(ROWS[:3]), [lacking[0], *triples_of(ROWS[:2]), lacking[1]])
    assert [row[:2] for row in rows] == [(None, None), (1.5, -2.25), (11.0, np.float32(0.3)), (None, None)]
    assert report["rows with a wanted triple"] == (2, 3)
    assert report["triples with a score"] == (2, 4)
    assert "2 of 4 triples have no score; training leaves them out" in caplog.text
    assert len((tmp_path / "t.tsv").read_text().splitlines()) == 2

    triples = read_triples(tmp_path / "triples.parquet", teacher_scores_path=tmp_path / "t.scores")
    found = list(zip(triples.query, triples.positive, triples.negative, strict=True))
    assert found == triples_of(ROWS[:2])
    assert triples.teacher_scores.tolist() == [[1.5, -2.25], [11.0, np.float32(0.3)]]
    assert "t.scores: 2 of 4 triples have no score and are left out" in caplog.text


def test_a_file_that_has_none_of_the_triples_stops(write, join):
    with pytest.raises(ValueError, match=r"none of the 2 triples of .*triples\.parquet has a score; take the triples"):
        join(write(ROWS), [(0, 2, 0), (2, 0, 0)])


def test_of_a_triple_that_is_there_twice_the_first_row_counts(write, join, monkeypatch):
    again, other = ROWS[0], ("8", *ROWS[0][1:])
    for block_bytes in (1 << 20, 64):
        monkeypatch.setattr(score_files, "BLOCK_BYTES", block_bytes)
        rows, report = join(write([*ROWS, again, other, other]), triples_of(ROWS))
        assert rows[0][:2] == (1.5, -2.25)
        assert report["rows with a wanted triple"] == (8, 8)
        assert report["rows that repeat a triple"] == (3, 8)
        assert report["rows that repeat a triple with other scores"] == (2, 8)


@pytest.mark.parametrize("rows", [1, 300, 1_000_000])
def test_a_large_join_agrees_with_a_dictionary(rows, write, join, write_texts, tmp_path, monkeypatch):
    for name in ("triples.BLOCK_TRIPLES", "query_ranges.BLOCK_ROWS", "query_ranges.ROWS_PER_RANGE"):
        monkeypatch.setattr(f"stillroom.{name}", rows)
    random = np.random.default_rng(9)
    triples = random.integers(0, [3, 5, 5], (2000, 3))
    drawn = random.permutation(np.unique(triples, axis=0))[:40]
    scores = random.normal(0, 9, (len(drawn), 2)).astype(np.float32)
    content = [
        (str(pos), str(neg), QUERY_IDS[q], PASSAGE_IDS[p], PASSAGE_IDS[n])
        for (pos, neg), (q, p, n) in zip(scores, drawn, strict=True)
    ]
    rows, report = join(write(content), triples.tolist())
    known = {tuple(triple): tuple(pair) for triple, pair in zip(drawn.tolist(), scores.tolist(), strict=True)}
    assert [row[:2] for row in rows] == [known.get(tuple(triple), (None, None)) for triple in triples.tolist()]
    assert report["triples with a score"] == (sum(tuple(triple) in known for triple in triples.tolist()), 2000)
