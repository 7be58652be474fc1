"""Downloads from a server of our own on this machine."""

import gzip
import hashlib
import logging
import re
import shutil
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from stillroom import downloads
from stillroom.downloads import CHUNK_BYTES, fetch_file

CONTENT = np.random.default_rng(5).bytes(5 * CHUNK_BYTES - 7)
PART = 2 * CHUNK_BYTES
MD5 = hashlib.md5(CONTENT).hexdigest()
RANGE = re.compile(r"bytes=(\d+)-")


class Server(ThreadingHTTPServer):
    """Serves CONTENT, and does what its attributes say; notes the `Range` and the answer of every request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag = CONTENT, '"one"'
        self.sends_parts = True
        self.encoding = None
        self.answers = []  # status to send instead of the file, or number of bytes after which to break off
        self.seen = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/scores.tsv?download=1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        answer = server.answers.pop(0) if server.answers else None
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        whole = not server.sends_parts or self.headers.get("If-Range", server.tag) != server.tag
        start = 0 if wanted is None or whole else int(wanted[1])
        status = answer if answer in (403, 404, 429, 503) else 206 if start else 200
        if start >= len(server.content):
            status = 416
        server.seen.append((self.headers.get("Range"), status))
        self.send_response(status)
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        body = server.content[start:] if status in (200, 206) else b""
        self.send_header("Content-Length", str(len(body)))
        if server.tag:
            self.send_header("ETag", server.tag)
        if server.encoding:
            self.send_header("Content-Encoding", server.encoding)
        self.end_headers()
        self.wfile.write(body if answer is None or answer == status else body[:answer])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    """A function that downloads the file and returns its content."""

    def fetch(md5=MD5, waits=(0, 0)):
        fetch_file(url=server.url, md5=md5, path=tmp_path / "files" / "scores.tsv", waits=waits)
        assert [path.name for path in (tmp_path / "files").iterdir()] == ["scores.tsv"]
        return (tmp_path / "files" / "scores.tsv").read_bytes()

    return fetch


def left(tmp_path):
    """Bytes of an unfinished download; the file itself is not there."""
    assert not (tmp_path / "files" / "scores.tsv").exists()
    return sum(path.stat().st_size for path in (tmp_path / "files").rglob("content"))


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_file_arrives_whole(md5, fetch, server):
    assert fetch(md5) == CONTENT
    assert server.seen == [(None, 200)]


@pytest.mark.parametrize("tag", ['"one"', 'W/"weak"', None])
def test_a_download_that_breaks_off_is_continued_where_it_stopped(tag, fetch, server, caplog):
    server.tag, server.answers = tag, [PART, CHUNK_BYTES + 9]
    assert fetch() == CONTENT
    assert server.seen == [(None, 200), (f"bytes={PART}-", 206), (f"bytes={PART + CHUNK_BYTES + 9}-", 206)]
    assert f"broke off at {PART:,} bytes" in caplog.text


def test_without_a_name_or_a_checksum_nothing_is_continued(fetch, server):
    """The file may have changed meanwhile, and nothing would tell."""
    server.tag, server.answers = None, [PART]
    assert fetch(md5=None) == CONTENT
    assert server.seen == [(None, 200), (None, 200)]


def test_a_disk_that_is_full_meanwhile_is_one_sentence_and_the_next_run_goes_on(fetch, server, tmp_path, monkeypatch):
    def fail(file, chunk, url):
        with open("/dev/full", "wb") as full:
            write_chunk(full, chunk, url)

    write_chunk = downloads.write_chunk
    server.answers = [PART]
    with pytest.raises(ConnectionError):
        fetch(waits=())
    monkeypatch.setattr(downloads, "write_chunk", fail)
    with pytest.raises(OSError, match=r"^http://.*: what has arrived could not be written .*; make room and run again"):
        fetch()
    monkeypatch.setattr(downloads, "write_chunk", write_chunk)
    assert left(tmp_path) == PART
    assert fetch() == CONTENT


def test_a_server_without_parts_sends_the_file_anew(fetch, server):
    server.sends_parts, server.answers = False, [PART]
    assert fetch() == CONTENT
    assert server.seen == [(None, 200), (f"bytes={PART}-", 200)]


def test_what_cannot_be_continued_makes_room_before_the_file_is_sent_anew(fetch, server, tmp_path, monkeypatch):
    server.sends_parts, server.answers = False, [PART]
    with pytest.raises(ConnectionError):
        fetch(waits=())

    def usage(_):
        return namedtuple("usage", "total used free")(10**12, 0, len(CONTENT) - left(tmp_path))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert fetch() == CONTENT


def test_a_later_run_continues_an_interrupted_one(fetch, server, tmp_path):
    server.answers = [PART]
    with pytest.raises(
        ConnectionError, match=rf"the download failed \(\w+\) after {PART:,} bytes, which are kept; check"
    ):
        fetch(waits=())
    assert left(tmp_path) == PART
    assert fetch() == CONTENT
    assert server.seen[1:] == [(f"bytes={PART}-", 206)]


def test_a_download_that_was_complete_is_not_fetched_again(fetch, server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("stillroom.downloads.md5_of", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch()
    assert left(tmp_path) == len(CONTENT)
    assert fetch() == CONTENT
    assert server.seen[1:] == [(f"bytes={len(CONTENT)}-", 416)]


def test_a_file_that_has_changed_on_the_server_is_not_mixed_with_the_old_one(fetch, server):
    server.answers = [PART]
    with pytest.raises(ConnectionError):
        fetch(waits=())
    server.content, server.tag = CONTENT[::-1], '"two"'
    assert fetch(md5=None) == CONTENT[::-1]


def test_a_longer_download_than_the_servers_file_is_begun_anew(fetch, server):
    server.tag, server.answers = None, [PART]
    with pytest.raises(ConnectionError):
        fetch(waits=())
    server.content = CONTENT[:1000]
    assert fetch(md5=None) == CONTENT[:1000]


def test_a_wrong_checksum_names_both_and_leaves_nothing(fetch, server, tmp_path):
    server.content = b"another file"
    found = hashlib.md5(b"another file").hexdigest()
    with pytest.raises(ValueError, match=f"download=1: the md5 of what was downloaded is {found}, expected {MD5}; "):
        fetch()
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status, fetch, server, caplog):
    server.answers = [status]
    assert fetch() == CONTENT
    assert f"the server answers {status}" in caplog.text


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_one_sentence_at_once(status, fetch, server):
    server.answers = [status] * 9
    with pytest.raises(ValueError, match=f"download=1: the server answers {status} .*; put the path of a copy"):
        fetch()
    assert len(server.seen) == 1


def test_tries_without_progress_come_to_an_end(fetch, server):
    server.answers = [503] * 9
    with pytest.raises(ConnectionError, match=r"the download failed \(the server answers 503 Service Unavailable\)"):
        fetch()
    assert len(server.seen) == 3


def test_tries_are_counted_anew_while_something_arrives(fetch, server):
    server.answers = [CHUNK_BYTES, 503] * 3
    assert fetch() == CONTENT
    assert len(server.seen) == 7


def test_without_a_network_one_sentence_says_what_to_do(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(ConnectionError) as error:
        fetch_file(url="http://127.0.0.1:9/scores.tsv", md5=None, path=tmp_path / "scores.tsv", waits=(0,))
    assert str(error.value) == (
        "http://127.0.0.1:9/scores.tsv: the download failed (ConnectionError); check the network and run again, or "
        "put the path of a copy of your own into the config instead of the URL."
    )
    assert not (tmp_path / "scores.tsv").exists()


def test_a_gzipped_file_stays_gzipped_where_the_server_calls_that_an_encoding(fetch, server):
    server.content, server.encoding = gzip.compress(CONTENT), "gzip"
    server.answers = [PART]
    assert fetch(md5=hashlib.md5(server.content).hexdigest()) == server.content


def test_too_little_disk_is_said_before_the_first_byte(fetch, server, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**12, 0, len(CONTENT) - 1)
    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match=r"needs 0\.00 GB on the disk of .*; make room and"),
    ):
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        fetch()
    assert left(tmp_path) == 0
    assert fetch() == CONTENT
