"""Files of made-up ir_datasets ids from a server on this machine: resumed, checked, and with room on the disk."""

import gzip
import hashlib
import io
import json
import logging
import re
import shutil
import tarfile
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import ir_datasets
import pyarrow.parquet as pq
import pytest
from ir_datasets.datasets.base import Dataset
from ir_datasets.datasets.msmarco_passage import FixEncoding
from ir_datasets.formats import TrecQrels, TsvDocs, TsvQueries
from ir_datasets.util import Cache, GzipExtract, TarExtract
from ir_datasets.util.download import Download, LocalDownload, RequestsDownload

from stillroom.collections.dataset_files import download_dataset
from stillroom.collections.datasets import fetch_collection, fetch_queries

PASSAGES = "".join(f"{number}\tpassage {hashlib.sha256(b'%d' % number).hexdigest()}\n" for number in range(2000))
QUERIES, QRELS = "q1\tone\nq2\ttwo\n", "q1 0 7 1\nq2 0 9 1\n"
NUMBERS = count()  # ir_datasets forgets no id


def tar_of(name, text):
    """A gzipped tar with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


FILES = {
    "/passages.tar.gz": tar_of("collection.tsv", PASSAGES),
    "/queries.tsv.gz": gzip.compress(QUERIES.encode()),
    "/mirror/qrels": QRELS.encode(),
}
ARCHIVE = FILES["/passages.tar.gz"]


class Handler(BaseHTTPRequestHandler):
    """Serves FILES; of the next one only so many bytes as `server.cut` says, if it does."""

    def do_GET(self):
        content, wanted = FILES.get(self.path), self.headers.get("Range")
        self.server.seen.append((self.path, wanted, self.headers.get("X-Wanted")))
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        self.send_response(404 if content is None else 206 if start else 200)
        content = content or b""
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut, self.server.cut = self.server.cut, None
        self.wfile.write(content[start:] if cut is None else content[start : start + cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.cut = [], None
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of ir_datasets."""
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IR_DATASETS_DL_TRIES", "1")
    return tmp_path / "home"


@pytest.fixture
def make_dataset(server, home):
    """A function that registers a data set with files of the server, and returns its id: MS MARCO's in small.

    Passages have their own place, queries none, and the first address of the judgements is a dead one.
    """
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def make(name="made-up", md5=None, size=None):
        dataset_id, folder = f"{name}-{next(NUMBERS)}", home / name
        archive = download(
            [f"{url}/passages.tar.gz"],
            md5 or hashlib.md5(ARCHIVE).hexdigest(),
            cache_path=folder / "passages.tar.gz",
            size_hint=size or len(ARCHIVE),
        )
        passages = Cache(FixEncoding(TarExtract(archive, "collection.tsv")), folder / "collection.tsv")
        queries = download([f"{url}/queries.tsv.gz"], hashlib.md5(FILES["/queries.tsv.gz"]).hexdigest())
        urls = [f"{url}/gone", f"{url}/mirror/qrels"]
        qrels = download(urls, hashlib.md5(QRELS.encode()).hexdigest(), cache_path=folder / "qrels")
        dataset = Dataset(
            TsvDocs(passages),
            TsvQueries(Cache(GzipExtract(queries), folder / "queries.tsv")),
            TrecQrels(qrels, {}),
        )
        ir_datasets.registry.register(dataset_id, dataset)
        return dataset_id

    def download(urls, md5, **settings):
        mirrors = [RequestsDownload(address, headers={"X-Wanted": "yes"}) for address in urls]
        return Download([LocalDownload(home / "downloads" / md5, mkdir=False), *mirrors], expected_md5=md5, **settings)

    return make


@pytest.fixture
def fetch(tmp_path):
    """A function that downloads a part of a data set, and returns the names of the files that were fetched."""

    def fetch(dataset_id, part="docs"):
        download_dataset(dataset_id=dataset_id, part=part, report_path=tmp_path / "report.json", waits=())
        return [entry["url"].rpartition("/")[2] for entry in json.loads((tmp_path / "report.json").read_text())]

    return fetch


def test_what_was_downloaded_is_read_without_a_network(make_dataset, fetch, server, tmp_path):
    dataset_id = make_dataset()
    assert fetch(dataset_id) == ["passages.tar.gz"]
    assert fetch(dataset_id, "queries") == ["queries.tsv.gz", "gone"]
    server.shutdown()
    server.server_close()
    fetch_collection(
        dataset_id=dataset_id,
        text="repaired",
        titles=False,
        passages=2000,
        sample=None,
        kept_path=None,
        passages_path=tmp_path / "passages.parquet",
    )
    fetch_queries(
        dataset_id=dataset_id,
        corpus_dataset_id=dataset_id,
        without=[],
        left_out_paths=[],
        queries=None,
        expected={"queries": 2, "judgements": 2},
        passages_path=tmp_path / "passages.parquet",
        queries_path=tmp_path / "queries.parquet",
        qrels_path=tmp_path / "qrels.txt",
    )
    assert pq.read_table(tmp_path / "queries.parquet")["text"].to_pylist() == ["one", "two"]
    assert (tmp_path / "qrels.txt").read_text() == QRELS


def test_files_that_are_there_are_not_fetched_again(make_dataset, fetch, server, home):
    dataset_id = make_dataset()
    fetch(dataset_id)
    assert fetch(dataset_id) == [] and len(server.seen) == 1
    assert sorted(path.name for path in (home / "made-up").iterdir()) == ["passages.tar.gz"]


def test_a_file_that_somebody_has_brought_is_taken(make_dataset, fetch, server, home):
    dataset_id = make_dataset()
    (home / "downloads").mkdir(parents=True)
    (home / "downloads" / hashlib.md5(ARCHIVE).hexdigest()).write_bytes(ARCHIVE)
    assert fetch(dataset_id) == [] and server.seen == []


def test_the_archive_is_wanted_for_raw_text_even_where_its_repaired_text_is(make_dataset, fetch, home):
    dataset_id = make_dataset()
    (home / "made-up").mkdir(parents=True)
    (home / "made-up" / "collection.tsv").write_text(PASSAGES)
    assert fetch(dataset_id, "docs") == []
    assert fetch(dataset_id, "raw") == ["passages.tar.gz"]


def test_a_part_that_a_data_set_has_not_needs_no_file(make_dataset, fetch):
    assert fetch(make_dataset(), "docpairs") == []


def test_a_download_that_is_cut_off_says_so_and_the_next_run_goes_on(make_dataset, fetch, server, home):
    dataset_id, server.cut = make_dataset(), 65_536
    with pytest.raises(ConnectionError) as error:
        fetch(dataset_id)
    assert re.fullmatch(
        r"http\S+/passages\.tar\.gz: the download failed \(\w+\) after 65,536 bytes, which are kept; check the network "
        rf"and run again, or put the file at {home}/made-up/passages\.tar\.gz by hand\.",
        str(error.value),
    )
    assert fetch(dataset_id) == ["passages.tar.gz"]
    assert server.seen == [("/passages.tar.gz", None, "yes"), ("/passages.tar.gz", "bytes=65536-", "yes")]
    assert (home / "made-up" / "passages.tar.gz").read_bytes() == ARCHIVE


def test_a_wrong_checksum_is_one_sentence_and_leaves_nothing(make_dataset, fetch, home):
    dataset_id = make_dataset(md5="0" * 32)
    with pytest.raises(
        ValueError, match=rf"passages\.tar\.gz: the md5 of what was downloaded is \w+, expected {'0' * 32};"
    ):
        fetch(dataset_id)
    assert list((home / "made-up").iterdir()) == []


def test_a_mirror_is_asked_where_the_first_address_is_dead(make_dataset, fetch, server, home, caplog):
    fetch(make_dataset(), "queries")
    assert [path for path, _, _ in server.seen] == ["/queries.tsv.gz", "/gone", "/mirror/qrels"]
    assert (home / "made-up" / "qrels").read_text() == QRELS
    assert re.search(r"/gone: the server answers 404 Not Found; put the file at \S+ by hand; trying http", caplog.text)


def with_room(monkeypatch, free):
    """A disk with so many bytes left."""
    usage = namedtuple("usage", "total used free")(10**12, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_too_little_disk_is_said_before_the_first_byte(make_dataset, fetch, server, home, monkeypatch):
    dataset_id = make_dataset(size=3_000_000_000)
    with_room(monkeypatch, 11_990_000_000)
    with pytest.raises(OSError) as error:
        fetch(dataset_id)
    assert str(error.value) == (
        f"dataset {dataset_id}: needs 12.00 GB on the disk of {home}, which has 11.99 GB left; make room and run again."
    )
    assert server.seen == [] and [path.name for path in home.rglob("*") if path.is_file()] == [".stillroom.lock"]


def test_what_an_earlier_run_has_left_needs_no_room_again(make_dataset, fetch, server, monkeypatch):
    dataset_id, server.cut = make_dataset(), 65_536
    with pytest.raises(ConnectionError):
        fetch(dataset_id)
    with_room(monkeypatch, 4 * len(ARCHIVE) - 65_536)
    assert fetch(dataset_id) == ["passages.tar.gz"]


def test_the_terms_of_ms_marco_are_said_when_it_is_downloaded(make_dataset, fetch, caplog):
    caplog.set_level(logging.INFO)
    dataset_id = make_dataset("msmarco-in-small")
    fetch(dataset_id)
    assert "non-commercial research only" in caplog.text and "https://microsoft.github.io/msmarco/" in caplog.text
    caplog.clear()
    fetch(dataset_id)
    fetch(make_dataset())
    assert "non-commercial" not in caplog.text
