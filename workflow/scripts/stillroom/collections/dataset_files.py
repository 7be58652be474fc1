"""The files behind an ir_datasets id, fetched before anything reads them: resumed, checked, and with room on the disk.

ir_datasets would fetch them while it reads, and from their beginning each time. Its own catalogue says where they are,
how large they are and what their md5 is. Files that are there already are taken as they are.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ir_datasets
from ir_datasets.util.download import Download, LocalDownload, RequestsDownload

from stillroom.collections.catalogue import downloads_behind, place_of
from stillroom.collections.datasets import open_dataset, raw_source
from stillroom.downloads import WAITS, bytes_kept, check_room, fetch_file, gigabytes, size_of, terms_of
from stillroom.files import write_json

logger = logging.getLogger(__name__)

# What is read of a dataset, by the name of the file that says that it is there.
PARTS = {"docs": ["docs"], "raw": ["docs"], "queries": ["queries", "qrels"], "docpairs": ["docpairs"]}
# A compressed file takes so many times its size: text unpacks to about three times (MS MARCO: 2.9), beside it.
COMPRESSED, UNPACKED = (".gz", ".zip", ".bz2", ".lz4"), 4


class DatasetFile(NamedTuple):
    """A file of ir_datasets' catalogue, and where ir_datasets looks for it."""

    urls: list[str]  # the first, and mirrors
    headers: dict[str, str]
    md5: str | None
    size: int  # bytes as the catalogue has them, 0 if it does not say
    path: Path
    terms: str | None  # that whoever downloads it agrees to


def download_dataset(*, dataset_id: str, part: str, report_path: str | Path, waits: tuple[float, ...] = WAITS) -> None:
    """Fetch what is missing of a part of a dataset, and write which files these were."""
    with open_dataset(dataset_id) as dataset:
        files = missing_files(dataset, dataset_id, part)
        if files:
            log_terms(dataset_id, files)
            check_room(ir_datasets.util.home_path(), sum(map(bytes_needed, files)), f"dataset {dataset_id}")
        for file in files:
            logger.info("%s: %s", file.urls[0], gigabytes(file.size) if file.size else "of unknown size")
            fetch_from_any(file, waits)
    if not files:
        logger.info("dataset %s: nothing to download", dataset_id)
    write_json(report_path, [{"url": file.urls[0], "md5": file.md5, "bytes": size_of(file.path)} for file in files])


def missing_files(dataset: ir_datasets.Dataset, dataset_id: str, part: str) -> list[DatasetFile]:
    """The files that a part of a dataset is read from, without those that are there; each once."""
    downloads = [download for source in sources(dataset, dataset_id, part) for download in downloads_behind(source)]
    files = {file.path: file for file in map(dataset_file, downloads) if file}
    return [file for path, file in files.items() if not path.exists()]


def sources(dataset: ir_datasets.Dataset, dataset_id: str, part: str) -> Iterator:
    """The objects of ir_datasets that read a part of a dataset; none where it has made a store of all passages."""
    for entity in PARTS[part]:
        handler = getattr(dataset, f"{entity}_handler", lambda: None)()  # the dataset may lack it: who reads it says so
        if part == "raw":
            yield raw_source(dataset, dataset_id)
        elif not (hasattr(handler, "docs_store") and handler.docs_store().built()):
            yield handler


def dataset_file(download: Download) -> DatasetFile | None:
    """What the catalogue says of a download; None for one that needs more than an address: ir_datasets fetches it."""
    mirrors = [mirror for mirror in download.mirrors if isinstance(mirror, RequestsDownload)]
    others = [mirror for mirror in download.mirrors if not isinstance(mirror, RequestsDownload | LocalDownload)]
    path = place_of(download)
    if not mirrors or others or path is None or any(mirror.auth or mirror.cookies for mirror in mirrors):
        return None
    urls, headers = [mirror.url for mirror in mirrors], mirrors[0].headers or {}
    return DatasetFile(urls, headers, download.expected_md5, download._size_hint or 0, path, download.dua)


def bytes_needed(file: DatasetFile) -> int:
    """What a file still takes on the disk, unpacked too."""
    compressed = file.urls[0].partition("?")[0].endswith(COMPRESSED)
    kept = sum(bytes_kept(file.path, url) for url in file.urls)
    return max(0, file.size * (UNPACKED if compressed else 1) - kept)


def fetch_from_any(file: DatasetFile, waits: tuple[float, ...]) -> None:
    """Fetch a file from its address or, where that fails, from a mirror."""
    for place, url in enumerate(file.urls, 1):
        headers = {"User-Agent": f"ir_datasets/{ir_datasets.__version__}", **(file.headers if place == 1 else {})}
        remedy = f"put the file at {file.path} by hand"
        try:
            fetch_file(url=url, md5=file.md5, path=file.path, waits=waits, headers=headers, remedy=remedy)
            return
        except (ConnectionError, ValueError) as error:
            if place == len(file.urls):
                raise
            logger.warning("%s; trying %s", str(error).rstrip("."), file.urls[place])


def log_terms(dataset_id: str, files: list[DatasetFile]) -> None:
    """Say under which terms the files come: in our words where there are any, else in those of the catalogue."""
    for terms in terms_of(dataset_id) or dict.fromkeys(file.terms for file in files if file.terms):
        logger.warning("%s", terms)
