"""What the query explorer shows: queries, what systems find for them, judgements and texts, within a budget of bytes.

The passages are by far the most. They are packed in blocks of queries, which a browser opens one at a time; queries
come in an order in which every beginning is a fair choice, and the blocks end where the budget does.
"""

import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from stillroom.parquet import open_parquet
from stillroom.report.data import packed
from stillroom.runs import RUN, read_qrels

logger = logging.getLogger(__name__)

QUERIES_PER_BLOCK = 50
LEAST_BYTES = 300  # of a packed query with short texts: no more queries are looked at than could have room
RELEVANT_SHOWN = 5  # passages that are known to be relevant, of a query
LETTERS_SHOWN = 2_000  # of a passage
RUN_COLUMNS = ["query_id", "passage_id", "rank", "score"]
DECIMALS = 4


class Explored(NamedTuple):
    """A test set with the systems that are shown on it; files in the same order as systems."""

    name: str
    queries_path: str
    qrels_path: str
    passages_path: str
    systems: list[dict]  # {"system", "label"}
    metrics_paths: list[str]
    run_paths: list[str]


class Explorer(NamedTuple):
    """One test set in the page: its list of queries, and blocks of what systems find for them."""

    name: str
    index: str
    blocks: list[str]
    shown: int
    queries: int  # that are judged


def explore(test_sets: Sequence[Explored], *, passages: int, megabytes: float) -> list[Explorer]:
    """The packed data of all test sets; what small ones leave of their equal shares is left to the others."""
    left, made = megabytes * 1e6, {}
    counted = [(pq.read_metadata(test_set.queries_path).num_rows, test_set) for test_set in test_sets]
    for place, (_, test_set) in enumerate(sorted(counted, key=lambda pair: (pair[0], pair[1].name))):
        made[test_set.name] = explore_test_set(test_set, passages, left / (len(test_sets) - place))
        left -= len(made[test_set.name].index) + sum(map(len, made[test_set.name].blocks))
        logger.info("%s: %d of %d queries", test_set.name, made[test_set.name].shown, made[test_set.name].queries)
    return [made[test_set.name] for test_set in test_sets]


def explore_test_set(test_set: Explored, passages: int, budget: float) -> Explorer:
    """The packed data of one test set: as many queries as there is room for."""
    metrics = [json.loads(Path(path).read_text(encoding="utf-8")) for path in test_set.metrics_paths]
    texts = query_texts(test_set.queries_path)
    measured = judged(metrics)
    values = values_by_query(metrics, [query_id for query_id in texts if query_id in measured])
    ordered = fair_order(values)[: int(budget / LEAST_BYTES) + 1]
    found = Found(test_set, ordered, passages, metrics[0]["min_relevance"])
    blocks, shown, used = [], [], 0
    for first in range(0, len(ordered), QUERIES_PER_BLOCK):
        query_ids = ordered[first : first + QUERIES_PER_BLOCK]
        block = packed(found.block(query_ids))
        used += len(block) + len(packed(listed(query_ids, texts, values)))
        if used > budget:
            break
        blocks.append(block)
        shown += query_ids
    index = {
        "systems": test_set.systems,
        "min_relevance": metrics[0]["min_relevance"],
        "per_block": QUERIES_PER_BLOCK,
        **listed(shown, texts, values),
    }
    return Explorer(test_set.name, packed(index), blocks, len(shown), len(measured))


def listed(query_ids: list[str], texts: dict[str, str], values: dict[str, pd.DataFrame]) -> dict:
    """What the list of queries says of them: their texts, and every measure of each system."""
    return {
        "queries": [[query_id, texts[query_id]] for query_id in query_ids],
        "values": {
            measure: frame.loc[query_ids].round(DECIMALS).T.to_numpy().tolist() for measure, frame in values.items()
        },
    }


def judged(metrics: list[dict]) -> set[str]:
    """The queries that all systems are measured on."""
    each = [next(iter(content["measures"].values()))["by_query"].keys() for content in metrics]
    return set.intersection(*map(set, each))


def query_texts(path: str | Path) -> dict[str, str]:
    """Query id → text, in the order of the file."""
    table = pq.read_table(path, columns=["query_id", "text"])
    return dict(zip(*(table[name].to_pylist() for name in ("query_id", "text")), strict=True))


def values_by_query(metrics: list[dict], query_ids: list[str]) -> dict[str, pd.DataFrame]:
    """Measure → a row per query and a column per system, of the measures that all of them have."""
    shared = [name for name in metrics[0]["measures"] if all(name in content["measures"] for content in metrics)]
    return {
        name: pd.DataFrame(
            {place: content["measures"][name]["by_query"] for place, content in enumerate(metrics)}, index=query_ids
        )
        for name in shared
    }


def fair_order(values: dict[str, pd.DataFrame]) -> list[str]:
    """The queries in turn by how much systems differ in the first measure, and as a hash of their ids draws them."""
    frame = next(iter(values.values()))
    spread = (frame.max(axis=1) - frame.min(axis=1)).to_numpy()
    by_difference = [frame.index[place] for place in np.argsort(-spread, kind="stable")]
    drawn = sorted(frame.index, key=lambda query_id: (zlib.crc32(query_id.encode()), query_id))
    return list(dict.fromkeys(chain.from_iterable(zip(by_difference, drawn, strict=True))))


class Found:
    """What the systems of a test set find for some queries, their judgements, and the texts."""

    def __init__(self, test_set: Explored, query_ids: list[str], passages: int, min_relevance: int):
        qrels = read_qrels(test_set.qrels_path)
        qrels = qrels[qrels["query_id"].isin(query_ids)]
        self.grades = {query_id: {} for query_id in query_ids}
        for query_id, passage_id, grade in qrels.itertuples(index=False):
            self.grades[query_id][passage_id] = grade
        self.relevant = {
            query_id: [passage_id for passage_id in best_first(grades) if grades[passage_id] >= min_relevance]
            for query_id, grades in self.grades.items()
        }
        self.passages = passages
        relevant = pa.array(sorted(set(chain.from_iterable(self.relevant.values()))), pa.string())
        self.runs = [by_query(read_first(path, passages, relevant), query_ids) for path in test_set.run_paths]
        self.texts = passage_texts(test_set.passages_path, self.wanted(query_ids))

    def wanted(self, query_ids: list[str]) -> pa.Array:
        """The passages that are shown."""
        shown = {passage_id for query_id in query_ids for passage_id in self.relevant[query_id][:RELEVANT_SHOWN]}
        for run in self.runs:
            for lines in run.values():
                shown.update(passage_id for passage_id, rank, _ in lines if rank <= self.passages)
        return pa.array(sorted(shown), pa.string())

    def block(self, query_ids: Sequence[str]) -> dict:
        """What is shown of some queries; passages are named by their place in the block's list of them."""
        places: dict[str, int] = {}

        def place_of(passage_id: str) -> int:
            return places.setdefault(passage_id, len(places))

        queries = {query_id: self.query(query_id, place_of) for query_id in query_ids}
        return {"queries": queries, "passages": [[name, shortened(self.texts.get(name, ""))] for name in places]}

    def query(self, query_id: str, place_of) -> dict:
        """`runs`: (passage, score) best first, per system; `relevant`: (passage, its rank in each system's run)."""
        found = [run.get(query_id, []) for run in self.runs]
        first = [[line for line in lines if line[1] <= self.passages] for lines in found]
        ranks = [{name: rank for name, rank, _ in lines} for lines in found]
        relevant, grades = self.relevant[query_id], self.grades[query_id]
        named = dict.fromkeys([*(name for lines in first for name, *_ in lines), *relevant[:RELEVANT_SHOWN]])
        return {
            "runs": [[(place_of(name), significant(score)) for name, _, score in lines] for lines in first],
            "relevant": [(place_of(name), [each.get(name) for each in ranks]) for name in relevant[:RELEVANT_SHOWN]],
            "relevant_count": len(relevant),
            "grades": [(place_of(name), grades[name]) for name in named if name in grades],
        }


def best_first(grades: dict[str, int]) -> list[str]:
    """The judged passages of a query, best grade first."""
    return sorted(grades, key=lambda passage_id: (-grades[passage_id], passage_id))


def significant(score: float) -> float:
    """A score with the digits that a reader may compare."""
    return float(f"{score:.6g}")


def shortened(text: str) -> str:
    """A text that is not longer than what is shown of it."""
    return text if len(text) <= LETTERS_SHOWN else text[:LETTERS_SHOWN].rsplit(" ", 1)[0] + " …"


def read_first(path: str | Path, depth: int, relevant: pa.Array) -> Iterator[pa.RecordBatch]:
    """The lines of a run down to a rank, and those of relevant passages below it.

    The run has been checked when it was measured, so it is read by Arrow alone, which is many times as fast.
    """
    reader = csv.open_csv(
        path,
        csv.ReadOptions(column_names=RUN.names, block_size=1 << 24),
        csv.ParseOptions(delimiter=" ", quote_char=False),
        csv.ConvertOptions(column_types=RUN, include_columns=RUN_COLUMNS, strings_can_be_null=False),
    )
    for batch in reader:
        shown = pc.less_equal(batch["rank"], depth)
        yield batch.filter(pc.or_(shown, pc.is_in(batch["passage_id"], relevant)))


def by_query(batches: Iterator[pa.RecordBatch], query_ids: list[str]) -> dict[str, list[tuple[str, int, float]]]:
    """Query → (passage, rank, score), best first."""
    wanted, found = pa.array(query_ids, pa.string()), {}
    for batch in batches:
        own = batch.filter(pc.is_in(batch["query_id"], wanted))
        for query_id, *line in zip(*(own[name].to_pylist() for name in RUN_COLUMNS), strict=True):
            found.setdefault(query_id, []).append(tuple(line))
    return {query_id: sorted(lines, key=lambda line: line[1]) for query_id, lines in found.items()}


def passage_texts(path: str | Path, passage_ids: pa.Array) -> dict[str, str]:
    """The texts of some passages."""
    texts = {}
    for batch in open_parquet(path).iter_batches(columns=["passage_id", "text"]):
        found = batch.filter(pc.is_in(batch["passage_id"], passage_ids))
        texts.update(zip(*(found[name].to_pylist() for name in ("passage_id", "text")), strict=True))
    return texts
