"""What the figures of an experiment show: what its tables name, and what the rankers behind them are made with.

A figure asks for nothing that the tables do not need as well.
"""

from collections.abc import Iterator

from stillroom.config import labels_of, named_systems, rankers_in, seeds_of, systems_of
from stillroom.config_rankers import is_trained, parents
from stillroom.config_reranking import rerankings_of

TEACHER, STUDENT = "teacher", "student"
BALANCED = "tas_balanced"
SAME_COSTS = ("architecture", "encoder", "join_layer", "contextual_layers")
NOTHING = "–"


def name_of(row: dict) -> str:
    """A row's labels as one."""
    return ", ".join(label for label in labels_of(row) if label != NOTHING)


def rankers_behind(config: dict) -> dict[str, list[int]]:
    """Ranker → seeds, of all that the tables need: their own and what these learn from, in the config's order."""
    seeds, first = seeds_of(config, config["rankers"]), config["seeds"][0]
    systems = [*(system for _, system in named_systems(config)), *config["published"]["rows"]]
    found = {(ranker, seed) for system in systems for ranker in rankers_in(system) for seed in seeds[ranker]}
    members = [
        name for system in systems if "teacher" in system for name in config["teachers"][system["teacher"]]["average"]
    ]
    timed = [row["ranker"] for table in config["efficiency_tables"].values() for row in table["rows"]]
    searching = [table["ranker"] for table in config["search_tables"].values()]
    found |= {(ranker, first) for ranker in (*members, *timed, *searching)}
    waiting = sorted(found)
    while waiting:
        ranker, _ = waiting.pop()
        new = {(name, first) for name in parents(config, config["rankers"][ranker])} - found
        found |= new
        waiting += sorted(new)
    return {
        name: each for name in config["rankers"] if (each := sorted(seed for ranker, seed in found if ranker == name))
    }


def trained_behind(config: dict) -> dict[str, list[int]]:
    """As `rankers_behind`, of those that are trained."""
    return {name: seeds for name, seeds in rankers_behind(config).items() if is_trained(config["rankers"][name])}


def what_runs(config: dict) -> dict:
    """What the workflow's graph depends on: kinds of tables, ways of retrieval, and which ranker learns from which."""
    sections = ("tables", "length_tables", "efficiency_tables", "search_tables", "published")
    return {
        "tables": [name for name in sections if config[name].get("rows", config[name])],
        "ways": sorted({system.get("way", "bm25") for _, system in named_systems(config)}),
        "learns_from": {
            name: sorted({*parents(config, config["rankers"][name])}) for name in sorted(rankers_behind(config))
        },
    }


# Effectiveness against latency


def cost_figures(config: dict) -> dict[str, str]:
    """Efficiency table → the table that says how good its rankers, or others like them, are when they re-rank.

    That is the first with the most of its rows; where none has one, there is no such figure.
    """
    found = {}
    for name, costs in config["efficiency_tables"].items():
        covered = {
            table: len({row["label"] for row, _ in timed_rows(config, costs, table)}) for table in config["tables"]
        }
        if covered and max(covered.values()):
            found[name] = max(covered, key=covered.get)
    return found


def timed_rows(config: dict, costs: dict, table: str) -> Iterator[tuple[dict, dict]]:
    """(row of an efficiency table, row of a table) of the same ranker or of one that costs the same, re-ranking."""
    for row in config["tables"][table]["rows"]:
        if row.get("way") in rerankings_of(config) and "ranker" in row:
            same = [timed for timed in costs["rows"] if timed["ranker"] == row["ranker"]]
            same += [timed for timed in costs["rows"] if costs_the_same(config, timed["ranker"], row["ranker"])]
            if same:
                yield same[0], row


def costs_the_same(config: dict, one: str, other: str) -> bool:
    """Whether two rankers compute the same, whatever they learnt."""
    return all(config["rankers"][one][key] == config["rankers"][other][key] for key in SAME_COSTS)


def cost_settings(config: dict, efficiency_table: str) -> dict:
    """What the figure of an efficiency table shows: the rankers of a table, with what they learnt from."""
    costs, name = config["efficiency_tables"][efficiency_table], cost_figures(config)[efficiency_table]
    table, seeds, first = config["tables"][name], seeds_of(config, config["rankers"]), config["seeds"][0]
    points = {
        row["ranker"]: {
            "name": name_of(row),
            "label": timed["label"],
            "timed": f"{timed['ranker']}/seed-{first}/rerank",
            "teacher": learnt_from(config["rankers"][row["ranker"]]),
            "systems": systems_of(row, seeds),
        }
        for timed, row in timed_rows(config, costs, name)
    }
    return {
        "title": costs["title"],
        "test_sets": table["test_sets"],
        "measure": table["measures"][0],
        "baseline": baseline_of(table),
        "teachers": list(dict.fromkeys(point["teacher"] for point in points.values())),
        "points": [*points.values()],
    }


def learnt_from(ranker: dict) -> str:
    """What the legend calls a ranker by."""
    if not is_trained(ranker):
        return "checkpoint" if ranker["checkpoint"] else "not trained"
    teacher = ranker["teacher"] or (ranker["in_batch"] or {}).get("teacher")
    return f"teacher {teacher}" if teacher else "no teacher"


def baseline_of(table: dict) -> dict | None:
    """The first BM25 of a table."""
    return next(({"label": name_of(row), "system": row["bm25"]} for row in table["rows"] if "bm25" in row), None)


# Score distributions


def score_figures(config: dict) -> list[str]:
    """The teachers with a student in the tables."""
    return [
        teacher
        for teacher in config["teachers"]
        if any(row["role"] == STUDENT for row in scoring_rows(config, teacher).values())
    ]


def score_settings(config: dict, teacher: str) -> dict:
    """What the figure of a teacher shows: the runs of its rankers and its students, on the test set with the most."""
    rows = scoring_rows(config, teacher)
    test_sets = [row["test_set"] for row in rows.values()]
    student = min(name for name in trained_behind(config) if config["rankers"][name]["teacher"] == teacher)
    return {
        "teacher": teacher,
        "training_set": config["rankers"][student]["training_set"],
        "test_set": test_sets[0],
        "min_relevance": config["test_sets"][test_sets[0]]["min_relevance"],
        "depth": config["reranking"]["depth"],
        "rows": [
            {key: row[key] for key in ("label", "role", "system", "way")} | {"temperature": temperature_of(config, row)}
            for row in rows.values()
        ],
    }


def temperature_of(config: dict, row: dict) -> float:
    """What the scores of a row's run have yet to be divided by: re-ranking has done it, searches have not."""
    return 1.0 if row["way"] in rerankings_of(config) else config["rankers"][row["ranker"]]["temperature"]


def scoring_rows(config: dict, teacher: str) -> dict[str, dict]:
    """Ranker → label, role, system, way and test set of a teacher's own rankers, and then of its students.

    All on one test set, that of most of them; re-ranking where a table has a ranker so, since candidates are then the
    same; with the first seed. In the order of the tables' rows.
    """
    roles = {name: TEACHER for name in config["teachers"][teacher]["average"] or []}
    roles |= {name: STUDENT for name, ranker in config["rankers"].items() if ranker["teacher"] == teacher}
    found = [
        {**row, "label": name_of(row), "role": roles[row["ranker"]], "test_set": test_set}
        for table in config["tables"].values()
        for row in table["rows"]
        for test_set in table["test_sets"]
        if row.get("ranker") in roles
    ]
    on = {
        row["test_set"]: len({other["ranker"] for other in found if other["test_set"] == row["test_set"]})
        for row in found
    }
    best = max(on, key=on.get, default=None)
    mine = [row for row in found if row["test_set"] == best]
    mine.sort(key=lambda row: (row["role"] == STUDENT, row["way"] not in rerankings_of(config)))
    first, chosen = seeds_of(config, roles), {}
    for row in mine:
        system = f"{row['ranker']}/seed-{first[row['ranker']][0]}/{row['way']}"
        chosen.setdefault(row["ranker"], {**row, "system": system})
    return chosen


# Gains and losses


def gain_figures(config: dict) -> list[tuple[str, str]]:
    """(table, test set) of the tables with a BM25 and something to compare with it."""
    return [
        (name, test_set)
        for name, table in config["tables"].items()
        if baseline_of(table) and any("bm25" not in row for row in table["rows"])
        for test_set in table["test_sets"]
    ]


def gain_settings(config: dict, name: str, test_set: str) -> dict:
    """What is compared with a table's first BM25 on one of its test sets, in the table's first measure."""
    table, seeds = config["tables"][name], seeds_of(config, config["rankers"])
    baseline = baseline_of(table)
    others = [row for row in table["rows"] if row.get("bm25") != baseline["system"]]
    return {
        "title": table["title"],
        "test_set": test_set,
        "measure": table["measures"][0],
        "baseline": baseline,
        "rows": [{"label": name_of(row), "systems": systems_of(row, seeds)} for row in others],
    }


# Batches and clusters


def margin_figures(config: dict) -> dict[tuple[str, str], str]:
    """(teacher, clustering) → a ranker in the tables that is trained with batches balanced by them."""
    found = {}
    for name in sorted(trained_behind(config)):
        ranker = config["rankers"][name]
        if ranker["sampler"] == BALANCED:
            found.setdefault((ranker["teacher"], ranker["clustering"]), name)
    return found


def batch_settings(config: dict, teacher: str, clustering: str) -> dict:
    """How that ranker's batches are made."""
    ranker = config["rankers"][margin_figures(config)[teacher, clustering]]
    training = config["training"][ranker["training"]]
    sizes = {key: training[key] for key in ("batch_size", "positives", "negatives")}
    return {"training_set": ranker["training_set"], **sizes}


def cluster_figures(config: dict) -> dict[str, list[int]]:
    """Clustering → the sizes of the batches that are drawn from its clusters, of the rankers that the tables need."""
    sizes = {}
    for name in trained_behind(config):
        ranker = config["rankers"][name]
        if ranker["clustering"]:
            sizes.setdefault(ranker["clustering"], set()).add(config["training"][ranker["training"]]["batch_size"])
    return {clustering: sorted(each) for clustering, each in sizes.items()}
