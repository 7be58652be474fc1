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
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests
from ir_datasets.datasets.beir import BeirQrels
from ir_datasets.datasets.msmarco_passage import FixEncoding
from ir_datasets.formats import GenericDoc

from stillroom.collections.catalogue import use_local_copies
from stillroom.collections.samples import Sample
from stillroom.files import atomic_path
from stillroom.log import ProgressMeter
from stillroom.parquet import open_parquet
from stillroom.runs import write_qrels

logger = logging.getLogger(__name__)

BATCH_PASSAGES = 10_000
PASSAGES = pa.schema({"passage_id": pa.string(), "text": pa.string()})
TITLES = PASSAGES.append(pa.field("title", pa.string()))
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
        use_local_copies(dataset)
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


def fetch_collection(
    *,
    dataset_id: str,
    text: str,
    titles: bool,
    passages: int | None,
    sample: dict | None,
    kept_path: str | Path | None,
    passages_path: str | Path,
) -> None:
    """Write passage_id and text of every passage, streamed; `passages` is the number that there must be, if known.

    Titles are joined to texts as ir_datasets' `default_text` does; with `titles` they are a column as well. `text` is
    `repaired` or `raw`: MS MARCO's file has broken characters, which ir_datasets repairs. With a `sample`, only its
    passages are written, and those whose ids are in the file at `kept_path`; all are read and counted.
    """
    drawn = Sample.read(sample, kept_path) if sample else None
    with open_dataset(dataset_id) as dataset, atomic_path(passages_path) as path:
        require(dataset, dataset_id, "docs")
        documents = raw_documents(dataset, dataset_id) if text == "raw" else dataset.docs_iter()
        meter = ProgressMeter(total=passages or dataset.docs_count() or 0, unit="passages read")
        distinct = DistinctIds()
        with pq.ParquetWriter(path, TITLES if titles else PASSAGES) as writer:
            for batch in batches(numbered(documents, f"dataset {dataset_id}: passage"), BATCH_PASSAGES):
                distinct.add([doc.doc_id for doc in batch])
                taken = [doc for doc in batch if doc.doc_id in drawn] if drawn else batch
                writer.write_table(passages_table(taken, titles))
                meter.advance(len(batch))
        meter.finish()
        check_passages(distinct, dataset_id, passages)
        if drawn:
            written = pq.read_metadata(path).num_rows
            logger.warning("a sample: %s of %s passages", f"{written:,}", f"{distinct.read:,}")


def passages_table(documents: list, titles: bool) -> pa.Table:
    """Ids, texts and, if they are wanted, titles, empty where a collection has none."""
    columns = [[doc.doc_id for doc in documents], [doc.default_text() for doc in documents]]
    if titles:
        columns.append([getattr(doc, "title", None) or "" for doc in documents])
    return pa.table(columns, schema=TITLES if titles else PASSAGES)


class DistinctIds:
    """Whether ids repeat, at 8 bytes each: two different ones of millions share a hash of 64 bits once in a million."""

    def __init__(self):
        self.hashes = []

    def add(self, ids: list[str]) -> None:
        """Count some more."""
        self.hashes.append(pd.util.hash_array(np.array(ids, dtype=object), categorize=False))

    @property
    def read(self) -> int:
        """How many there are, repeated or not."""
        return sum(map(len, self.hashes))

    def repeated(self) -> int:
        """How many have been there before."""
        return self.read - len(np.unique(np.concatenate(self.hashes)))


def check_passages(ids: DistinctIds, dataset_id: str, expected: int | None) -> None:
    """Stop when the number of passages is not the expected one, or an id occurs twice."""
    if expected is not None and ids.read != expected:
        raise ValueError(
            f"dataset {dataset_id}: expected {expected:,} passages, found {ids.read:,}. The collection is incomplete; "
            f"delete its files in {ir_datasets.util.home_path() / dataset_id} and run again."
        )
    if not ids.read:
        raise ValueError(f"dataset {dataset_id}: expected passages, found none.")
    if repeated := ids.repeated():
        raise ValueError(f"dataset {dataset_id}: {repeated:,} of {ids.read:,} passage ids occur twice.")


def fetch_queries(
    *,
    dataset_id: str,
    corpus_dataset_id: str,
    without: list[str],
    left_out_paths: list[str],
    queries: int | None,
    expected: dict | None,
    passages_path: str | Path,
    queries_path: str | Path,
    qrels_path: str | Path,
) -> None:
    """Write the queries of a dataset and their judgements.

    Queries of the datasets in `without` and of the files at `left_out_paths` are left out; with `queries`, only so many
    are kept, those with the smallest digest of their id: the same ones on every machine. `expected` says how many
    queries and judgements there must be, if known.
    """
    left_out = {query_id for path in left_out_paths for query_id in pq.read_table(path)["query_id"].to_pylist()}
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
        keep = drawn_queries((query_id for query_id, _ in kept if query_id in judged), queries)
        kept = [(query_id, text) for query_id, text in kept if query_id in keep]
    if not kept:
        raise ValueError(f"dataset {dataset_id}: no queries are left of {len(found):,}.")
    ids = {query_id for query_id, _ in kept}
    logger.info("%s: %d of %d queries, %d of them judged", dataset_id, len(kept), len(found), len(ids & judged))
    judgements = [row for row in judgements if row[0] in ids]
    check_counts(expected or {}, {"queries": len(kept), "judgements": len(judgements)}, dataset_id)
    report_unknown_passages(judgements, passages_path, dataset_id)
    with atomic_path(queries_path) as path:
        pq.write_table(pa.table([list(column) for column in zip(*kept, strict=True)], schema=QUERIES), path)
    write_qrels(qrels_path, judgements)


def drawn_queries(query_ids: Iterable[str], count: int) -> set[str]:
    """So many queries, those with the smallest digest of their id."""
    return set(sorted(query_ids, key=id_digest)[:count])


def check_counts(expected: dict[str, int | None], found: dict[str, int], dataset_id: str) -> None:
    """Stop when there are not as many queries or judgements as there must be."""
    for what, count in found.items():
        if expected.get(what) not in (None, count):
            raise ValueError(
                f"dataset {dataset_id}: expected {expected[what]:,} {what}, found {count:,}. A file is incomplete, or "
                "other ones are left out; see `expected` and `without` in the config."
            )


def report_unknown_passages(judgements: list[tuple], passages_path: str | Path, dataset_id: str) -> None:
    """Log how many judged passages the collection lacks: they stay in the qrels and can never be found."""
    judged = pa.array({passage_id for _, passage_id, _ in judgements}, pa.string())
    ids = open_parquet(passages_path).iter_batches(columns=["passage_id"])
    known = sum(pc.sum(pc.is_in(batch["passage_id"], value_set=judged)).as_py() or 0 for batch in ids)
    if unknown := len(judged) - known:
        logger.warning(
            "%s: %d of %d judged passages are not in the collection; no system can find them",
            dataset_id, unknown, len(judged),
        )  # fmt: skip


def raw_documents(dataset: ir_datasets.Dataset, dataset_id: str) -> Iterable:
    """The passages with the broken characters of the original file."""
    return tab_separated(raw_source(dataset, dataset_id))


def raw_source(dataset: ir_datasets.Dataset, dataset_id: str):
    """The stream of the original file, which ir_datasets repairs."""
    repaired = getattr(getattr(dataset.docs_handler(), "_dlc", None), "_streamer", None)
    if not isinstance(repaired, FixEncoding):
        raise ValueError(f"dataset {dataset_id}: `text: raw` is known for MS MARCO passages only; use `repaired`.")
    return repaired._streamer


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
