"""A score file as a teacher, from the URL in the config to the scores that rankers are trained on."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = "1.5\t-2.0\tq1\tp2\tp1\n4.0\t0.25\tq2\tp1\tp3\n9.0\t9.0\tq3\tp1\tp2\n"
RESULTS = "results/pydocs"
SCORES = f"{RESULTS}/teacher_scores/published/triples"


@pytest.fixture
def url(tmp_path):
    """Where a server on this machine has the score file."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "scores.tsv").write_text(ROWS)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/scores.tsv"
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(project, url):
    """The project with a score file as a teacher, whose triples are trained on; two queries, three passages."""
    md5 = hashlib.md5(ROWS.encode()).hexdigest()
    project.configure(
        {
            "teachers.published": {"scores": url, "md5": md5},
            "training_sets.triples.negatives": None,
            "training_sets.triples.triples_of": "published",
        }
    )
    folder = project.folder / RESULTS
    for path, key, ids in [
        ("corpora/pydocs/passages.parquet", "passage_id", ["p1", "p2", "p3"]),
        ("training_sets/triples/queries.parquet", "query_id", ["q1", "q2"]),
    ]:
        (folder / path).parent.mkdir(parents=True)
        pq.write_table(pa.table({key: ids, "text": ids}), folder / path)
    return project


def test_a_score_file_is_downloaded_and_becomes_triples_with_scores(published):
    status, text = published.snakemake("--cores", "2", "--", f"{SCORES}.parquet")
    assert status == 0, text
    assert published.read(f"{RESULTS}/score_files/published.tsv") == ROWS
    triples = pq.read_table(published.folder / RESULTS / "training_sets/triples/triples.parquet")
    assert [tuple(row.values()) for row in triples.to_pylist()] == [(0, 1, 0), (1, 0, 2)]
    scores = pq.read_table(published.folder / f"{SCORES}.parquet")
    assert scores["pos_score"].to_pylist() == [1.5, 4.0] and scores["neg_score"].to_pylist() == [-2.0, 0.25]
    assert "rows with an unknown query,1,3\n" in published.read(f"{RESULTS}/training_sets/triples/score_file.csv")
    assert "triples with a score,2,2\n" in published.read(f"{SCORES}.csv")
    assert published.plan("--", f"{SCORES}.parquet").jobs == []


def test_a_wrong_checksum_ends_with_one_sentence_and_nothing_of_the_file(published):
    published.configure({"teachers.published.md5": "0" * 32})
    status, text = published.snakemake("--cores", "2", "--", f"{SCORES}.parquet")
    assert status != 0 and f", expected {'0' * 32}; correct it or run again." in text
    assert not list((published.folder / RESULTS).glob("score_files/*"))
