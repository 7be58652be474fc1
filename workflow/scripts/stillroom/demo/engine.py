"""Questions to the workers, and their answers with the passages' texts."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from stillroom.demo.passages import Passage, Passages
from stillroom.demo.systems import System
from stillroom.vectors import is_vectors

DEPTH = 10


class Answer(NamedTuple):
    """The first passages of one system with their scores, and the milliseconds within the workers.

    A BM25 encodes nothing.
    """

    passages: list[tuple[Passage, float]]
    encode_ms: float | None
    search_ms: float


class Engine:
    """Answers queries; one at a time, so that no system disturbs the clock of another.

    `ask` takes a kind of worker, a function of its module and its arguments, `passages` are those of each corpus.
    """

    def __init__(self, ask: Callable, passages: dict[str, Passages]):
        self.ask, self.passages, self.lock = ask, passages, Lock()

    def answer(self, system: System, query: str) -> Answer:
        """What a system finds."""
        with self.lock:
            return self.of_bm25(system, query) if system.bm25 else self.of_ranker(system, query)

    def of_bm25(self, system: System, query: str) -> Answer:
        """The answer of a BM25."""
        folder = str(system.index_folder)
        found = self.ask("lucene", "search", index_folder=folder, **system.bm25, query=query, depth=DEPTH)
        passage_ids, scores, seconds = found
        passages = self.passages[system.corpus]
        rows = passages.ids.find_all(passage_ids, path=folder, kind="passage")
        return Answer(list(zip(passages.at(rows), scores, strict=True)), None, 1000 * seconds)

    def of_ranker(self, system: System, query: str) -> Answer:
        """The answer of a ranker with an index."""
        vectors_QD, encoding = self.ask("encoder", "encode", model_folder=str(system.model_folder), query=query)
        rows, scores, searching = self.searched(system.index_folder / "index", system.parameters, vectors_QD)
        passages = self.passages[system.corpus].at(rows)
        return Answer(list(zip(passages, scores.tolist(), strict=True)), 1000 * encoding, 1000 * searching)

    def searched(self, index_path: Path, parameters: dict[str, int], vectors_QD):
        """Rows, scores and seconds of a search; an exact index is a file of vectors, which is not loaded."""
        question = {"index_path": str(index_path), "vectors_QD": vectors_QD, "depth": DEPTH}
        if is_vectors(index_path):
            return self.ask("encoder", "search", **question)
        return self.ask("approximate", "search", **question, parameters=parameters)
