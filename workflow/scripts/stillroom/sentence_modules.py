"""What a sentence-transformers folder says about itself: pooling, normalisation, lengths."""

import logging
from pathlib import Path

from stillroom.files import read_json
from stillroom.settings import RankerSettings

logger = logging.getLogger(__name__)

# As older versions of sentence-transformers write it, with one key per way of pooling.
POOLING_KEYS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
OTHER_POOLING = "pooling_mode_"


def transformer_subfolder(folder: Path) -> str:
    """Where the encoder is within the folder: beside modules.json, or where that says."""
    modules = read_json(folder / "modules.json", default=[])
    return next((module["path"] for module in modules if kind_of(module) == "Transformer"), "")


def check_modules(folder: Path, settings: RankerSettings) -> None:
    """Pooling and normalisation are the ranker's, and there is nothing that it would leave out."""
    modules = modules_of(folder)
    if not modules:
        return
    if left_out := modules.keys() - {"Transformer", "Pooling", "Normalize"}:
        message = f"has a module {', '.join(sorted(left_out))}, which a {settings.architecture} has not"
        raise ValueError(f"{folder}: this sentence-transformers model {message}.")
    if settings.architecture == "bert_dot":
        check_pooling(folder, pooling_of(modules["Pooling"]) if "Pooling" in modules else "none", settings)
        check_similarity(folder, "Normalize" in modules, settings)
    report_prompts(folder)


def modules_of(folder: Path) -> dict[str, Path]:
    """The modules of the model and their folders; none where it is no model of sentence-transformers."""
    return {kind_of(module): folder / module["path"] for module in read_json(folder / "modules.json", default=[])}


def kind_of(module: dict) -> str:
    """The class of a module, without the package that it is in, which differs between versions."""
    return module["type"].rpartition(".")[2]


def pooling_of(folder: Path) -> str:
    """`cls`, `mean` or another way of pooling, as the folder of the module says."""
    config = read_json(folder / "config.json")
    if "pooling_mode" in config:
        found = config["pooling_mode"]
        return found if isinstance(found, str) else " and ".join(found)
    active = [key for key, is_on in config.items() if key.startswith(OTHER_POOLING) and is_on is True]
    return " and ".join(POOLING_KEYS.get(key, key.removeprefix(OTHER_POOLING)) for key in active) or "mean"


def check_pooling(folder: Path, found: str, settings: RankerSettings) -> None:
    """The vectors are pooled as the model was trained."""
    if found != settings.pooling:
        raise ValueError(f"{folder}: this model's pooling is {found}, but the ranker says {settings.pooling}.")


def report_pooling(folder: Path, settings: RankerSettings) -> None:
    """Say so when a training starts from vectors that are pooled in another way than the model's own."""
    modules = modules_of(folder)
    own = pooling_of(modules["Pooling"]) if "Pooling" in modules else settings.pooling
    if own != settings.pooling:
        logger.warning("%s: this model's pooling is %s, but the training starts from %s", folder, own, settings.pooling)


def check_similarity(folder: Path, is_normalized: bool, settings: RankerSettings) -> None:
    """Vectors of length 1 where the model makes such, or may compare by cosine, which is written by default."""
    config = read_json(folder / "config_sentence_transformers.json", default={})
    similarity = config.get("similarity_fn_name")
    if similarity not in (None, "dot", "cosine"):
        raise ValueError(f"{folder}: this model compares by {similarity}, but a bert_dot by dot product or cosine.")
    if is_normalized and not settings.normalize:
        raise ValueError(f"{folder}: this model normalizes its vectors, but the ranker says normalize: false.")
    if settings.normalize and not is_normalized and similarity == "dot":
        raise ValueError(f"{folder}: this model does not normalize its vectors, but the ranker says normalize: true.")
    if similarity == "cosine" and not settings.normalize:
        logger.warning("%s names the cosine as its similarity, the ranker takes dot products: normalize: false", folder)


def report_prompts(folder: Path) -> None:
    """Say which prompts are not put before the texts."""
    config = read_json(folder / "config_sentence_transformers.json", default={})
    if prompts := {name: prompt for name, prompt in (config.get("prompts") or {}).items() if prompt}:
        logger.warning("%s has prompts, which are not put before the texts: %s", folder, prompts)


def report_lengths(folder: Path, settings: RankerSettings) -> None:
    """Say which limit of the ranker is beyond what the model was made for."""
    own = read_json(folder / "sentence_bert_config.json", default={}).get("max_seq_length")
    longest = own or read_json(folder / "tokenizer_config.json", default={}).get("model_max_length")
    if longest and settings.encoder.passage_tokens > longest:
        limits = (folder, f"{longest:,}", f"{settings.encoder.passage_tokens:,}")
        logger.warning("%s was made for %s tokens, but passage_tokens is %s", *limits)
