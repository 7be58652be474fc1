"""Published checkpoints as rankers: whose layout their tensors have, and that each of them finds its place.

A ranker without a loss is used as it is: all its weights, the head's too, are those of its `checkpoint`, or of its
encoder where it has none. Scores depend on nothing that is left to chance: a tensor that is missing, left over or
of another shape stops.
"""

import logging
import pickle
import re
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from transformers import CONFIG_MAPPING, AutoModel, PretrainedConfig

from stillroom.encoders import (
    check_safetensors,
    load_config,
    load_tokenizer,
    locate_model,
    locate_weights,
    read_config,
)
from stillroom.files import read_json
from stillroom.hub import WEIGHTS
from stillroom.model_folder import write_model
from stillroom.ranker import Ranker
from stillroom.registry import named
from stillroom.sentence_modules import check_modules, report_lengths, transformer_subfolder
from stillroom.settings import RankerSettings

logger = logging.getLogger(__name__)

Tensors = dict[str, torch.Tensor]


class Layout(NamedTuple):
    """How the tensors of a checkpoint are named: beginning → what we call it; other names stay.

    A checkpoint has this layout if all beginnings occur. `{encoder}` is the encoder's own prefix in transformers,
    such as `bert`; our names here are without it.
    """

    name: str
    beginnings: dict[str, str]


# The first that fits is taken. The authors' are those of Hofstätter et al. 2020 (arXiv:2010.02666) on the hub: classes
# of their own, whose code is in the model cards.
LAYOUTS = [
    Layout("the authors' ColBERT", {"bert_model.": "", "compressor.": "linear."}),
    Layout("the authors' BERT_CAT", {"bert_model.": "", "_classification_layer.": "classifier."}),
    Layout("the authors' PreTTR", {"_classification_layer.": "classifier."}),  # the encoder's names without a prefix
    Layout("a sequence classification of transformers", {"{encoder}.": "", "classifier.": "classifier."}),
    Layout("an encoder with its prefix", {"{encoder}.": ""}),
    Layout("an encoder", {}),
]
# What predicted masked tokens and next sentences in pre-training; an encoder is used without it.
PRETRAINING_HEADS = ("cls.", "lm_head.", "vocab_layer_norm.", "vocab_projector.", "vocab_transform.")
# Constants that older versions of transformers stored, and what the first BERT called a layer norm's parameters.
CONSTANTS = ("embeddings.position_ids", "embeddings.token_type_ids")
OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
POOLER = "pooler."
SHOWN = 4  # names in an error


def export_ranker(*, settings: RankerSettings, model_folder: str | Path) -> None:
    """Write the folder of a ranker that is used as it is."""
    write_model(load_checkpoint(settings), Path(model_folder))


def load_checkpoint(settings: RankerSettings) -> Ranker:
    """The ranker of published weights, in evaluation mode."""
    source, revision = source_of(settings)
    folder = locate_model(source, revision)
    subfolder = transformer_subfolder(folder)
    check_modules(folder, settings)
    check_own_settings(folder, settings)
    report_lengths(folder / subfolder, settings)
    encoder = AutoModel.from_config(encoder_config(folder / subfolder, settings))
    tokenizer = load_tokenizer(settings.encoder.weights, settings.encoder.revision)
    check_vocabulary(folder / subfolder, tokenizer, settings)
    ranker = named("architectures", settings.architecture)(settings, encoder, tokenizer)
    path = locate_weights(source, revision, subfolder)
    ranker.load_weights(placed(read_tensors(path), ranker, path))
    return ranker.eval()


def source_of(settings: RankerSettings) -> tuple[str, str | None]:
    """Where the weights come from, and their revision: the checkpoint, or the encoder as it is."""
    if settings.checkpoint:
        return settings.checkpoint, settings.revision
    return settings.encoder.weights, settings.encoder.revision


def encoder_config(folder: Path, settings: RankerSettings) -> PretrainedConfig:
    """The checkpoint's own config; the encoder's, where it is of a class that transformers does not know."""
    is_own = settings.checkpoint and read_json(folder / "config.json").get("model_type") in CONFIG_MAPPING
    config = read_config(folder) if is_own else load_config(settings.encoder)
    config.dtype = torch.float32  # of the ranker; the checkpoint's may be half of it
    return config


def check_own_settings(folder: Path, settings: RankerSettings) -> None:
    """A model folder of this workflow is used with the settings that it was made with."""
    made_with = read_json(folder / "ranker.json", default={})
    read = import_module(f"stillroom.architectures.{settings.architecture}").READS
    for key in ("architecture", *read):
        here = getattr(settings, key)
        if made_with.get(key, here) != here:
            raise ValueError(f"{folder}: made with {key}: {made_with[key]}, but the ranker says {here}.")


def check_vocabulary(folder: Path, tokenizer, settings: RankerSettings) -> None:
    """The token ids are the checkpoint's own: its words have the same numbers in the encoder's tokenizer."""
    own, ours = vocabulary_of(folder), tokenizer.get_vocab()
    if different := [word for word, number in own.items() if ours.get(word) != number]:
        raise ValueError(
            f"{folder}: its vocabulary is another than that of the encoder {settings.encoder.weights}, "
            f"{len(different):,} of {len(own):,} words differ, such as {different[0]!r}; "
            "name an encoder that has its tokenizer."
        )


def vocabulary_of(folder: Path) -> dict[str, int]:
    """Word → number, from tokenizer.json or vocab.txt; empty where there is neither."""
    if (folder / "tokenizer.json").exists():
        words = read_json(folder / "tokenizer.json")["model"]["vocab"]
        return words if isinstance(words, dict) else {word: number for number, (word, _) in enumerate(words)}
    if (folder / "vocab.txt").exists():
        with open(folder / "vocab.txt", encoding="utf-8") as file:
            return {line.rstrip("\n"): number for number, line in enumerate(file)}
    return {}


def read_tensors(path: Path) -> Tensors:
    """The tensors of a weights file, safetensors or PyTorch's, of which nothing but tensors is read."""
    if path.suffix == ".safetensors":
        if not path.exists():
            raise FileNotFoundError(f"{path.parent}: there are no weights, neither {' nor '.join(WEIGHTS)}.")
        check_safetensors(path)
        return load_file(path)
    with open(path, "rb") as file:
        try:
            tensors = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError):
            tensors = None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ValueError(f"{path}: no file of tensors alone, or cut off ({path.stat().st_size:,} bytes).")
    return tensors


def placed(tensors: Tensors, ranker: Ranker, path: Path) -> Tensors:
    """The tensors under our names, each of them of the shape that the ranker has."""
    prefix = f"{ranker.encoder.base_model_prefix}."
    layout = layout_of(tensors, prefix)
    logger.info("%s: %d tensors, read as %s", path, len(tensors), layout.name)
    found = cut(renamed(tensors, layout, prefix), ranker)
    own = ranker.weights()
    names = {name.removeprefix(prefix): name for name in own}
    shapes = {short: own[name].shape for short, name in names.items()}
    for name in missing_pooler(found, shapes, ranker.settings):
        found[name] = torch.zeros(shapes[name])
    if complaints := misfits(found, shapes):
        raise ValueError(
            f"{path}: read as {layout.name}, it does not fit a {ranker.settings.architecture}: {complaints}."
        )
    return {names[short]: tensor for short, tensor in found.items()}


def layout_of(tensors: Tensors, prefix: str) -> Layout:
    """The first layout whose beginnings all occur."""
    for layout in LAYOUTS:
        beginnings = [prefix if beginning == "{encoder}." else beginning for beginning in layout.beginnings]
        if all(any(name.startswith(beginning) for name in tensors) for beginning in beginnings):
            return layout
    raise AssertionError("the last layout fits all")


def renamed(tensors: Tensors, layout: Layout, prefix: str) -> Tensors:
    """The tensors under our names, without constants and the heads of pre-training."""
    beginnings = {prefix if there == "{encoder}." else there: here for there, here in layout.beginnings.items()}
    result = {}
    for name, tensor in tensors.items():
        there = next((beginning for beginning in beginnings if name.startswith(beginning)), "")
        here = beginnings.get(there, "") + name.removeprefix(there)
        for old, new in OLD_NAMES.items():
            here = here.replace(old, new)
        if here.endswith(CONSTANTS):
            continue
        if here.startswith(PRETRAINING_HEADS):
            logger.info("left out, a head of pre-training: %s", name)
            continue
        result[here] = tensor
    return result


def cut(tensors: Tensors, ranker: Ranker) -> Tensors:
    """The tensors without those of the layers that the encoder's block in the config cuts off."""
    layers = None if ranker.settings.checkpoint else ranker.settings.encoder.layers
    if layers is None:
        return tensors
    layer = re.compile(r"\.layer\.(\d+)\.")
    return {name: tensor for name, tensor in tensors.items() if not is_beyond(layer.search(name), layers)}


def is_beyond(layer: re.Match | None, layers: int) -> bool:
    """Whether a tensor is of a layer after so many."""
    return layer is not None and int(layer[1]) >= layers


def missing_pooler(found: Tensors, shapes: dict[str, torch.Size], settings: RankerSettings) -> list[str]:
    """The tensors of BERT's pooler that are not there, where nothing reads it: only BERT_CAT does, with `cls`."""
    is_read = settings.architecture == "bert_cat" and settings.pooling == "cls"
    return [] if is_read else [name for name in shapes if name.startswith(POOLER) and name not in found]


def misfits(found: Tensors, shapes: dict[str, torch.Size]) -> str:
    """What is missing, left over or of another shape, in words; empty where all fits."""
    both = sorted(found.keys() & shapes.keys())
    kinds = {
        "missing": sorted(shapes.keys() - found.keys()),
        "unexpected": sorted(found.keys() - shapes.keys()),
        "of another shape": [
            f"{name} {list(found[name].shape)} instead of {list(shapes[name])}"
            for name in both
            if found[name].shape != shapes[name]
        ],
    }
    return "; ".join(f"{kind} {listed(names)}" for kind, names in kinds.items() if names)


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
