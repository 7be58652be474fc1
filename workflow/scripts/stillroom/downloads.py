"""Downloads: resumed where they broke off, and checked before they appear."""

import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from stillroom.files import parts_folder, remove
from stillroom.log import ProgressMeter

logger = logging.getLogger(__name__)

WAITS = (1, 5, 25)  # seconds before each further try, as long as nothing arrives
TIMEOUT_SECONDS = 60  # without a byte
CHUNK_BYTES = 1 << 16
TRY_LATER = {408, 429}  # beside the server's own errors, from 500
REMEDY = "put the path of a copy of your own into the config instead of the URL"  # of a score file
TERMS = {
    "msmarco": "MS MARCO is for non-commercial research only; whoever downloads it has agreed to its terms, "
    "https://microsoft.github.io/msmarco/"
}
BROKEN_OFF = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class ServerTrouble(requests.ConnectionError):
    """An answer that may be another one later."""


def fetch_file(
    *,
    url: str,
    md5: str | None,
    path: str | Path,
    waits: tuple[float, ...] = WAITS,
    headers: dict[str, str] | None = None,
    remedy: str = REMEDY,
) -> None:
    """Download a file and check its md5, if it is known.

    What has arrived stays in a hidden folder beside `path` and is continued by another try or another run. `headers`
    are what the server wants to be told, `remedy` what to do where it cannot be reached.
    """
    path = Path(path)
    parts = parts_folder(path, [], url=url)
    content = parts / "content"
    failures = 0
    while True:
        before = size_of(content)
        try:
            fetch_rest(url, content, headers or {}, remedy, is_checked=md5 is not None)
            break
        except BROKEN_OFF as error:
            failures = 1 if size_of(content) > before else failures + 1
            if failures > len(waits):
                kept = f" after {size_of(content):,} bytes, which are kept" if size_of(content) else ""
                raise ConnectionError(
                    f"{url}: the download failed ({reason(error)}){kept}; check the network and run again, or {remedy}."
                ) from error
            logger.warning("%s: broke off at %s bytes (%s); trying again", url, f"{size_of(content):,}", reason(error))
            time.sleep(waits[failures - 1])
    found = md5_of(content)
    if md5 not in (None, found):
        remove(parts)
        raise ValueError(f"{url}: the md5 of what was downloaded is {found}, expected {md5}; correct it or run again.")
    logger.info("%s: %s bytes, md5 %s", url, f"{size_of(content):,}", found)
    content.replace(path)
    remove(parts)


def terms_of(name: str) -> list[str]:
    """What whoever downloads something agrees to, by what its id or URL has in it."""
    return [terms for part, terms in TERMS.items() if part in name]


def bytes_kept(path: str | Path, url: str) -> int:
    """What an earlier try has left of a download."""
    parts = parts_folder(path, [], url=url)
    kept = size_of(parts / "content")
    if not kept:
        remove(parts)
    return kept


def fetch_rest(url: str, content: Path, more_headers: dict[str, str], remedy: str, is_checked: bool) -> None:
    """Append what is missing of the file; fetch all of it where the server has no parts, or another file by now.

    All of it, too, where nothing would tell that the parts are of two files: no name for what was sent, and no check of
    the whole.
    """
    version = content.with_name("version")  # the server's name for what it sent, to be told from what it has now
    if not (is_checked or version.exists()):
        remove(content)
    have = size_of(content)
    headers = {"Accept-Encoding": "identity", **more_headers}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version.exists():
            headers["If-Range"] = version.read_text()
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        extent = response.headers.get("Content-Range", "")
        if response.status_code == 416 and extent == f"bytes */{have}":
            return  # nothing is missing
        if response.status_code == 416 or (response.status_code == 206 and not extent.startswith(f"bytes {have}-")):
            remove(content)
            raise ServerTrouble("the server sent another part than was asked for")
        check_status(url, response, remedy)
        if response.status_code != 206:
            have = 0
            remove(content)  # also before asking for room
            version.unlink(missing_ok=True)
            if name := version_of(response):
                version.write_text(name)
        left = int(response.headers.get("Content-Length", 0))
        check_room(content.parent, left, url)
        meter = ProgressMeter(total=have + left, unit="bytes", start=have)
        with open(content, "ab") as file:
            for chunk in stored_bytes(response):
                write_chunk(file, chunk, url)
                meter.advance(len(chunk))


def write_chunk(file: BinaryIO, chunk: bytes, url: str) -> None:
    """Write some bytes of a download; a disk that is full meanwhile is one sentence."""
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise OSError(
            f"{url}: what has arrived could not be written to {file.name} ({error.strerror}); make room and run again, "
            "which continues the download."
        ) from error


def stored_bytes(response: requests.Response) -> Iterator[bytes]:
    """The bytes as the server keeps them: some call the gzip of a .gz file an encoding, which requests would undo."""
    try:
        yield from response.raw.stream(CHUNK_BYTES, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def check_room(folder: str | Path, needed: int, what: str) -> None:
    """Stop before the first byte of what the disk of a folder has no room for."""
    folder = Path(folder)
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise OSError(
            f"{what}: needs {gigabytes(needed)} on the disk of {folder}, which has {gigabytes(free)} left; make room "
            "and run again."
        )


def gigabytes(count: int) -> str:
    """A number of bytes for people: `8.01 GB`."""
    return f"{count / 1e9:,.2f} GB"


def check_status(url: str, response: requests.Response, remedy: str) -> None:
    """Stop where another try would bring the same answer."""
    status = response.status_code
    if status >= 500 or status in TRY_LATER:
        raise ServerTrouble(f"the server answers {status} {response.reason}")
    if status >= 400:
        raise ValueError(f"{url}: the server answers {status} {response.reason}; {remedy}.")


def reason(error: requests.RequestException) -> str:
    """Why a try failed, in few words: those of requests are many."""
    return str(error) if isinstance(error, ServerTrouble) else type(error).__name__


def version_of(response: requests.Response) -> str | None:
    """What `If-Range` can name: the file's ETag, unless it is a weak one, or the time of its last change."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag


def size_of(path: Path) -> int:
    """Bytes of a file, 0 if it is not there."""
    return path.stat().st_size if path.exists() else 0


def md5_of(path: str | Path) -> str:
    """md5 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
