"""What a sample of a collection must not lack: passages that are judged, and those of the triples to train on."""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.collections.datasets import drawn_queries, numbered, open_dataset, require
from stillroom.files import atomic_path
from stillroom.score_files import read_blocks

logger = logging.getLogger(__name__)


def choose_passages(
    *,
    judged: list[str],
    drawn: list[tuple[str, int]],
    pairs: list[tuple[str, int | None]],
    score_files: list[str],
    triples: list[int | None],
    kept_path: str | Path,
) -> None:
    """Write the ids of passages that datasets judge, and of the first triples of datasets (`pairs`) and of score files.

    `drawn` says for how many queries of a dataset its judgements count, `pairs` and `triples` how many triples of each
    do; None is all of them.
    """
    kept = set()
    for dataset_id in judged:
        add(kept, judged_passages(dataset_id), f"judged in {dataset_id}")
    for dataset_id, count in drawn:
        add(kept, judged_passages(dataset_id, count), f"judged for {count:,} queries of {dataset_id}")
    for dataset_id, count in pairs:
        add(kept, passages_of_pairs(dataset_id, count), f"in triples of {dataset_id}")
    for path, count in zip(score_files, triples, strict=True):
        add(kept, passages_of_scores(path, count), f"in triples of {path}")
    with atomic_path(kept_path) as path:
        pq.write_table(pa.table({"passage_id": pa.array(sorted(kept), pa.string())}), path)


def add(kept: set[str], passage_ids: Iterator[str], why: str) -> None:
    """Keep these as well, and log how many more they are."""
    before = len(kept)
    kept.update(passage_ids)
    logger.info("%s passages more, %s", f"{len(kept) - before:,}", why)


def judged_passages(dataset_id: str, count: int | None = None) -> Iterator[str]:
    """The passages that a dataset judges, with whatever grade; for so many queries, drawn as everywhere, if given."""
    with open_dataset(dataset_id) as dataset:
        require(dataset, dataset_id, "qrels")
        found = numbered(dataset.qrels_iter(), f"dataset {dataset_id}: judgement")
        judgements = [(qrel.query_id, qrel.doc_id) for qrel in found]
    queries = {query_id for query_id, _ in judgements}
    wanted = queries if count is None else drawn_queries(queries, count)
    return (passage_id for query_id, passage_id in judgements if query_id in wanted)


def passages_of_pairs(dataset_id: str, count: int | None) -> Iterator[str]:
    """The passages of a dataset's first triples."""
    with open_dataset(dataset_id) as dataset:
        require(dataset, dataset_id, "docpairs")
        for pair in islice(numbered(dataset.docpairs_iter(), f"dataset {dataset_id}: triple"), count):
            yield from (pair.doc_id_a, pair.doc_id_b)


def passages_of_scores(path: str | Path, count: int | None) -> Iterator[str]:
    """The passages of a score file's first triples."""
    for block in read_blocks(path):
        for name in ("pos_id", "neg_id"):
            yield from block[name][:count].to_pylist()
        if count is not None and (count := count - len(block)) <= 0:
            return
