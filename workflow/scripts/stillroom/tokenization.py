"""From texts to token ids, once per corpus and encoder."""

import json
import logging
from itertools import chain
from pathlib import Path

import numpy as np

from stillroom.encoders import load_tokenizer
from stillroom.files import atomic_path
from stillroom.log import ProgressMeter
from stillroom.parquet import open_parquet
from stillroom.token_store import Tokens

logger = logging.getLogger(__name__)

BATCH_TEXTS = 10_000


def tokenize_passages(
    *, passages_path: str | Path, weights: str, revision: str | None, tokens_folder: str | Path
) -> None:
    """Write the token store of a corpus: ids.bin (row after row), offsets.npy, tokens.json; streamed."""
    tokenizer = load_tokenizer(weights, revision)
    dtype = np.dtype("<u2" if len(tokenizer) <= 1 << 16 else "<u4")
    passages = open_parquet(passages_path)
    meter = ProgressMeter(total=passages.metadata.num_rows, unit="passages tokenized")
    lengths = [np.empty(0, np.int32)]
    with atomic_path(tokens_folder) as folder:
        folder.mkdir()
        with open(folder / "ids.bin", "wb") as file:
            for batch in passages.iter_batches(BATCH_TEXTS, columns=["text"]):
                ids, counts = token_ids(tokenizer, batch["text"].to_pylist(), dtype)
                file.write(ids.tobytes())
                lengths.append(counts)
                meter.advance(len(batch))
        offsets = offsets_of(np.concatenate(lengths))
        np.save(folder / "offsets.npy", offsets)
        facts = {
            "passages": len(offsets) - 1,
            "tokens": int(offsets[-1]),
            "dtype": dtype.str,
            "weights": weights,
        }
        (folder / "tokens.json").write_text(json.dumps(facts, indent=2) + "\n")
    meter.finish()
    logger.info("%s tokens, %.1f per passage", f"{facts['tokens']:,}", facts["tokens"] / max(1, facts["passages"]))


def tokenize_queries(tokenizer, queries_path: str | Path) -> Tokens:
    """The token ids of a query set, in memory, in the order of queries.parquet."""
    batches = open_parquet(queries_path).iter_batches(BATCH_TEXTS, columns=["text"])
    found = [token_ids(tokenizer, batch["text"].to_pylist(), np.dtype(np.int32)) for batch in batches]
    ids, lengths = zip(*found, strict=True) if found else ([np.empty(0, np.int32)], [np.empty(0, np.int32)])
    return Tokens(np.concatenate(ids), offsets_of(np.concatenate(lengths)))


def token_ids(tokenizer, texts: list[str], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Untruncated ids of texts without special tokens, one text after the other, and how many each has."""
    if not texts:
        return np.empty(0, dtype), np.empty(0, np.int32)
    ids = tokenizer(texts, add_special_tokens=False, truncation=False, return_attention_mask=False)["input_ids"]
    lengths = np.fromiter(map(len, ids), np.int32, len(ids))
    return np.fromiter(chain.from_iterable(ids), dtype, int(lengths.sum())), lengths


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Where each text begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
