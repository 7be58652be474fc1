"""Tables of what rankers cost."""

import csv
import json

import pytest

from stillroom.efficiency_tables import make_efficiency_table, three_digits

COST = {
    "test_set": "dev",
    "passages": 1000,
    "queries": 3,
    "device": "A GPU",
    "threads": 2,
    "parameters": 66_362_880,
    "peak_bytes": 512_345_678,
}
CAT = {**COST, "milliseconds": 2023.45, "uncached_milliseconds": 2023.45, "kept_bytes": None}
DOT = {**COST, "milliseconds": 23.71, "uncached_milliseconds": 900.5, "kept_bytes": 3072.0}
NOTHING = {"index": None, "published_milliseconds": None}
CAT_ROW = {**NOTHING, "label": "Cross", "ranker": "cross"}
DOT_ROW = {**NOTHING, "label": "Dot", "ranker": "dot"}


@pytest.fixture
def make(tmp_path):
    """A function that makes a table of (row, cost) and returns (CSV rows, Markdown, LaTeX); indexes are folders."""

    def make(*lines, source=None, index_folders=()):
        paths = []
        for row, cost in lines:
            path = tmp_path / row["label"] / "efficiency/dev" / row["ranker"] / "seed-1/rerank.json"
            paths.append(str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            if cost:
                path.write_text(json.dumps({"system": f"{row['ranker']}/seed-1/rerank", **cost}))
        rows = [row for row, _ in lines]
        make_efficiency_table(
            settings={"title": "Costs & more", "test_set": "dev", "source": source, "rows": rows},
            efficiency_paths=paths,
            index_folders=[str(path) for path in index_folders],
            **{f"{kind}_path": tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex", "html")},
        )
        with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        return found, *((tmp_path / f"table.{kind}").read_text("utf-8") for kind in ("md", "tex"))

    return make


@pytest.fixture
def write_index(tmp_path):
    """A function that writes an index of so many bytes for so many passages, and returns its folder."""

    def write(name, size, passages):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index").write_bytes(b"\n" * size)
        (tmp_path / name / "docid").write_text("".join(f"p{number:03}\n" for number in range(passages)))
        return tmp_path / name

    return write


def printed(markdown):
    """The cells of a Markdown table, header first."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1] + lines[2:]]


def test_the_csv_has_full_numbers_and_markdown_units_that_read_well(make):
    rows, markdown, latex = make((CAT_ROW, CAT), (DOT_ROW, DOT))
    measured = ["parameters", "milliseconds", "uncached_milliseconds", "stored_bytes", "peak_bytes"]
    assert list(rows[0]) == ["system", "label", *measured]
    assert [row["system"] for row in rows] == ["cross/seed-1/rerank", "dot/seed-1/rerank"]
    assert [float(rows[1][name]) for name in measured] == [66_362_880, 23.71, 900.5, 3072, 512_345_678]
    assert rows[0]["stored_bytes"] == ""
    assert printed(markdown) == [
        ["system", "parameters (M)", "ms per query", "ms, nothing kept", "kB per passage", "peak memory (MB)"],
        ["Cross", "66.4", "2,023", "2,023", "–", "512"],
        ["Dot", "66.4", "23.7", "900", "3.07", "512"],
    ]
    assert "**" not in markdown and r"\textbf" not in latex
    assert r"\caption{Costs \& more}" in latex and "Cross & 66.4 & 2,023 & 2,023 & -- & 512" in latex


def test_the_bytes_of_an_index_are_those_of_its_files_per_passage(make, write_index):
    exact, graph = write_index("exact", 3_000, 10), write_index("graph", 5_000, 10)
    first = (DOT_ROW | {"index": "exact"}, DOT)
    second = (DOT_ROW | {"label": "Dot, graph", "index": "graph"}, DOT)
    rows, markdown, _ = make(
        first, (CAT_ROW, CAT), (DOT_ROW | {"label": "Kept"}, DOT), second, index_folders=[exact, graph]
    )
    files = [sum(path.stat().st_size for path in folder.iterdir()) for folder in (exact, graph)]
    assert files == [3_050, 5_050]
    assert [row["stored_bytes"] for row in rows] == ["305.0", "", "3072.0", "505.0"]
    assert "kB per passage: the files of the index for Dot (exact), Dot, graph (graph); else what is kept" in markdown


def test_notes_say_how_it_was_measured_and_name_every_machine_once(make):
    other = {**DOT, "device": "A CPU", "threads": 1, "passages": 90}
    _, markdown, _ = make((CAT_ROW, CAT), (DOT_ROW, DOT), (DOT_ROW | {"label": "Other"}, other))
    notes = [line for line in markdown.splitlines() if line.startswith("- Re-ranking")]
    timed = "median over 3 queries, timed again for two seconds where it is quick, after a call for warming up"
    how = f"from token ids to float32 scores: {timed}"
    assert notes == [
        f"- Re-ranking 1,000 passages of dev for one query, {how}, on A GPU, 2 threads.",
        f"- Re-ranking 90 passages of dev for one query, {how}, on A CPU, 1 thread.",
    ]
    assert "Published" not in markdown


def test_published_numbers_stand_beside_the_measured_ones_with_their_source(make):
    row = DOT_ROW | {"published_milliseconds": 23.7}
    rows, markdown, latex = make((row, DOT), (CAT_ROW, CAT), source="A paper, Table 1")
    assert [row["published_milliseconds"] for row in rows] == ["23.7", ""]
    header, *lines = printed(markdown)
    assert header[2:4] == ["ms per query", "published ms"]
    assert [line[3] for line in lines] == ["23.7", "–"]
    assert "- Published: A paper, Table 1." in markdown and "Published: A paper, Table 1." in latex


def test_memory_that_the_system_does_not_tell_is_a_dash(make):
    rows, markdown, _ = make((DOT_ROW, {**DOT, "peak_bytes": None}))
    assert rows[0]["peak_bytes"] == "" and printed(markdown)[1][-1] == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123, "0.12"), (9.994, "9.99"), (13.64, "13.6"), (99.94, "99.9"), (1234.5, "1,234")],
)
def test_three_digits(value, text):
    assert three_digits(value) == text


def test_a_ranker_that_has_not_been_measured_is_blank_but_for_what_is_published(make):
    published = {**CAT_ROW, "published_milliseconds": 958}
    rows, markdown, _ = make((published, None), (DOT_ROW, DOT), source="a paper")
    assert rows[0]["system"] == "cross/seed-1/rerank"
    assert rows[0]["milliseconds"] == "" and float(rows[0]["published_milliseconds"]) == 958
    assert (
        "- Not measured yet: Cross, which the target " in markdown
        and "cross/seed-1/rerank.json will bring." in markdown
    )
    assert "Nothing of this table" in make(({**DOT_ROW, "label": "Else"}, None))[1]
