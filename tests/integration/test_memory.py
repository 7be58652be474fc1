"""Steps that large collections go through need no more memory for four times the data.

Blocks are made small, so that both sizes have many of them. What is kept of every query or passage by design (its id,
its values) is a hundredth of the data, which are 30 MB larger in the second run; the data themselves, read at once, are
several times as large in memory as on disk.
"""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom.peak_memory import peak_memory
from stillroom.runs import write_qrels
from stillroom.vectors import VectorWriter

ALLOWED = 9_000_000  # bytes between the two sizes
RANDOM = np.random.default_rng(14)


@pytest.fixture
def growth(tmp_path, monkeypatch):
    """A function that measures a function's memory for made-up data of one size and of four times that size.

    With the C library's allocator: Arrow's own keeps some tens of megabytes of what was freed.
    """
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")

    def growth(function, make, constants):
        peaks = []
        for times in (1, 4):
            folder = tmp_path / str(times)
            folder.mkdir()
            arguments = make(folder, times)
            peaks.append(peak_memory(function, constants, **arguments))
        return peaks[1] - peaks[0]

    return growth


def write_ids(path, key, count, text="A text of some words that nobody reads, " * 7):
    """Ids and texts, in small groups of rows."""
    ids = pa.array(np.arange(count).astype(str))
    texts = pa.array([f"{text}{number}." for number in range(count)])
    pq.write_table(pa.table({key: ids, "text": texts}), path, row_group_size=2_000, compression="none")
    return path


def test_what_a_function_takes_is_seen_and_what_it_raises(tmp_path):
    taken = peak_memory(hashlib.scrypt, password=b"", salt=b"", n=1 << 16, r=8, p=4, maxmem=1 << 28)
    assert taken == pytest.approx(128 * 8 * (1 << 16), rel=0.1)  # 128 r n bytes, by its design (RFC 7914)
    with pytest.raises(RuntimeError, match=r"loads failed: JSONDecodeError\("):
        peak_memory(json.loads, s="{")


def test_measuring_a_run(growth):
    from stillroom.measures import measure

    def make(folder, times):
        queries, depth = 1_500 * times, 200
        with open(folder / "run.trec", "w") as file:
            for query in range(queries):
                file.writelines(f"{query} Q0 {query * 7 + rank} {rank} {-rank}.5 tag\n" for rank in range(1, depth + 1))
        write_qrels(folder / "qrels.txt", [(str(query), str(query * 7 + 3), 1) for query in range(queries)])
        return {
            "run_path": folder / "run.trec",
            "qrels_path": folder / "qrels.txt",
            "queries_path": write_ids(folder / "queries.parquet", "query_id", queries),
            "passages_path": write_ids(folder / "passages.parquet", "passage_id", queries),
            "system": "bm25",
            "test_set": "dev",
            "measures": ["RR@10"],
            "min_relevance": 1,
            "metrics_path": folder / "metrics.json",
        }

    assert growth(measure, make, {"stillroom.runs.BLOCK_BYTES": 1 << 18}) < ALLOWED


def test_searching_exactly(growth):
    from stillroom.indexes import build_index, retrieve

    def make(folder, times):
        passages, dimensions = 20_000 * times, 128
        with VectorWriter(folder / "passages.faiss", passages, dimensions) as writer:
            for _ in range(20 * times):
                writer.write(RANDOM.normal(size=(1_000, dimensions)))
        np.save(folder / "queries.npy", RANDOM.normal(size=(50 * times, dimensions)).astype(np.float32))
        build_index(
            vectors_path=folder / "passages.faiss",
            passages_path=write_ids(folder / "passages.parquet", "passage_id", passages),
            factory="Flat",
            ef_construction=None,
            index_folder=folder / "index",
            threads=1,
        )
        return {
            "index_folder": folder / "index",
            "vectors_path": folder / "queries.npy",
            "queries_path": write_ids(folder / "queries.parquet", "query_id", 50 * times),
            "run_path": folder / "run.trec",
            "depth": 100,
            "drop_own_passage": False,
            "parameters": {},
            "tag": "exact",
            "threads": 1,
        }

    small = {"BLOCK_PASSAGES": 2_000, "BLOCK_QUERIES": 50, "BYTES_OF_QUERIES": 200_000}
    assert growth(retrieve, make, {f"stillroom.exact_search.{name}": size for name, size in small.items()}) < ALLOWED


def test_tokenizing_passages(growth, tiny_encoder):
    from stillroom.tokenization import tokenize_passages

    def make(folder, times):
        sparse = f"Few words {' ' * 1_200}"  # as large as others, and quick to tokenize
        return {
            "passages_path": write_ids(folder / "passages.parquet", "passage_id", 4_000 * times, sparse),
            "weights": str(tiny_encoder),
            "revision": None,
            "tokens_folder": folder / "tokens",
        }

    assert growth(tokenize_passages, make, {"stillroom.tokenization.BATCH_TEXTS": 500}) < ALLOWED


def test_auditing_triples(growth):
    from stillroom.audit import audit_triples

    def make(folder, times):
        queries, passages, triples = 2_000 * times, 20_000 * times, 400_000 * times
        columns = [RANDOM.integers(0, count, triples) for count in (queries, passages, passages)]
        table = pa.table([pa.array(column, pa.int32()) for column in columns], ["query", "positive", "negative"])
        pq.write_table(table, folder / "triples.parquet", row_group_size=20_000)
        write_qrels(folder / "qrels.txt", [(str(query), str(query), 1) for query in range(queries)])
        return {
            "triples_path": folder / "triples.parquet",
            "queries_path": write_ids(folder / "queries.parquet", "query_id", queries),
            "passages_path": write_ids(folder / "passages.parquet", "passage_id", passages),
            "qrels_path": folder / "qrels.txt",
            "audit_path": folder / "audit.csv",
        }

    small = {
        "stillroom.audit.BATCH_TEXTS": 2_000,
        "stillroom.query_ranges.BLOCK_ROWS": 20_000,
        "stillroom.query_ranges.ROWS_PER_RANGE": 50_000,
        "stillroom.triples.BLOCK_TRIPLES": 20_000,
    }
    assert growth(audit_triples, make, small) < ALLOWED


@pytest.mark.slow  # three gigabytes of one text
def test_taking_more_than_two_gigabytes_needs_such_offsets():
    text = "x" * (3 << 28)
    rows = pa.array([0, 0, 0])
    with pytest.raises(pa.ArrowInvalid):
        pa.array([text], pa.string()).take(rows)
    assert pa.array([text], pa.large_string()).take(rows).nbytes > 1 << 31
