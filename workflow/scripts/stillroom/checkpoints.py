"""Published checkpoints as rankers: whose layout their tensors have, and that each of them finds its place.

A ranker without a loss is used as it is: all its weights, the head's too, are those of its `checkpoint`, or of its
encoder where it has none. Scores depend on nothing that is left to chance: a tensor that is missing, left over or
of another shape stops.
"""

import logging
import pickle
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import CONFIG_MAPPING, AutoModel, PretrainedConfig

from stillroom.checkpoint_layouts import Tensors, layout_of, renamed
from stillroom.encoders import (
    check_safetensors,
    kept_layers,
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

OWN = "ranker.json"  # in every model folder of this workflow, and in no other
STATED = {"join_layer_idx": "join_layer"}  # key in the authors' config.json, which no tensor shows → our setting
POOLER = "pooler."
LAYER = re.compile(r"\blayers?\.(\d+)\.")  # the number of a layer in a tensor's name
SHOWN = 4  # names in an error


def export_ranker(*, settings: RankerSettings, model_folder: str | Path) -> None:
    """Write the folder of a ranker that is used as it is."""
    write_model(load_checkpoint(settings), Path(model_folder))


def load_checkpoint(settings: RankerSettings, side: str = "") -> Ranker:
    """The ranker of published weights, in evaluation mode; `side` is a folder within the checkpoint."""
    source, revision = source_of(settings)
    folder = locate_model(source, revision) / side
    check_stated_settings(folder, settings)
    if settings.architecture == "dpr" and not is_own(folder, settings):
        return load_sides(folder, settings)
    check_modules(folder, settings)
    subfolder = transformer_subfolder(folder)
    report_lengths(folder / subfolder, settings)
    path = locate_weights(source, revision, "/".join(filter(None, (side, subfolder))))
    tensors = read_tensors(path)
    encoder = blank_encoder(folder / subfolder, tensors, settings)
    tokenizer = load_tokenizer(settings.encoder.weights, settings.encoder.revision)
    check_vocabulary(folder / subfolder, tokenizer, settings)
    ranker = named("architectures", settings.architecture)(settings, encoder, tokenizer)
    ranker.load_weights(placed(tensors, ranker, path))
    return ranker.eval()


def load_sides(folder: Path, settings: RankerSettings) -> Ranker:
    """A DPR of two encoders: in the folders `query` and `passage` of a checkpoint, or an encoder as it is, twice."""
    sides = ("query", "passage") if settings.checkpoint else ("", "")
    if absent := [side for side in sides if not (folder / side).is_dir()]:
        message = f"its two encoders are expected in folders query and passage, but there is no {absent[0]}"
        raise FileNotFoundError(f"{folder}: read as a dpr, {message}.")
    limits = settings.encoder
    of_queries = replace(limits, passage_tokens=limits.query_tokens)
    query, passage = (
        load_checkpoint(replace(settings, architecture="bert_dot", encoder=encoder), side)
        for side, encoder in zip(sides, (of_queries, limits), strict=True)
    )
    ranker = named("architectures", settings.architecture)(settings, passage.encoder, passage.tokenizer)
    ranker.query_encoder = query.encoder
    return ranker.eval()


def source_of(settings: RankerSettings) -> tuple[str, str | None]:
    """Where the weights come from, and their revision: the checkpoint, or the encoder as it is."""
    if settings.checkpoint:
        return settings.checkpoint, settings.revision
    return settings.encoder.weights, settings.encoder.revision


def is_own(folder: Path, settings: RankerSettings) -> bool:
    """Whether the checkpoint is a model folder of this workflow."""
    return settings.checkpoint is not None and (folder / OWN).exists()


def blank_encoder(folder: Path, tensors: Tensors, settings: RankerSettings) -> nn.Module:
    """The encoder in the checkpoint's shape, before its weights are loaded."""
    if is_own(folder, settings):
        return named("architectures", settings.architecture).blank_encoder(folder, tensors)
    if constants_of(settings).WORDS:
        message = f"no other has the weights of a {settings.architecture}"
        raise ValueError(f"{folder}: no model folder of this workflow, it has no {OWN}; {message}.")
    return AutoModel.from_config(encoder_config(folder, settings))


def encoder_config(folder: Path, settings: RankerSettings) -> PretrainedConfig:
    """The checkpoint's own config; the encoder's, where it is of a class that is no encoder of transformers."""
    kind = read_json(folder / "config.json").get("model_type") if settings.checkpoint else None
    is_known = kind in CONFIG_MAPPING and kind != "dpr"  # which is a box around a BERT
    config = read_config(folder) if is_known else load_config(settings.encoder)
    config.dtype = torch.float32  # of the ranker; the checkpoint's may be half of it
    return config


def constants_of(settings: RankerSettings) -> ModuleType:
    """The file of the architecture, which has constants such as READS."""
    return import_module(f"stillroom.architectures.{settings.architecture}")


def check_stated_settings(folder: Path, settings: RankerSettings) -> None:
    """A model is used with the settings that its folder says it was made with."""
    config = read_json(folder / "config.json", default={})
    stated = {ours: config[theirs] for theirs, ours in STATED.items() if theirs in config}
    check_made_with(folder, stated | read_json(folder / OWN, default={}), settings)
    if config.get("architectures") == ["HF_ColBERT"]:
        message = f"before queries and passages, where a {settings.architecture} puts nothing"
        raise ValueError(f"{folder}: a ColBERT of its first authors, which reads [Q] and [D] {message}.")


def check_made_with(path: Path, made_with: dict, settings: RankerSettings) -> None:
    """The architecture and what it reads are what the model was made with, as far as that is known."""
    for key in ("architecture", *constants_of(settings).READS):
        here = getattr(settings, key)
        if made_with.get(key, here) != here:
            raise ValueError(f"{path}: made with {key}: {made_with[key]}, but the ranker says {here}.")


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
    prefix = f"{getattr(ranker.encoder, 'base_model_prefix', '')}."
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
    if layout.made_with and not is_own(path.parent, ranker.settings):  # our own says what it was made with
        check_made_with(path, layout.made_with, ranker.settings)
    return {names[short]: tensor for short, tensor in found.items()}


def cut(tensors: Tensors, ranker: Ranker) -> Tensors:
    """The tensors without those of the layers that the encoder's block in the config cuts off."""
    encoder = ranker.settings.encoder
    if ranker.settings.checkpoint or encoder.layers is None:
        return tensors
    whole = read_config(locate_model(encoder.weights, encoder.revision))
    place_of = {number: place for place, number in enumerate(kept_layers(encoder, whole))}
    result = {}
    for name, tensor in tensors.items():
        if (layer := LAYER.search(name)) is None:
            result[name] = tensor
        elif (number := int(layer[1])) in place_of:
            result[f"{name[: layer.start(1)]}{place_of[number]}{name[layer.end(1) :]}"] = tensor
    return result


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
