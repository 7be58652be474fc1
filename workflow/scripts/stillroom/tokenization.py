"""From texts to token ids, once per corpus and encoder."""

import json
import logging
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

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
    lengths = []
    with atomic_path(tokens_folder) as folder:
        folder.mkdir()
        with open(folder / "ids.bin", "wb") as file:
            for batch in passages.iter_batches(BATCH_TEXTS, columns=["text"]):
                for ids in token_ids(tokenizer, batch.column("text").to_pylist()):
                    file.write(np.asarray(ids, dtype).tobytes())
                    lengths.append(len(ids))
                meter.advance(len(batch))
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        np.save(folder / "offsets.npy", offsets)
        facts = {
            "passages": len(lengths),
            "tokens": int(offsets[-1]),
            "dtype": dtype.str,
            "weights": weights,
        }
        (folder / "tokens.json").write_text(json.dumps(facts, indent=2) + "\n")
    meter.finish()
    logger.info("%s tokens, %.1f per passage", f"{facts['tokens']:,}", facts["tokens"] / max(1, len(lengths)))


def tokenize_queries(tokenizer, queries_path: str | Path) -> Tokens:
    """The token ids of a query set, in memory, in the order of queries.parquet."""
    ids = token_ids(tokenizer, pq.read_table(queries_path, columns=["text"])["text"].to_pylist())
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids], dtype=np.int64)])
    return Tokens(np.fromiter((token for row in ids for token in row), np.int32, int(offsets[-1])), offsets)


def token_ids(tokenizer, texts: list[str]) -> list[list[int]]:
    """Untruncated ids without special tokens."""
    if not texts:
        return []
    return tokenizer(texts, add_special_tokens=False, truncation=False, return_attention_mask=False)["input_ids"]
