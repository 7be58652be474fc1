"""TREC files: runs (`query_id Q0 passage_id rank score tag`) and qrels (`query_id 0 passage_id grade`).

Lines end at \\n only and columns at ASCII white space: ids may hold what only Unicode calls space.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from stillroom.files import atomic_path

QUERIES_PER_BLOCK = 256
BLOCK_BYTES = 1 << 23  # of a file that is read in blocks: some 200,000 lines of a run
SPACE_SEPARATED = csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")


class Ranking(NamedTuple):
    """What a system returns for one query, in any order."""

    query_id: str
    passage_ids: np.ndarray
    scores: np.ndarray


class Judgement(NamedTuple):
    """How relevant a passage is to a query; grades are whole numbers, some collections have -1."""

    query_id: str
    passage_id: str
    grade: int


RUN = pa.schema(
    {
        "query_id": pa.string(),
        "Q0": pa.string(),
        "passage_id": pa.string(),
        "rank": pa.int64(),
        "score": pa.float64(),
        "tag": pa.string(),
    }
)
# Arrow prints a float32 with as many digits as bring it back.
RUN_FLOAT32 = RUN.set(RUN.get_field_index("score"), pa.field("score", pa.float32()))
RANKED = ["query_id", "passage_id", "rank", "score"]
QRELS = pa.schema({"query_id": pa.string(), "iteration": pa.string(), "passage_id": pa.string(), "grade": pa.int64()})


# Writing


def write_run(path: str | Path, ranked: Iterable[Ranking], tag: str, depth: int | None = None) -> None:
    """Write rankings as a TREC run, best first, down to `depth`, with scores that no evaluator finds equal.

    trec_eval ignores ranks, reads scores as float32 and orders equal ones by passage id, other evaluators in
    their own ways. So ties are settled here, and scores then decrease strictly as float32.
    """
    rankings = iter(ranked)
    written = set()
    with (
        atomic_path(path) as unfinished,
        csv.CSVWriter(unfinished, RUN_FLOAT32, write_options=SPACE_SEPARATED) as writer,
    ):
        while block := list(islice(rankings, QUERIES_PER_BLOCK)):
            for query_id, *_ in block:
                if query_id in written:
                    raise ValueError(f"{path}: found two rankings of query {query_id}, expected one.")
                written.add(query_id)
            writer.write_table(run_table([ordered(*ranking, depth) for ranking in block], tag))


def run_table(rankings: list[Ranking], tag: str) -> pa.Table:
    """The lines of a run for some ordered rankings."""
    lengths = [len(ranking.passage_ids) for ranking in rankings]
    columns = {
        "query_id": np.repeat([ranking.query_id for ranking in rankings], lengths),
        "Q0": np.repeat("Q0", sum(lengths)),
        "passage_id": np.concatenate([ranking.passage_ids for ranking in rankings]),
        "rank": np.concatenate([np.arange(1, length + 1) for length in lengths]),
        "score": np.concatenate([ranking.scores for ranking in rankings]),
        "tag": np.repeat(tag, sum(lengths)),
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in RUN_FLOAT32], RUN_FLOAT32)
    check_words(table, ["query_id", "passage_id", "tag"])
    return table


def ordered(query_id: str, passage_ids: np.ndarray, scores: np.ndarray, depth: int | None = None) -> Ranking:
    """The ranking sorted by score, ties by a hash of the passage id, with strictly decreasing float32 scores.

    By a hash, because the order of candidates, of positions or of ids may know something about relevance.
    """
    passage_ids, scores = np.asarray(passage_ids, dtype=str), np.asarray(scores, dtype=np.float64)
    check_ranking(query_id, passage_ids, scores)
    hashes = np.array([zlib.crc32(passage_id.encode()) for passage_id in passage_ids], dtype=np.uint32)
    order = np.lexsort((passage_ids, hashes, -scores))[:depth]  # the last key counts first
    decreasing = strictly_decreasing(scores[order])
    if not np.isfinite(decreasing).all():
        raise ValueError(f"query {query_id}: found a score beyond float32, expected at most 3.4e38 in size.")
    return Ranking(query_id, passage_ids[order], decreasing)


def check_ranking(query_id: str, passage_ids: np.ndarray, scores: np.ndarray) -> None:
    """Refuse what no evaluator can rank."""
    if passage_ids.shape != scores.shape:
        raise ValueError(f"query {query_id}: found {scores.size} scores for {passage_ids.size} passages.")
    if (nan := np.isnan(scores)).any():
        raise ValueError(f"query {query_id}: found NaN as the score of {passage_ids[nan][0]}, expected a number.")
    values, counts = np.unique(passage_ids, return_counts=True)
    if len(values) < len(passage_ids):
        raise ValueError(f"query {query_id}: found passage {values[counts > 1][0]} twice, expected it once.")


def strictly_decreasing(scores: np.ndarray) -> np.ndarray:
    """The sorted scores as float32; where one is not below its predecessor, the next float32 below that.

    Neighbouring float32 values have neighbouring bit patterns. Counted from zero in both directions, the
    patterns are integers in the order of the values, and the smallest change is a running minimum of them.
    """
    with np.errstate(over="ignore"):  # becomes infinite, which the caller reports
        bits = scores.astype(np.float32).view(np.int32).astype(np.int64)
    lowest = -(2**31)  # the pattern of -0.0
    steps = np.where(bits < 0, lowest - bits, bits)
    places = np.arange(len(steps))
    steps = np.minimum.accumulate(steps + places) - places
    bits = np.where(steps < 0, lowest - steps, steps)
    return bits.astype(np.int32).view(np.float32)


def write_qrels(path: str | Path, judgements: Iterable[Judgement]) -> None:
    """Write judgements as TREC qrels, in the order given."""
    frame = pd.DataFrame(judgements, columns=Judgement._fields).assign(iteration="0")
    table = pa.Table.from_pandas(frame, QRELS, preserve_index=False)
    check_words(table, ["query_id", "passage_id"])
    check_pairs(frame, path)
    with atomic_path(path) as unfinished:
        csv.write_csv(table, unfinished, SPACE_SEPARATED)


def check_words(table: pa.Table, names: list[str]) -> None:
    """Refuse ids and tags that would break the columns of a TREC file."""
    for name in names:
        broken = pc.filter(table[name], pc.match_substring_regex(table[name], r'[\s"]|^$'))
        if len(broken):
            raise ValueError(f'found the {name} "{broken[0]}", expected a word without space or quote.')


# Reading


def read_run(path: str | Path) -> pd.DataFrame:
    """The lines of a whole run: query_id, passage_id, rank, score. (`iter_rankings` keeps a block of them only.)"""
    run = read_columns(path, RUN)
    check_pairs(run, path)
    return run[RANKED]


def iter_rankings(path: str | Path) -> Iterator[pd.DataFrame]:
    """The lines of a run as `read_run` has them, in blocks of whole queries, so that memory is that of a block.

    The lines of a query have to stand together, as they do in every run that is written here.
    """
    ended: set[str] = set()
    begun = []  # lines of the last query, which may go on in the next block
    for block in iter_columns(path, RUN):
        lines = pd.concat([*begun, block])
        last = first_lines(lines)[-1]
        begun = [lines.iloc[last:]]
        if last:
            yield checked_block(lines.iloc[:last], ended, path)
    if begun:
        yield checked_block(begun[0], ended, path)


def first_lines(lines: pd.DataFrame) -> np.ndarray:
    """The place of every query's first line, and of every other that follows one of another query."""
    query_ids = lines["query_id"]
    return np.flatnonzero(query_ids != query_ids.shift())


def checked_block(lines: pd.DataFrame, ended: set[str], path: str | Path) -> pd.DataFrame:
    """The lines, unless a query is among the `ended` ones, to which its queries are added, or has a passage twice."""
    places = first_lines(lines)
    for place, query_id in zip(places, lines["query_id"].iloc[places], strict=True):
        if query_id in ended:
            raise ValueError(
                f"{path}, line {lines.index[place] + 1}: found query {query_id} again after another one, expected all "
                "lines of a query together; sort the run by query."
            )
        ended.add(query_id)
    check_pairs(lines, path)
    return lines[RANKED].reset_index(drop=True)


def read_qrels(path: str | Path) -> pd.DataFrame:
    """The judgements: query_id, passage_id, grade."""
    qrels = read_columns(path, QRELS)
    check_pairs(qrels, path)
    return qrels[["query_id", "passage_id", "grade"]]


def check_pairs(frame: pd.DataFrame, path: str | Path) -> None:
    """Refuse a second line for the same query and passage; the frame's index counts the lines of the file from 0."""
    repeated = frame.duplicated(["query_id", "passage_id"]).to_numpy()
    if repeated.any():
        place = int(repeated.argmax())
        query_id, passage_id = frame[["query_id", "passage_id"]].iloc[place]
        raise ValueError(
            f"{path}, line {frame.index[place] + 1}: found query {query_id}, passage {passage_id} again, expected it "
            "once."
        )


def read_columns(path: str | Path, columns: pa.Schema) -> pd.DataFrame:
    """The columns of a whole TREC file."""
    blocks = list(iter_columns(path, columns))
    return pd.concat(blocks) if blocks else pd.DataFrame([], columns=columns.names)


def iter_columns(path: str | Path, columns: pa.Schema) -> Iterator[pd.DataFrame]:
    """The columns of a TREC file in blocks of lines, which the index counts from 0."""
    first = 0
    with open(path, "rb") as file:  # binary: other modes also break lines at a lone \r
        while text := file.read(BLOCK_BYTES):
            block = parse_block(text + file.readline(), columns, path, first)
            block.index = pd.RangeIndex(first, first + len(block))
            first += len(block)
            yield block


def parse_block(text: bytes, columns: pa.Schema, path: str | Path, first: int) -> pd.DataFrame:
    """The columns of some lines: at once if single spaces part them, else by line, which finds errors."""
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=columns.names),
            csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=columns, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return parse_lines(text, columns, path, first)
    return table.to_pandas() if all(map(is_clean, table.columns)) else parse_lines(text, columns, path, first)


def is_clean(column: pa.ChunkedArray) -> bool:
    """Whether a column holds neither empty words nor tabs, or only finite numbers."""
    if pa.types.is_string(column.type):
        broken = pc.or_(pc.equal(column, ""), pc.match_substring(column, "\t"))
    else:
        broken = pc.invert(pc.is_finite(column))
    return not pc.any(broken).as_py()


def parse_lines(text: bytes, columns: pa.Schema, path: str | Path, first: int) -> pd.DataFrame:
    """The columns of lines that are parted by any white space; a malformed line ends in one sentence."""
    rows = [parse_line(line, columns, f"{path}, line {n}") for n, line in enumerate(BytesIO(text), first + 1)]
    return pd.DataFrame(rows, columns=columns.names)


def parse_line(line: bytes, columns: pa.Schema, place: str) -> list[Any]:
    """The values of one line."""
    words = line.split()
    if len(words) != len(columns):
        raise ValueError(
            f"{place}: found {len(words)} columns ({line.decode(errors='replace').strip()!r}),"
            f" expected {len(columns)}: {' '.join(columns.names)}."
        )
    return [parse_word(word, field, place) for word, field in zip(words, columns, strict=True)]


def parse_word(word: bytes, field: pa.Field, place: str) -> Any:
    """The value of one word, of its column's type."""
    parse, kind = {
        pa.string(): (bytes.decode, "UTF-8 text"),
        pa.int64(): (int, "a whole number"),
        pa.float64(): (finite, "a finite number"),
    }[field.type]
    try:
        return parse(word)
    except ValueError:
        found = word.decode(errors="replace")
        raise ValueError(f'{place}: found "{found}" as {field.name}, expected {kind}.') from None


def finite(word: bytes) -> float:
    """The number that is written, unless it is NaN or infinite."""
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(word)
    return number
