"""Scores of training triples by one ranker: every distinct (query, passage) pair once.

Many pairs are cut into shards, which may be scored side by side.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.candidates import run_rows
from stillroom.files import atomic_path, parts_folder, remove_parts
from stillroom.gpu_memory import memory_checked
from stillroom.inference import DEFAULT, Inference, ranker_at_work
from stillroom.ranker import Ranker, model_files
from stillroom.scoring import SCORES, append_scores, score_pairs_resumably
from stillroom.shards import rows_of_shard
from stillroom.token_store import open_tokens
from stillroom.tokenization import tokenize_queries
from stillroom.triples import pair_keys, read_triples

logger = logging.getLogger(__name__)

PAIR_SCORES = pa.schema({"query": pa.int32(), "passage": pa.int32(), "score": pa.float32()})
BATCH_PAIRS = 1 << 20


@memory_checked()
def score_triples(
    *,
    model_folder: str | Path,
    triples_path: str | Path,
    queries_path: str | Path,
    tokens_folder: str | Path,
    triples_scores_path: str | Path,
    threads: int,
    code: str,
    inference: Inference = DEFAULT,
    **candidates: str | Path,
) -> None:
    """Write query, passage (row numbers) and score of the triples' distinct pairs, and of the `candidates`.

    These are the other paths of `score_candidates`. An interrupted scoring is resumed by the same `code` (a digest)
    from the same inputs.
    """
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    inputs = [*model_files(model_folder), Path(tokens_folder) / "ids.bin", queries_path, triples_path]
    parts = parts_folder(triples_scores_path, inputs, code=code, **inference.facts)
    keys = distinct_pairs(triples_path)
    score_keys(model, keys, queries_path, tokens_folder, parts / SCORES)
    score_candidates(model, model_folder, tokens_folder, code=code, **inference.facts, **candidates)
    write_pair_scores(triples_scores_path, keys, np.fromfile(parts / SCORES, np.float32))
    remove_parts(triples_scores_path)  # last: what a job that is killed has written is not kept


@memory_checked()
def score_shard(
    *,
    model_folder: str | Path,
    triples_path: str | Path,
    queries_path: str | Path,
    tokens_folder: str | Path,
    scores_path: str | Path,
    shard: int,
    shards: int,
    threads: int,
    code: str,
    inference: Inference = DEFAULT,
) -> None:
    """Write the float32 scores of one of so many shards, counted from 1, of the triples' distinct pairs.

    One after the other and nothing else; resumes as `score_triples`.
    """
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    inputs = [*model_files(model_folder), Path(tokens_folder) / "ids.bin", queries_path, triples_path]
    parts = parts_folder(scores_path, inputs, code=code, **inference.facts, shards=shards)
    keys = distinct_pairs(triples_path)
    rows = rows_of_shard(len(keys), shard, shards)
    score_keys(model, keys[rows.start : rows.stop], queries_path, tokens_folder, parts / SCORES)
    (parts / SCORES).replace(scores_path)
    remove_parts(scores_path)


@memory_checked()
def join_pair_scores(
    *,
    model_folder: str | Path,
    triples_path: str | Path,
    scores_paths: Sequence[str],
    tokens_folder: str | Path,
    triples_scores_path: str | Path,
    threads: int,
    code: str,
    inference: Inference = DEFAULT,
    **candidates: str | Path,
) -> None:
    """As `score_triples`, with the scores of all shards in their order."""
    keys = distinct_pairs(triples_path)
    scores = np.concatenate([np.fromfile(path, np.float32) for path in scores_paths])
    if len(keys) != len(scores):
        raise ValueError(
            f"{Path(scores_paths[0]).parent}: expected {len(keys):,} scores, found {len(scores):,}; delete the folder "
            "and run again."
        )
    write_pair_scores(triples_scores_path, keys, scores)
    model = ranker_at_work(model_folder, threads=threads, inference=inference)
    score_candidates(model, model_folder, tokens_folder, code=code, **inference.facts, **candidates)


def score_keys(
    model: Ranker, keys: np.ndarray, queries_path: str | Path, tokens_folder: str | Path, path: Path
) -> None:
    """Append the scores of the pairs of some keys (see `distinct_pairs`) to a growing file, in their order."""
    queries, passages = tokenize_queries(model.tokenizer, queries_path), open_tokens(tokens_folder)
    append_scores(model, queries, passages, *query_and_passage(keys), path)


def score_candidates(
    model: Ranker,
    model_folder: str | Path,
    tokens_folder: str | Path,
    *,
    validation_queries_path: str | Path,
    validation_run_path: str | Path,
    passages_path: str | Path,
    validation_scores_path: str | Path,
    **facts: str,
) -> None:
    """Write query, passage and score of every line of the validation run, in its order; the facts are of its parts."""
    query_rows, passage_rows = run_rows(
        run_path=validation_run_path, queries_path=validation_queries_path, passages_path=passages_path
    )
    queries, passages = tokenize_queries(model.tokenizer, validation_queries_path), open_tokens(tokens_folder)
    inputs = [
        *model_files(model_folder),
        Path(tokens_folder) / "ids.bin",
        validation_queries_path,
        validation_run_path,
    ]
    parts = parts_folder(validation_scores_path, inputs, **facts)
    scores = score_pairs_resumably(model, queries, passages, query_rows, passage_rows, parts=parts)
    columns = [query_rows.astype(np.int32), passage_rows.astype(np.int32), scores]
    with atomic_path(validation_scores_path) as unfinished:
        pq.write_table(pa.table(columns, schema=PAIR_SCORES), unfinished)
    remove_parts(validation_scores_path)


def write_pair_scores(path: str | Path, keys: np.ndarray, scores: np.ndarray) -> None:
    """Write the scores of the pairs of `distinct_pairs`, ordered by query, then by passage; in a stream."""
    order = np.argsort(pair_keys(*query_and_passage(keys)))
    with atomic_path(path) as unfinished, pq.ParquetWriter(unfinished, PAIR_SCORES) as writer:
        for start in range(0, max(1, len(order)), BATCH_PAIRS):
            rows = order[start : start + BATCH_PAIRS]
            writer.write_table(pa.table([*query_and_passage(keys[rows]), scores[rows]], schema=PAIR_SCORES))


def distinct_pairs(triples_path: str | Path) -> np.ndarray:
    """Keys of the distinct pairs of the triples, ordered by passage, then by query.

    A relevant passage recurs in many triples. By passage, so that what represents texts apart does so once.
    """
    triples = read_triples(triples_path)
    keys = np.concatenate([pair_keys(passage, triples.query) for passage in (triples.positive, triples.negative)])
    keys.sort()  # in place: np.unique would make copies
    is_first = np.ones(len(keys), bool)
    is_first[1:] = keys[1:] != keys[:-1]
    keys = keys[is_first]
    logger.info("%s distinct pairs in %s triples", f"{len(keys):,}", f"{len(triples.query):,}")
    return keys


def query_and_passage(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32 row numbers of the queries and the passages of keys of `distinct_pairs`."""
    return (keys & 0xFFFFFFFF).astype(np.int32), (keys >> 32).astype(np.int32)
