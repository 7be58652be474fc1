"""Tables and figures of exact against approximate search."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from stillroom.figures.captions import read_caption
from stillroom.figures.search import draw, plot_search
from stillroom.runs import Ranking, read_run, write_run
from stillroom.search_tables import first_passages, make_search_table, recall

SEARCH = {"test_set": "dev", "queries": 100, "depth": 4, "device": "A CPU", "threads": 1}
BUILD = {"passages": 4000, "dimensions": 384, "device": "A CPU", "threads": 8}
SETTINGS = {
    "title": "Search & more",
    "test_set": "dev",
    "measures": ["nDCG@10", "RR@10"],
    "reference": "exact",
    "recall_at": 3,
    "label_columns": ["index", "search"],
    "seen": True,
    "sampled": [],
}
# (label, index, run of two queries, (nDCG@10, RR@10), milliseconds, build seconds, bytes of the index)
ROWS = [
    (["Flat", "all"], "exact", ["abcd", "efgh"], (0.6, 0.5), 2.0, 0.001, 6_144_000),
    (["Cells", "1"], "cells", ["abxx", "e"], (0.5, 0.45), 0.25, 0.1234, 6_200_000),
    (["Cells", "2"], "cells_2", ["xbac", "hgf"], (0.6, 0.5), 0.5, 0.1234, 6_200_000),
    (["Graph", "ef 16"], "graph", ["cba", ""], (0.6, 0.25), 0.05, 123.4, 7_000_000),
]
RECALLS = [1.0, (2 / 3 + 1 / 3) / 2, (2 / 3 + 2 / 3) / 2, (1 + 0) / 2]


def write_rankings(path, rankings):
    """A run of queries q0, q1, …; every letter is a passage, the first is best."""
    ranked = []
    for number, letters in enumerate(rankings):
        letters = letters.replace("xx", "xy")
        ranked.append(Ranking(f"q{number}", np.array([*letters], dtype=str), np.arange(len(letters), 0, -1.0)))
    write_run(path, ranked, "it")
    return path


@pytest.fixture
def make(tmp_path):
    """A function that makes the table and returns (CSV rows, Markdown, LaTeX)."""

    def make(without=None, **changes):
        paths, folders = {"metrics": [], "run": [], "search": [], "build": []}, []
        for _, index, rankings, (ndcg, rr), milliseconds, seconds, size in ROWS:
            system = {"system": f"dot/seed-1/{index}"}
            measures = {"nDCG@10": {"mean": ndcg}, "RR@10": {"mean": rr}}
            contents = {
                "metrics": {**system, "min_relevance": 2, "measures": measures},
                "search": {**system, **SEARCH, "milliseconds": milliseconds},
                "build": {**BUILD, "index": index, "build_seconds": seconds},
            }
            for kind, content in contents.items():
                path = tmp_path / kind / "dev/dot/seed-1" / f"{index}.json"
                paths[kind].append(str(path))
                path.parent.mkdir(parents=True, exist_ok=True)
                if index != without:
                    path.write_text(json.dumps(content))
            paths["run"].append(str(write_rankings(tmp_path / f"{index}.trec", rankings)))
            (tmp_path / index).mkdir(exist_ok=True)
            (tmp_path / index / "index").write_bytes(b"i" * size)
            (tmp_path / index / "docid").write_bytes(b"d" * 16_000)
            folders.append(str(tmp_path / index))
        rows = [{"label": label, "index": index} for label, index, *_ in ROWS]
        make_search_table(
            settings={**SETTINGS, "rows": rows, **changes},
            reference_path=tmp_path / "exact.trec",
            index_folders=folders,
            **{f"{kind}_paths": files for kind, files in paths.items()},
            **{f"{kind}_path": tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex", "html")},
        )
        with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        return found, *((tmp_path / f"table.{kind}").read_text("utf-8") for kind in ("md", "tex"))

    return make


def test_recall_is_the_share_of_the_references_first_passages_whatever_their_order(tmp_path):
    reference = write_rankings(tmp_path / "reference.trec", ["abcdef", "ghijkl", "m"])
    run = write_rankings(tmp_path / "run.trec", ["cbxaef", "yz", "m"])
    for one, depth, expected in [
        (reference, 3, 1),
        (run, 3, (2 / 3 + 0 + 1) / 3),  # a is fourth
        (run, 6, (5 / 6 + 0 + 1) / 3),
    ]:
        assert recall(first_passages(one, depth), first_passages(reference, depth)) == pytest.approx(expected)


def test_recall_is_that_of_a_loop_over_queries(tmp_path):
    random = np.random.default_rng(3)
    runs = []
    for name in ("one", "other"):
        ranked = []
        for number in range(35 if name == "one" else 40):
            passage_ids = random.permutation(30)[: random.integers(1, 20)].astype(str)
            ranked.append(Ranking(f"q{number}", passage_ids, -np.arange(len(passage_ids), dtype=float)))
        write_run(tmp_path / name, ranked, "it")
        runs.append(read_run(tmp_path / name))
    first = [{name: [*lines["passage_id"]][:7] for name, lines in run.groupby("query_id")} for run in runs]
    shares = [len({*first[0].get(query_id, [])} & {*ids}) / len(ids) for query_id, ids in first[1].items()]
    found = recall(*(first_passages(tmp_path / name, 7) for name in ("one", "other")))
    assert found == pytest.approx(np.mean(shares))


def test_the_csv_has_full_numbers(make):
    rows, _, _ = make()
    assert list(rows[0]) == [
        *("system", "label index", "label search", "nDCG@10", "RR@10", "recall@3"),
        *("index_bytes", "build_seconds", "milliseconds", "queries_per_second"),
    ]
    assert [row["system"] for row in rows] == [f"dot/seed-1/{index}" for _, index, *_ in ROWS]
    assert [float(row["recall@3"]) for row in rows] == pytest.approx(RECALLS)
    assert [float(row["RR@10"]) for row in rows] == [0.5, 0.45, 0.5, 0.25]
    assert [float(row["index_bytes"]) for row in rows] == [6_160_000, 6_216_000, 6_216_000, 7_016_000]
    assert [float(row["queries_per_second"]) for row in rows] == [500, 4000, 2000, 20_000]
    assert float(rows[3]["build_seconds"]) == 123.4 and float(rows[1]["milliseconds"]) == 0.25


def test_markdown_has_units_that_read_well_and_says_how_it_was_measured(make):
    _, markdown, latex = make()
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1] + lines[2:]]
    assert cells == [
        ["index", "search", "nDCG@10", "MRR@10", "recall@3 of exact", "MB", "build s", "queries/s"],
        ["Flat", "all", ".600", ".500", "1.000", "6.16", "0.00", "500"],
        ["Cells", "1", ".500", ".450", ".500", "6.22", "0.12", "4,000"],
        ["", "2", ".600", ".500", ".667", "6.22", "0.12", "2,000"],
        ["Graph", "ef 16", ".600", ".250", ".500", "7.02", "123", "20,000"],
    ]
    assert [line for line in markdown.splitlines() if line.startswith("- ")] == [
        "- nDCG@10, MRR@10: on dev. recall@3 of exact: the share of the first 3 passages of exact that are among the "
        "first 3.",
        "- queries/s: 1 / the median time of 100 single queries after one for warming up, from the vector of a query "
        "to its first 4 passages, on A CPU, 1 thread.",
        "- build s: from 4,000 vectors of 384 dimensions in memory to an index in memory, on A CPU, 8 threads "
        "(graphs: 1). MB: the files of the index.",
        "- The encoder has seen text of this kind in its own pre-training: not a zero-shot result.",
    ]
    assert r"\caption{Search \& more}" in latex and "Graph & ef 16 & .600 & .250 & .500 & 7.02" in latex


def test_an_encoder_that_has_not_seen_the_collection_needs_no_note(make):
    assert "pre-training" not in make(seen=False)[1]


@pytest.fixture
def plot(make, tmp_path):
    """A function that plots the table and returns the bytes of (SVG, PNG)."""

    def plot():
        make()
        files = {f"{kind}_path": tmp_path / f"figure.{kind}" for kind in ("csv", "svg", "png")}
        settings = {"title": "Search & more", "recall_at": 3}
        plot_search(settings=settings, **(files | {"csv_path": tmp_path / "table.csv"}))
        return files["svg_path"].read_bytes(), files["png_path"].read_bytes()

    return plot


def test_the_figure_is_a_picture_in_two_formats_and_the_same_every_time(plot, tmp_path):
    first = plot()
    assert ElementTree.fromstring(first[0]).tag.endswith("svg")
    assert imread(tmp_path / "figure.png").shape[:2] == (720, 1120)
    assert plot() == first


def test_points_are_the_rows_and_those_of_one_index_are_joined(make, tmp_path):
    rows, _, _ = make()
    axes = Figure().subplots()
    draw(axes, rows, {"title": "Search", "recall_at": 3})
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert list(drawn) == ["Flat", "Cells", "Graph"]
    assert drawn["Cells"] == [[4000, pytest.approx(0.5)], [2000, pytest.approx(2 / 3)]]
    assert [text.get_text() for text in axes.texts] == ["", "1", "2", ""]
    assert axes.get_xscale() == "log" and "recall@3" in axes.get_ylabel()


def test_one_column_of_labels_is_the_legend_alone():
    table = pd.DataFrame({"label": ["Flat", "Cells"], "queries_per_second": ["5", "9"], "recall@3": ["1", "0.5"]})
    axes = Figure().subplots()
    draw(axes, table.to_dict("records"), {"title": "Search", "recall_at": 3})
    assert [line.get_label() for line in axes.lines] == ["Flat", "Cells"]
    assert {text.get_text() for text in axes.texts} == {""}


def test_an_index_that_has_not_been_measured_is_blank_and_its_files_are_named(make):
    rows, markdown, _ = make(without="cells")
    assert rows[1]["system"] == "dot/seed-1/cells" and not any([*rows[1].values()][3:])
    assert float(rows[2]["recall@3"]) == pytest.approx(RECALLS[2])
    (note,) = [line for line in markdown.splitlines() if line.startswith("- Not measured yet")]
    assert note.startswith("- Not measured yet: Cells, 1, which the targets ")
    assert [path.rpartition("/")[2] for path in note.split()[9:-2]] == ["cells.json,", "cells.json,", "cells.json"]
    cells = [cell.strip() for cell in markdown.splitlines()[5].strip("|").split("|")]
    assert cells == ["Cells", "1", *[""] * 6]


def test_rows_that_are_not_measured_yet_are_named_and_a_figure_without_points_says_so(tmp_path):
    files = {"svg_path": tmp_path / "figure.svg", "png_path": tmp_path / "figure.png", "csv_path": tmp_path / "t.csv"}
    head, settings = "label,queries_per_second,recall@3\n", {"title": "Search", "recall_at": 3}
    files["csv_path"].write_text(f"{head}Flat,5,1\nCells,,\n")
    plot_search(settings=settings, **files)
    text = read_caption(files["svg_path"]).text
    assert "of 1 way to search. Fastest: Flat, 5 queries" in text and text.endswith(" Not there yet: Cells.")
    files["csv_path"].write_text(f"{head}Flat,,\nCells,,\n")
    plot_search(settings=settings, **files)
    assert read_caption(files["svg_path"]).text.endswith("of 0 ways to search. Not there yet: Flat; Cells.")
