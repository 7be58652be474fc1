"""What rules ask of a checked config: resolved settings, query sets, systems.

`params` of a rule hold what comes from here, so that a change in a referenced block reruns exactly the rules
that read it. What another rule makes (teacher scores, clusters, triples) is an input file, not a setting.
"""

import json
from collections.abc import Iterable

from stillroom.config_rankers import constant_of, is_trained, loss_settings_read, parents
from stillroom.settings import CONTRASTIVE


def resolve_ranker(config: dict, name: str) -> dict:
    """The settings that the training of one ranker reads, with its encoder and training block looked up.

    The names of teachers, clustering and training set stay names: they say which files are read, and a change
    in what those blocks say arrives as a change of the files. `seeds` say how often it is trained, not how. Settings
    of losses are those that its own read, so that another loss's new one changes nothing here.
    """
    ranker = {key: value for key, value in config["rankers"][name].items() if key != "seeds"}
    read = loss_settings_read(ranker)
    looked_up = {
        "encoder": config["encoders"][ranker["encoder"]],
        "training": config["training"][ranker["training"]] if ranker["training"] else None,
        "loss_settings": {key: value for key, value in ranker["loss_settings"].items() if key in read},
    }
    return stable({**ranker, **looked_up})


def modules_of_ranker(config: dict, name: str) -> list[str]:
    """The modules that `named` loads when a ranker is trained: its variants and its in-batch teacher's."""
    ranker, in_batch = config["rankers"][name], config["rankers"][name]["in_batch"]
    modules = [f"architectures.{ranker['architecture']}"]
    if ranker["loss"]:
        modules += [f"losses.{ranker['loss']}"]
    if ranker["contrastive"]:
        modules += [f"losses.{CONTRASTIVE}"]
    if is_trained(ranker):
        modules += [f"samplers.{ranker['sampler']}"]
    if in_batch:
        teacher = config["rankers"][in_batch["teacher"]]
        modules += [f"losses.{in_batch['loss']}", f"architectures.{teacher['architecture']}"]
    return sorted(set(modules))


def resolve_query_sets(config: dict) -> dict[str, dict]:
    """Result folder → what to fetch there, for every set of queries with judgements.

    Only what the queries and judgements depend on: another depth of candidates or another `min_relevance`
    fetches nothing anew.
    """
    query_sets = {f"test_sets/{name}": test_set for name, test_set in config["test_sets"].items()}
    for name, training_set in config["training_sets"].items():
        query_sets[f"training_sets/{name}"] = {**training_set, "without": [], "expected": None}
        if validation := training_set["validation"]:
            own = {"corpus": training_set["corpus"], "expected": None}
            query_sets[validation_folder(name)] = {**validation, **own}
    return {folder: resolve_query_set(settings) for folder, settings in query_sets.items()}


def resolve_query_set(settings: dict) -> dict:
    """What is fetched; `without` are data sets, `without_sets` folders of other sets, whose queries are left out."""
    fetched = {key: settings[key] for key in ("corpus", "dataset", "queries", "expected")}
    datasets = [other for other in settings["without"] if isinstance(other, str)]
    folders = [validation_folder(other["validation_of"]) for other in settings["without"] if other not in datasets]
    return stable({**fetched, "without": datasets, "without_sets": folders})


def validation_folder(training_set: str) -> str:
    """Where the validation queries of a training set are."""
    return f"training_sets/{training_set}/validation"


def datasets_of(config: dict) -> list[str]:
    """Every data set that something is read of."""
    query_sets = resolve_query_sets(config).values()
    named = [corpus["dataset"] for corpus in config["corpora"].values()]
    named += [dataset for settings in query_sets for dataset in (settings["dataset"], *settings["without"])]
    return sorted(set(named))


def kept_of_sample(config: dict, corpus: str) -> dict:
    """What a sample of a corpus must not lack: what test and validation sets judge, and triples that are given.

    Triples that are sampled here are made of passages that are there; of so many queries, the judged ones are.
    """
    training_sets = [block for block in config["training_sets"].values() if block["corpus"] == corpus]
    judging = [block for block in config["test_sets"].values() if block["corpus"] == corpus]
    judging += [block["validation"] for block in training_sets if block["validation"]]
    of_files = [block for block in training_sets if block["triples_of"]]
    of_datasets = [block for block in training_sets if not (block["triples_of"] or block["negatives"])]
    drawn = [block for block in training_sets if block["negatives"] and block["queries"]]
    return {
        "judged": sorted({block["dataset"] for block in judging}),
        "drawn": [[block["dataset"], block["queries"]] for block in drawn],
        "pairs": [[block["dataset"], block["triples"]] for block in of_datasets],
        "teachers": [block["triples_of"] for block in of_files],
        "triples": [block["triples"] for block in of_files],
    }


def sampled_test_sets(config: dict, test_sets: list[str]) -> list[str]:
    """The test sets that are searched in a sample of their passages: no measure on them is that of the whole."""
    return [name for name in test_sets if config["corpora"][config["test_sets"][name]["corpus"]]["sample"]]


def rows_that_saw(config: dict, test_sets: list[str], rows: list[dict]) -> list[int]:
    """The places of the rows with an encoder that had text like that of all test sets in its own pre-training."""
    saw = [places_that_saw(config, test_set, rows) for test_set in test_sets]
    return sorted(set.intersection(*saw))


def cells_that_saw(config: dict, test_sets: list[str], rows: list[dict]) -> dict[str, list[int]]:
    """Test set → the places of the rows with an encoder that saw text like that of this one, but not of all."""
    everywhere = set(rows_that_saw(config, test_sets, rows))
    saw = {test_set: sorted(places_that_saw(config, test_set, rows) - everywhere) for test_set in test_sets}
    return {test_set: places for test_set, places in saw.items() if places}


def places_that_saw(config: dict, test_set: str, rows: list[dict]) -> set[int]:
    """The places of the rows with an encoder that had text like that of a test set in its own pre-training."""
    encoders = set(config["corpora"][config["test_sets"][test_set]["corpus"]]["seen_by"])
    scoring = [config["teachers"][row["teacher"]]["average"] if "teacher" in row else rankers_in(row) for row in rows]
    return {
        place
        for place, rankers in enumerate(scoring)
        if any(config["rankers"][ranker]["encoder"] in encoders for ranker in rankers)
    }


def training_sets_behind(config: dict, system: str) -> list[str]:
    """The training sets of what scores in a system (see `systems`) and of all that it learns from; none of a BM25."""
    name, *way = system.split("/")
    scoring = [] if not way else config["teachers"][name]["average"] if len(way) == 1 else [name]
    waiting, found = set(scoring), set()
    while waiting:
        found.add(ranker := waiting.pop())
        waiting |= {*parents(config, config["rankers"][ranker])} - found
    return sorted({config["rankers"][ranker]["training_set"] for ranker in found} - {None})


def search_parameters(config: dict, index: str) -> dict[str, int]:
    """What is set of an index for searching; what is not stays as in faiss."""
    settings = config["indexes"][index]
    return {key: settings[key] for key in ("ef_search", "k_factor", "nprobe") if settings[key] is not None}


def retrieving_rankers(config: dict) -> list[str]:
    """The rankers that can search an index."""
    rankers = config["rankers"].items()
    return [name for name, ranker in rankers if constant_of("architectures", ranker["architecture"], "RETRIEVES")]


def systems(config: dict) -> list[str]:
    """Every system of the tables, in their order, once: `bm25`, `<teacher>/rerank`, `<ranker>/seed-<n>/<way>`."""
    names, seeds = {}, seeds_of(config, config["rankers"])
    for _, system in named_systems(config):
        names.update(dict.fromkeys(systems_of(system, seeds)))
    return list(names)


def systems_of(system: dict, seeds: dict[str, list[int]]) -> list[str]:
    """The systems of one row, or of one side of an expectation: a ranker has one per seed of its own."""
    if "bm25" in system:
        return [system["bm25"]]
    if "teacher" in system:
        return [f"{system['teacher']}/{system['way']}"]
    return [f"{ranker}/seed-{seed}/{system['way']}" for ranker in rankers_in(system) for seed in seeds[ranker]]


def rankers_in(system: dict) -> list[str]:
    """The rankers that a row, or a side of an expectation, names."""
    return system["rankers"] if "rankers" in system else [system["ranker"]] if "ranker" in system else []


def labels_of(row: dict) -> tuple[str, ...]:
    """A row's label, or labels where the table has several columns of them."""
    return (row["label"],) if isinstance(row["label"], str) else tuple(row["label"])


def seeds_of(config: dict, rankers: Iterable[str]) -> dict[str, list[int]]:
    """The seeds of each ranker: all, and more of its own; the first of one that is used as it is."""
    blocks = {name: config["rankers"][name] for name in rankers}
    more = {name: block["seeds"] or [] for name, block in blocks.items()}
    return {
        name: list(dict.fromkeys([*config["seeds"], *more[name]])) if is_trained(block) else config["seeds"][:1]
        for name, block in blocks.items()
    }


def rankers_of(table: dict) -> list[str]:
    """The rankers in the rows and expectations of a table."""
    sides = [expectation[side] for expectation in table.get("expectations", []) for side in ("better", "than")]
    return sorted({ranker for system in [*table["rows"], *sides] for ranker in rankers_in(system)})


def named_systems(config: dict) -> list[tuple[tuple, dict]]:
    """(key path, system) of every row and expectation of every table."""
    found = []
    for section in ("tables", "length_tables"):
        for name, table in config[section].items():
            found += [((section, name, "rows", place), row) for place, row in enumerate(table["rows"])]
            for place, expectation in enumerate(table.get("expectations", [])):
                sides = ("better", "than")
                found += [((section, name, "expectations", place, side), expectation[side]) for side in sides]
    return found


def stable(settings: dict) -> dict:
    """The same settings with sorted keys at every level: the order in the config's file means nothing."""
    return json.loads(json.dumps(settings, sort_keys=True))
