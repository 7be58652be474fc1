"""Vectors of words from a text file in GloVe's format: a word and its numbers per line, separated by spaces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PADDING, UNKNOWN = "[PAD]", "[UNK]"


def word_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """A tokenizer of the file's words: text in lower case, split at white space and punctuation.

    The first two ids are padding and all words that the file does not have; the others follow the file's lines.
    """
    vocabulary = {PADDING: 0, UNKNOWN: 1}
    for line, (word, _) in enumerate(lines_of(path), 1):
        if word in vocabulary:
            raise ValueError(f"{path}: line {line} has the word {word!r} again; take one of its lines out.")
        vocabulary[word] = len(vocabulary)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PADDING, unk_token=UNKNOWN)


def read_word_vectors(path: str | Path) -> np.ndarray:
    """float32 vectors, a row for each id of `word_tokenizer`: zeros for the first two."""
    vectors = []
    for line, (_, numbers) in enumerate(lines_of(path), 1):
        try:
            vectors.append(np.array(numbers.split(" "), np.float32))
        except ValueError:
            raise ValueError(f"{path}: line {line} has something else than a word and numbers.") from None
        if len(vectors[-1]) != len(vectors[0]):
            raise ValueError(
                f"{path}: line {line} has {len(vectors[-1])} numbers, but the first line has {len(vectors[0])}; "
                "expected a word and equally many numbers per line, and no header."
            )
        if not np.isfinite(vectors[-1]).all():
            raise ValueError(f"{path}: line {line} has a number that is not finite.")
    return np.concatenate([np.zeros((2, len(vectors[0])), np.float32), vectors])


def lines_of(path: str | Path) -> Iterator[tuple[str, str]]:
    """(word, its numbers as text) of every line; words may hold any white space but a space or a line's end."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"encoder words:{path}: there is no such file.")
    line = 0
    with open(path, encoding="utf-8", newline="\n") as file:
        for line, text in enumerate(file, 1):
            word, _, numbers = text.rstrip("\r\n ").partition(" ")
            if not word or not numbers:
                raise ValueError(f"{path}: line {line} is not a word and its numbers, separated by spaces.")
            yield word, numbers
    if not line:
        raise ValueError(f"{path}: the file is empty, expected a word and its numbers per line.")
