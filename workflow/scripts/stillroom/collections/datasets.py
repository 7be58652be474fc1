"""Any ir_datasets id as files of ours: passages, queries, qrels."""

import difflib
import fcntl
import hashlib
import json
import logging
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import ir_datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests
from ir_datasets.datasets.beir import BeirQrels
from ir_datasets.datasets.msmarco_passage import FixEncoding
from ir_datasets.formats import GenericDoc

from stillroom.files import atomic_path
from stillroom.log import ProgressMeter
from stillroom.runs import write_qrels

logger = logging.getLogger(__name__)

BATCH_PASSAGES = 10_000
PASSAGES = pa.schema({"passage_id": pa.string(), "text": pa.string()})
QUERIES = pa.schema({"query_id": pa.string(), "text": pa.string()})
# What ir_datasets' readers raise at files that are broken or of another format.
UNREADABLE = (
    AssertionError, EOFError, KeyError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError, tarfile.TarError,
    zipfile.BadZipFile,
)  # fmt: skip


@contextmanager
def open_dataset(dataset_id: str) -> Iterator[ir_datasets.Dataset]:
    """The dataset, while this process alone reads and writes the folder of ir_datasets, which has no lock itself."""
    home = ir_datasets.util.home_path()
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".stillroom.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # By name: no edit of the embedded collection shall count as an edit of what fetches the others.
        import_module("stillroom.collections.pydocs").register_pydocs()
        try:
            dataset = ir_datasets.load(dataset_id)
        except KeyError:
            near = difflib.get_close_matches(dataset_id, list(ir_datasets.registry), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see the catalogue at ir-datasets.com."
            raise ValueError(f"dataset {dataset_id!r} is unknown to ir_datasets; {hint}") from None
        try:
            yield dataset
        except (requests.exceptions.RequestException, *UNREADABLE) as error:
            if isinstance(error, requests.exceptions.RequestException) or "All download sources failed" in error.args:
                raise ConnectionError(
                    f"dataset {dataset_id}: the download failed ({type(error).__name__}); check the network, or put "
                    f"the files into {home} (IR_DATASETS_HOME) by hand and run again."
                ) from None
            raise ValueError(
                f"dataset {dataset_id}: a file in {home} cannot be read ({type(error).__name__}: {error}); "
                "delete it and run again."
            ) from error


def fetch_collection(*, dataset_id: str, text: str, passages: int | None, passages_path: str | Path) -> None:
    """Write passage_id and text of every passage, streamed; `passages` is the number that there must be, if known.

    Titles are joined to texts as ir_datasets' `default_text` does. `text` is `repaired` or `raw`: MS MARCO's file
    has broken characters, which ir_datasets repairs.
    """
    with open_dataset(dataset_id) as dataset, atomic_path(passages_path) as path:
        require(dataset, dataset_id, "docs")
        documents = raw_documents(dataset, dataset_id) if text == "raw" else dataset.docs_iter()
        meter = ProgressMeter(total=passages or dataset.docs_count() or 0, unit="passages read")
        with pq.ParquetWriter(path, PASSAGES) as writer:
            for batch in batches(numbered(documents, f"dataset {dataset_id}: passage"), BATCH_PASSAGES):
                columns = [[doc.doc_id for doc in batch], [doc.default_text() for doc in batch]]
                writer.write_table(pa.table(columns, schema=PASSAGES))
                meter.advance(len(batch))
        meter.finish()
        check_passages(path, dataset_id, passages)


def check_passages(path: Path, dataset_id: str, expected: int | None) -> None:
    """Stop when the number of passages is not the expected one, or an id occurs twice."""
    ids = pq.read_table(path, columns=["passage_id"])["passage_id"]
    if expected is not None and len(ids) != expected:
        raise ValueError(
            f"dataset {dataset_id}: expected {expected:,} passages, found {len(ids):,}. "
            "The download is incomplete; delete it and run again."
        )
    if not len(ids):
        raise ValueError(f"dataset {dataset_id}: expected passages, found none.")
    distinct = pc.count_distinct(ids).as_py()
    if distinct != len(ids):
        raise ValueError(f"dataset {dataset_id}: {len(ids) - distinct:,} of {len(ids):,} passage ids occur twice.")


def fetch_queries(
    *,
    dataset_id: str,
    corpus_dataset_id: str,
    without: list[str],
    queries: int | None,
    passages_path: str | Path,
    queries_path: str | Path,
    qrels_path: str | Path,
) -> None:
    """Write the queries of a dataset and their judgements.

    Queries of the datasets in `without` are left out; with `queries`, only so many are kept, those with the smallest
    digest of their id: the same ones on every machine.
    """
    left_out = set()
    for other in without:
        with open_dataset(other) as dataset:
            require(dataset, other, "queries")
            left_out |= {query.query_id for query in dataset.queries_iter()}
    with open_dataset(dataset_id) as dataset:
        require(dataset, dataset_id, "queries", "qrels")
        corpus_id = ir_datasets.docs_parent_id(dataset_id)
        if corpus_id != corpus_dataset_id:
            raise ValueError(
                f"dataset {dataset_id} has the passages of {corpus_id}, "
                f"but its corpus in the config is {corpus_dataset_id}."
            )
        header_lines = int(isinstance(dataset.qrels_handler(), BeirQrels))
        judgements = [  # before the queries: ir_datasets selects some sets' queries by their judgements
            (qrel.query_id, qrel.doc_id, qrel.relevance)
            for qrel in numbered(dataset.qrels_iter(), f"{dataset.qrels_path()}: line", header_lines)
        ]
        queries_read = numbered(dataset.queries_iter(), f"dataset {dataset_id}: query")
        found = [(query.query_id, query.default_text()) for query in queries_read]
    judged = {query_id for query_id, _, _ in judgements}
    kept = [(query_id, text) for query_id, text in found if query_id not in left_out]
    if queries is not None:
        drawn = sorted((id_digest(query_id), query_id) for query_id, _ in kept if query_id in judged)[:queries]
        keep = {query_id for _, query_id in drawn}
        kept = [(query_id, text) for query_id, text in kept if query_id in keep]
    if not kept:
        raise ValueError(f"dataset {dataset_id}: no queries are left of {len(found):,}.")
    ids = {query_id for query_id, _ in kept}
    logger.info("%s: %d of %d queries, %d of them judged", dataset_id, len(kept), len(found), len(ids & judged))
    judgements = [row for row in judgements if row[0] in ids]
    report_unknown_passages(judgements, passages_path, dataset_id)
    with atomic_path(queries_path) as path:
        pq.write_table(pa.table([list(column) for column in zip(*kept, strict=True)], schema=QUERIES), path)
    write_qrels(qrels_path, judgements)


def report_unknown_passages(judgements: list[tuple], passages_path: str | Path, dataset_id: str) -> None:
    """Log how many judged passages the collection lacks: they stay in the qrels and can never be found."""
    judged = pa.array({passage_id for _, passage_id, _ in judgements})
    ids = pq.read_table(passages_path, columns=["passage_id"])["passage_id"]
    unknown = len(judged) - pc.sum(pc.is_in(judged, value_set=ids)).as_py()
    if unknown:
        logger.warning(
            "%s: %d of %d judged passages are not in the collection; no system can find them",
            dataset_id, unknown, len(judged),
        )  # fmt: skip


def raw_documents(dataset: ir_datasets.Dataset, dataset_id: str) -> Iterable:
    """The passages with the broken characters of the original file."""
    repaired = getattr(getattr(dataset.docs_handler(), "_dlc", None), "_streamer", None)
    if not isinstance(repaired, FixEncoding):
        raise ValueError(f"dataset {dataset_id}: `text: raw` is known for MS MARCO passages only; use `repaired`.")
    return tab_separated(repaired._streamer)


def tab_separated(streamer) -> Iterator[GenericDoc]:
    """The id and text of every line of a stream that can only be read forwards."""
    with streamer.stream() as stream:
        for line in stream:
            yield GenericDoc(*line.decode().removesuffix("\n").split("\t"))


def require(dataset: ir_datasets.Dataset, dataset_id: str, *entities: str) -> None:
    """Stop when the dataset lacks docs, queries, qrels or docpairs."""
    for entity in entities:
        if not dataset.has(ir_datasets.EntityType(entity)):
            raise ValueError(f"dataset {dataset_id} has no {entity}; choose an ir_datasets id that has them.")


def numbered(items: Iterable, where: str, before: int = 0) -> Iterator:
    """The items; an unreadable one stops with its number: `…/qrels: line 7: expected 4 columns, got 3`.

    `before` is the number of lines before the first item.
    """
    number, iterator = before, iter(items)
    while True:
        number += 1
        try:
            item = next(iterator)
        except StopIteration:
            return
        except (RuntimeError, ValueError, TypeError) as error:  # what ir_datasets' readers raise
            raise ValueError(f"{where} {number:,}: {error}.") from error
        yield item


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Lists of `size` items, the last one shorter."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def id_digest(identifier: str) -> bytes:
    """A stable digest, for draws that do not depend on order, machine or library."""
    return hashlib.sha256(identifier.encode()).digest()
