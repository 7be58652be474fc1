"""The check of the rankers: what each needs is there, and none learns from itself."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from graphlib import CycleError, TopologicalSorter
from math import ceil
from pathlib import Path

from stillroom.config_schema import ConfigError, config_error
from stillroom.registry import PACKAGE, names
from stillroom.sources import WORDS_PREFIX, is_hub_id

# Keys that something must read: key → (key of the reader, its folder, constant of its file), for each reader.
READERS = {
    "teacher": [("loss", "losses", "NEEDS_TEACHER"), ("sampler", "samplers", "NEEDS_TEACHER")],
    "clustering": [("sampler", "samplers", "NEEDS_CLUSTERS")],
}


def choose_training_sets(config: dict) -> None:
    """Fill in the only training set where none is named, for clusterings and for rankers that are trained."""
    for name, clustering in config["clusterings"].items():
        choose_training_set(config, ("clusterings", name), clustering)
    for name, ranker in config["rankers"].items():
        if is_trained(ranker):
            choose_training_set(config, ("rankers", name), ranker)


def choose_training_set(config: dict, path: tuple, block: dict) -> None:
    """Fill in the training set of one block; with several to choose from it has to be named."""
    if block["training_set"] is None:
        there = list(config["training_sets"])
        if len(there) != 1:
            raise config_error((*path, "training_set"), f"missing; {choices('training_sets', there)}.")
        block["training_set"] = there[0]


def is_trained(ranker: dict) -> bool:
    """Whether a ranker learns, from its triples, from its batches or from both; else it is used as it is."""
    return ranker["loss"] is not None or ranker["in_batch"] is not None


def choices(section: str, legal: list[str]) -> str:
    """The names to choose from, or that there are none."""
    return f"expected one of {', '.join(legal)}" if legal else f"nothing is defined under {section}"


def check_ranker(config: dict, name: str, ranker: dict, schema: dict) -> None:
    """The keys of one ranker go together: none is missing, and none is without effect."""
    for key, readers in READERS.items():
        check_read(config, name, key, readers)
    check_architecture(name, ranker, schema)
    check_loss_settings(name, ranker, schema)
    check_checkpoint(name, ranker)
    check_words(config, name, ranker)
    if not is_trained(ranker):
        check_untrained(name, ranker)
        check_head(name, ranker)
        return
    if ranker["training"] is None:
        reader = f"the loss {ranker['loss']}" if ranker["loss"] else "in_batch"
        raise missing(config, name, "training", "training", f"{reader} needs it")
    check_passage_tokens(config, name, ranker)
    check_training_read(config, name, ranker)
    check_groups(config, name, ranker)
    check_positives(config, name, ranker)
    check_chunks(config, name, ranker)
    check_whole_batch(name, ranker)
    check_validation(config, name, ranker)
    check_validation_candidates(config, name, ranker)
    check_clustering(config, name, ranker)
    if ranker["in_batch"]:
        check_in_batch(config, name, ranker)


def check_architecture(name: str, ranker: dict, schema: dict) -> None:
    """Settings of architectures that are not at their defaults are read by this one, with these values."""
    architecture, keys = ranker["architecture"], schema["properties"]["rankers"]["additionalProperties"]["properties"]
    read = constant_of("architectures", architecture, "READS")
    readable = {key for other in names("architectures") for key in constant_of("architectures", other, "READS")}
    for key in sorted(readable):
        if ranker[key] == keys[key]["default"]:
            continue
        if key not in read:
            message = f"has no effect with {architecture}, which reads {', '.join(read)}; take the key out."
            raise config_error(("rankers", name, key), message)
        if read[key] and ranker[key] not in read[key]:
            message = f"found {ranker[key]!r}, but {architecture} knows {', '.join(read[key])}."
            raise config_error(("rankers", name, key), message)
    if ranker["pre_classifier"] and ranker["pooling"] == "max_sim":
        raise config_error(("rankers", name, "pre_classifier"), "has no effect with max_sim, which has no classifier.")
    if ranker["linear_bias"] and ranker["dimensions"] is None:
        message = "has no effect without dimensions, which are what the linear layer makes."
        raise config_error(("rankers", name, "linear_bias"), message)


def check_loss_settings(name: str, ranker: dict, schema: dict) -> None:
    """Settings of losses that are not at their defaults are read by this ranker's, and go together."""
    keys = schema["properties"]["rankers"]["additionalProperties"]["properties"]["loss_settings"]["properties"]
    losses, read = losses_of(ranker), loss_settings_read(ranker)
    settings, path = ranker["loss_settings"], ("rankers", name, "loss_settings")
    for key in keys:
        if settings[key] != keys[key]["default"] and key not in read:
            which = f"with loss {' and '.join(losses)}" if losses else "without a loss"
            raise config_error((*path, key), f"has no effect {which}; take the key out.")
    if ranker["contrastive"] is not None and ranker["loss"] not in taught_losses():
        message = f"stands beside a loss that reads a teacher, one of {', '.join(taught_losses())}; take the key out."
        raise config_error(("rankers", name, "contrastive"), message)
    if "beta" in read and settings["beta"] > settings["gamma"]:
        message = f"found {settings['beta']}, expected at most gamma, which is {settings['gamma']}."
        raise config_error((*path, "beta"), message)


def losses_of(ranker: dict) -> list[str]:
    """The losses of a ranker: its own and that of its batches."""
    return list(dict.fromkeys(block["loss"] for block in (ranker, ranker["in_batch"]) if block and block["loss"]))


def loss_settings_read(ranker: dict) -> set[str]:
    """The loss settings that a ranker's losses read."""
    return {key for loss in losses_of(ranker) for key in constant_of("losses", loss, "READS")}


def check_checkpoint(name: str, ranker: dict) -> None:
    """A checkpoint is used as it is, and one of a hub is pinned, because its main branch may change."""
    checkpoint, revision = ranker["checkpoint"], ranker["revision"]
    if checkpoint and is_trained(ranker):
        message = "is used as it is, so it goes without a loss; to train further, name it as weights of an encoder."
        raise config_error(("rankers", name, "checkpoint"), message)
    if checkpoint and checkpoint.startswith(WORDS_PREFIX):
        raise config_error(("rankers", name, "checkpoint"), "is a file of words, expected a model; see encoders.")
    if checkpoint and is_hub_id(checkpoint) and not revision:
        message = f"missing; {checkpoint} is of a hub (there is no such folder), so name the commit to take."
        raise config_error(("rankers", name, "revision"), message)
    if revision and not (checkpoint and is_hub_id(checkpoint)):
        raise config_error(("rankers", name, "revision"), "is a commit of a hub, but the checkpoint is none of a hub.")


def check_read(config: dict, name: str, key: str, readers: list[tuple]) -> None:
    """A teacher (or a clustering) is there exactly if the loss or the sampler reads it."""
    ranker = config["rankers"][name]
    used = [(kind, folder, constant) for kind, folder, constant in readers if ranker[kind]]
    needing = [kind for kind, folder, constant in used if constant_of(folder, ranker[kind], constant)]
    if needing and ranker[key] is None:
        raise missing(config, name, key, f"{key}s", f"the {needing[0]} {ranker[needing[0]]} needs it")
    if ranker[key] is not None and not needing:
        unused = " and ".join(f"{kind} {ranker[kind]}" for kind, _, _ in used)
        raise config_error(("rankers", name, key), f"has no effect with {unused}; take the key out.")


def missing(config: dict, name: str, key: str, section: str, reason: str) -> ConfigError:
    """The error of a ranker's key that another of its keys asks for."""
    return config_error(("rankers", name, key), f"missing, but {reason}; {choices(section, list(config[section]))}.")


def check_untrained(name: str, ranker: dict) -> None:
    """A ranker that is used as it is has no keys of training."""
    for key in ("training", "training_set", "seeds", "validation_candidates"):
        if ranker[key] is not None:
            raise config_error(("rankers", name, key), "has no effect without a loss; add one or take the key out.")


def check_head(name: str, ranker: dict) -> None:
    """A ranker that is used as it is has no random weights: all are a checkpoint's, or the encoder's are all.

    HEADLESS of an architecture are the settings with which the encoder's are all; None where it always has others.
    """
    headless = constant_of("architectures", ranker["architecture"], "HEADLESS")
    has_head = headless is None or any(ranker[key] != value for key, value in headless.items())
    if has_head and not ranker["checkpoint"]:
        settings = [f"{key}: {value or 'null'}" for key, value in (headless or {}).items()]
        ways = " or ".join(["a loss or a checkpoint", *settings])
        message = f"has weights beside the encoder's, and they would be random; add {ways}."
        raise config_error(("rankers", name), message)


def check_passage_tokens(config: dict, name: str, ranker: dict) -> None:
    """Training cuts passages to no more than the encoder's limit."""
    while_training = config["training"][ranker["training"]]["passage_tokens"]
    limit = config["encoders"][ranker["encoder"]]["passage_tokens"]
    if while_training and while_training > limit:
        encoder = f"encoders.{ranker['encoder']}.passage_tokens"
        message = f"found {while_training}, but ranker {name} trains with it and {encoder} is {limit}."
        raise config_error(("training", ranker["training"], "passage_tokens"), message)


def check_groups(config: dict, name: str, ranker: dict) -> None:
    """Sampled triples fill groups."""
    training, sampled = ranker["training"], config["training_sets"][ranker["training_set"]]["negatives"]
    positives, negatives = (config["training"][training][key] for key in ("positives", "negatives"))
    if sampled and negatives > sampled["per_query"]:
        place = f"training_sets.{ranker['training_set']}.negatives.per_query"
        message = f"found {negatives}, but ranker {name} trains with it and {place} is {sampled['per_query']}."
        raise config_error(("training", training, "negatives"), message)
    if sampled and positives > (turns := ceil(sampled["per_query"] / sampled["per_relevant"])):
        place = f"training_sets.{ranker['training_set']}.negatives"
        message = f"found {positives}, but ranker {name} trains with it and {place} takes {turns} at most (per_query "
        message += f"{sampled['per_query']}, per_relevant {sampled['per_relevant']})."
        raise config_error(("training", training, "positives"), message)


def check_positives(config: dict, name: str, ranker: dict) -> None:
    """In-batch, a query has one relevant passage."""
    positives = config["training"][ranker["training"]]["positives"]
    in_batch = ranker["in_batch"] or constant_of("losses", ranker["loss"], "WHOLE_BATCH")
    if positives > 1 and in_batch:
        message = f"found {positives}, expected 1: ranker {name} learns from the passages of a batch's other queries."
        raise config_error(("training", ranker["training"], "positives"), message)


def check_words(config: dict, name: str, ranker: dict) -> None:
    """Vectors of words are enough for architectures that bring the layers themselves, and have no layers to cut."""
    encoder = config["encoders"][ranker["encoder"]]
    if not encoder["weights"].startswith(WORDS_PREFIX):
        return
    architecture = ranker["architecture"]
    if not constant_of("architectures", architecture, "WORDS"):
        able = ", ".join(other for other in names("architectures") if constant_of("architectures", other, "WORDS"))
        message = f"{ranker['encoder']} is a file of word vectors, from which no {architecture} can start, only {able}."
        raise config_error(("rankers", name, "encoder"), message)
    for key in ("revision", "layers"):
        if encoder[key] is not None:
            raise config_error(("encoders", ranker["encoder"], key), "has no effect with words:; take the key out.")


def check_training_read(config: dict, name: str, ranker: dict) -> None:
    """Kernels' learning rates are for kernels; gradient checkpointing is for the layers of an encoder."""
    architecture, training = ranker["architecture"], config["training"][ranker["training"]]
    read = {
        "kernel_learning_rate": constant_of("architectures", architecture, "KERNELS"),
        "gradient_checkpointing": not constant_of("architectures", architecture, "WORDS"),
    }
    for key, is_read in read.items():
        if training[key] and not is_read:
            message = f"has no effect on ranker {name}, a {architecture}; train that with another block."
            raise config_error(("training", ranker["training"], key), message)


def check_chunks(config: dict, name: str, ranker: dict) -> None:
    """Gradient caching represents batches in several chunks."""
    training, encoder = config["training"][ranker["training"]], config["encoders"][ranker["encoder"]]
    tokens = training["passage_tokens"] or encoder["passage_tokens"]
    if not constant_of("architectures", ranker["architecture"], "IN_BATCH"):
        tokens += encoder["query_tokens"]  # query and passage are one text
    longest = training["batch_size"] * (training["positives"] + training["negatives"]) * tokens
    if training["chunk_tokens"] and training["chunk_tokens"] >= longest:
        message = f"found {training['chunk_tokens']}, but no batch of ranker {name} has more than {longest} tokens"
        raise config_error(("training", ranker["training"], "chunk_tokens"), f"{message}; take the key out.")


def check_whole_batch(name: str, ranker: dict) -> None:
    """A loss over the passages of the whole batch needs queries and passages apart."""
    loss, architecture = ranker["loss"], ranker["architecture"]
    reads_batch = loss and constant_of("losses", loss, "WHOLE_BATCH")
    if reads_batch and not constant_of("architectures", architecture, "IN_BATCH"):
        message = f"{loss} needs scores of the passages of a batch's other queries, which a {architecture} has not."
        raise config_error(("rankers", name, "loss"), message)


def check_validation(config: dict, name: str, ranker: dict) -> None:
    """Who validates, and who learns from rankers, whose quality is measured, has queries to validate on."""
    if config["training_sets"][ranker["training_set"]]["validation"]:
        return
    path = ("training_sets", ranker["training_set"], "validation")
    if every := config["training"][ranker["training"]]["validate_every"]:
        raise config_error(path, f"missing, but ranker {name} validates every {every} steps.")
    if ranker["teacher"] and config["teachers"][ranker["teacher"]]["average"]:
        raise config_error(path, f"missing, but the teacher of ranker {name} is measured on it.")


def check_validation_candidates(config: dict, name: str, ranker: dict) -> None:
    """Candidates are read by who validates, and found by who can retrieve."""
    candidates, path = ranker["validation_candidates"], ("rankers", name, "validation_candidates")
    if candidates is None:
        return
    if not config["training"][ranker["training"]]["validate_every"]:
        message = f"has no effect, because training.{ranker['training']}.validate_every is null; take the key out."
        raise config_error(path, message)
    check_retrieves(config, candidates["ranker"], (*path, "ranker"), "name another")


def check_retrieves(config: dict, ranker: str, path: tuple, remedy: str) -> None:
    """A ranker whose index is searched is of an architecture that has one."""
    architecture = config["rankers"][ranker]["architecture"]
    if not constant_of("architectures", architecture, "RETRIEVES"):
        raise config_error(path, f"{ranker} is a {architecture}, which cannot retrieve; {remedy}.")


def check_clustering(config: dict, name: str, ranker: dict) -> None:
    """The clustered queries are those that the ranker trains on."""
    if ranker["clustering"]:
        clustered = config["clusterings"][ranker["clustering"]]["training_set"]
        if clustered != ranker["training_set"]:
            message = f"clusters the queries of {clustered}, but the ranker trains on {ranker['training_set']}."
            raise config_error(("rankers", name, "clustering"), message)


def check_in_batch(config: dict, name: str, ranker: dict) -> None:
    """In-batch scores need several queries, and them and passages apart in both rankers, and a loss that reads both."""
    loss = ranker["in_batch"]["loss"]
    if not constant_of("losses", loss, "NEEDS_TEACHER"):
        message = f"found {loss!r}, which reads no teacher; expected one of {', '.join(taught_losses())}."
        raise config_error(("rankers", name, "in_batch", "loss"), message)
    if config["training"][ranker["training"]]["batch_size"] == 1:
        message = f"found 1, but ranker {name} learns from the passages of a batch's other queries."
        raise config_error(("training", ranker["training"], "batch_size"), message)
    teacher = ranker["in_batch"]["teacher"]
    for who, path in ((name, ("in_batch",)), (teacher, ("in_batch", "teacher"))):
        architecture = config["rankers"][who]["architecture"]
        if not constant_of("architectures", architecture, "IN_BATCH"):
            message = f"{who} is a {architecture}, which cannot score the passages of a batch's other queries."
            raise config_error(("rankers", name, *path), message)


def taught_losses() -> list[str]:
    """The losses that read a teacher's scores."""
    return [loss for loss in names("losses") if constant_of("losses", loss, "NEEDS_TEACHER")]


def check_ancestors(config: dict) -> None:
    """No ranker learns, through whatever teachers, from itself."""
    learns_from = {name: list(parents(config, ranker)) for name, ranker in config["rankers"].items()}
    try:
        TopologicalSorter(learns_from).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]
        raise config_error(("rankers", cycle[0]), f"is its own ancestor, {' → '.join(cycle)}.") from None


def parents(config: dict, ranker: dict) -> Iterator[str]:
    """The rankers that have to be there before this one is trained."""
    if ranker["teacher"]:
        yield from config["teachers"][ranker["teacher"]]["average"] or []
    if ranker["clustering"]:
        yield config["clusterings"][ranker["clustering"]]["ranker"]
    if ranker["in_batch"]:
        yield ranker["in_batch"]["teacher"]
    if finder := finder_of(config, ranker["training_set"]):
        yield finder
    if ranker["validation_candidates"]:
        yield ranker["validation_candidates"]["ranker"]


def finder_of(config: dict, training_set: str | None) -> str | None:
    """The ranker that finds the other passages of a training set; None where a BM25 does, or nothing."""
    negatives = config["training_sets"][training_set]["negatives"] if training_set else None
    return negatives["from"]["ranker"] if negatives and isinstance(negatives["from"], dict) else None


def constant_of(folder: str, name: str, constant: str):
    """A constant of a variant's file, such as NEEDS_TEACHER of losses/margin_mse.py."""
    path = PACKAGE / folder / f"{name}.py"
    constants = constants_of(path)
    if constant not in constants:
        raise ValueError(f"{folder}/{path.name}: expected a line `{constant} = …`, as in the other files there.")
    return constants[constant]


@cache
def constants_of(path: Path) -> dict:
    """The lines `NAME = value` of a file, read as text, because an import would load torch."""
    constants = {}
    for node in ast.parse(path.read_text("utf-8"), filename=str(path)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):  # not a literal
                constants[node.targets[0].id] = ast.literal_eval(node.value)
    return constants
