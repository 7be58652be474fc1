"""The systems of an experiment that can answer a typed query: those whose index is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from stillroom.config import retrieving_rankers, search_parameters, seeds_of
from stillroom.config_rankers import is_trained
from stillroom.config_report import tabled_systems

EXAMPLES = 5  # queries of test sets that the page offers
SHOWN = 3  # systems side by side


class System(NamedTuple):
    """What answers: a BM25, or a ranker with an index; `name` is the one in the paths of runs.

    A BM25 has the settings of its search, a ranker the folder of its model and what is set of its index.
    """

    name: str
    label: str
    corpus: str
    index_folder: Path
    bm25: dict | None = None
    model_folder: Path | None = None
    parameters: dict[str, int] | None = None
    is_trained: bool = False

    @property
    def files(self) -> list[Path]:
        """What has to be there, in the names of Snakemake's targets."""
        return [self.index_folder] if self.bm25 else [self.index_folder, self.model_folder / "model.safetensors"]

    @property
    def is_there(self) -> bool:
        """Whether it can answer."""
        return all(path.exists() for path in self.files)


def systems_of_corpus(config: dict, corpus: str, results: Path) -> list[System]:
    """Every system that searches a corpus, whether it is there or not: BM25s, then rankers, as in the config."""
    return [*bm25_systems(config, corpus, results), *ranker_systems(config, corpus, results)]


def bm25_systems(config: dict, corpus: str, results: Path) -> Iterator[System]:
    """The BM25s of the config, on the index that each searches."""
    labels = labels_of_systems(config)
    for name, settings in config["bm25"].items():
        folder = results / "corpora" / corpus / ("bm25_index_fields" if settings["fields"] else "bm25_index")
        searched = {key: settings[key] for key in ("k1", "b", "fields")}
        yield System(name, labels.get(name, name), corpus, folder, bm25=searched)


def ranker_systems(config: dict, corpus: str, results: Path) -> Iterator[System]:
    """The rankers that retrieve, with each of their seeds and every index."""
    labels, rankers = labels_of_systems(config), retrieving_rankers(config)
    for ranker, seeds in seeds_of(config, rankers).items():
        for seed in seeds:
            for index, block in config["indexes"].items():
                name = f"{ranker}/seed-{seed}/{index}"
                yield System(
                    name,
                    labels.get(name, ranker) + (f", seed {seed}" if len(seeds) > 1 else ""),
                    corpus,
                    results / "indexes" / corpus / ranker / f"seed-{seed}" / (block["of"] or index),
                    model_folder=results / "rankers" / ranker / f"seed-{seed}",
                    parameters=search_parameters(config, index),
                    is_trained=is_trained(config["rankers"][ranker]),
                )


def labels_of_systems(config: dict) -> dict[str, str]:
    """System → what the first table that has it in a row calls it."""
    return {system: block["label"] for system, block in tabled_systems(config).items()}


def shown_first(systems: list[System]) -> list[System]:
    """What the page shows before anyone chooses: the first BM25, the last two students, others if there are fewer."""
    students: dict[Path, System] = {}
    for system in systems:
        if system.is_trained:
            students.setdefault(system.model_folder.parent, system)  # the first seed and index of each
    best = [system for system in systems if system.bm25][:1] + list(students.values())[-2:]
    more = [system for system in systems if system not in best]
    return sorted([*best, *more[: SHOWN - len(best)]], key=systems.index)


def example_queries(config: dict, corpus: str, results: Path) -> list[str]:
    """A few queries of the test sets that search a corpus, as far as they are there."""
    found = []
    for name, test_set in config["test_sets"].items():
        path = results / "test_sets" / name / "queries.parquet"
        if test_set["corpus"] == corpus and path.exists():
            texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
            found += texts[:: max(1, len(texts) // EXAMPLES)][:EXAMPLES]
    return list(dict.fromkeys(found))[:EXAMPLES]


def check_any(systems: list[System], results: Path, command: str) -> None:
    """Stop with one sentence where nothing can answer; `command` is how Snakemake is called for this experiment."""
    if not any(system.is_there for system in systems):
        alone = [f", `{command} -- {system.index_folder}` BM25's index alone" for system in systems if system.bm25]
        raise FileNotFoundError(
            f"{results}: nothing here can be searched yet, expected an index; `{command} -- all` makes everything"
            f"{''.join(alone[:1])}."
        )
