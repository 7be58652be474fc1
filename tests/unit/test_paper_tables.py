"""Published tables with our numbers in them, from metrics files made by hand."""

import csv
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student_t

from stillroom.paper_tables import make_paper_table

RANDOM = np.random.default_rng(7)
QUERY_IDS = [f"q{number}" for number in range(30)]
CONDITIONS = {"passages": 100, "queries": 30, "judgements": "1:40", "min_relevance": 1, "depth": 10}
SYSTEMS = {"bm25": 0.2, "dot/seed-1/exact": 0.5, "dot/seed-2/exact": 0.52, "dot/seed-3/exact": 0.56, "cat/rerank": 0.6}


def cell(row, measure, value, column="TREC", tolerance="0.003", **conditions):
    """A published number as the rule gets it."""
    names = {"source": "paper", "table": "Table 1", "system": row, "test_set": "a/set", "measure": measure}
    numbers = {"value": value, "tolerance": tolerance, "conditions": CONDITIONS | conditions}
    return {"row": row, "column": column, "cell": {**names, **numbers, "evidence": "read", "note": ""}}


def row(name, labels, systems, test_sets=("dev",)):
    return {"row": name, "labels": labels, "systems": systems, "test_sets": list(test_sets) if systems else []}


def settings(**changes):
    """A table of two test sets, of which we have one."""
    return {
        "title": "Table 1 & more",
        "label_columns": ["model", "teacher"],
        "baseline": "bm25",
        "notes": ["The rest is silence."],
        "rows": [
            row("bm25", ["BM25", "–"], ["bm25"]),
            row("dot", ["Dot", "T1"], [f"dot/seed-{seed}/exact" for seed in (1, 2, 3)]),
            row("cat", ["Cat", "T1"], ["cat/rerank"]),
            row("ance", ["ANCE", "–"], []),
        ],
        "columns": [
            {"name": "TREC", "test_set": "dev", "measures": ["nDCG@10", "RR@10"], "sampled": False},
            {"name": "DEV", "test_set": None, "measures": ["RR@10"], "sampled": False},
        ],
        "measured": ["nDCG@10", "RR@10"],
        "cells": [],
        **changes,
    }


def metrics_of(system, shift):
    """The content of a metrics file with random values by query."""
    values = {measure: (RANDOM.uniform(0, 1, 30) * 0.3 + shift).clip(0, 1).tolist() for measure in ("nDCG@10", "RR@10")}
    measures = {
        name: {"mean": float(np.mean(each)), "by_query": dict(zip(QUERY_IDS, each, strict=True))}
        for name, each in values.items()
    }
    return {"system": system, "test_set": "dev", "measures": measures, **CONDITIONS}


METRICS = {system: metrics_of(system, shift) for system, shift in SYSTEMS.items()}


def mean(system, measure="nDCG@10"):
    return METRICS[system]["measures"][measure]["mean"]


@pytest.fixture
def make(tmp_path):
    """A function that makes the table and returns (CSV rows, Markdown, LaTeX, HTML)."""

    def make(table, without=(), comparisons=()):
        paths = []
        for system, content in METRICS.items():
            path = tmp_path / "metrics/dev" / f"{system}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if system not in without:
                path.write_text(json.dumps(content))
            paths.append(str(path))
        (tmp_path / "cat").mkdir(exist_ok=True)
        compared = [str(tmp_path / "cat/dev.json") for _ in comparisons]
        for path, content in zip(compared, comparisons, strict=True):
            if content:
                Path(path).write_text(json.dumps(content))
        outputs = {f"{kind}_path": tmp_path / f"one.{kind}" for kind in ("csv", "md", "tex", "html")}
        make_paper_table(settings=table, metrics_paths=paths, comparison_paths=compared, **outputs)
        with open(tmp_path / "one.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return rows, *((tmp_path / f"one.{kind}").read_text("utf-8") for kind in ("md", "tex", "html"))

    return make


def table_of(markdown):
    """Header and rows of a Markdown table."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines[:1] + lines[2:]]


def printed(value, digits=3):
    return f"{value:.{digits}f}".removeprefix("0")


def test_bold_is_the_best_of_what_is_printed(make, monkeypatch):
    """Two that differ in the fourth decimal: both are bold with three decimals, one with four."""
    for place, system in enumerate(("bm25", "cat/rerank")):
        measures = {name: {"mean": 0.3441 + 0.0003 * place, "by_query": {}} for name in ("nDCG@10", "RR@10")}
        for each in measures.values():
            each["by_query"] = dict.fromkeys(QUERY_IDS, each["mean"])
        monkeypatch.setitem(METRICS, system, {**METRICS[system], "measures": measures})
    for digits, bold in (("0.300", 2), ("0.3000", 1)):
        cells = [cell(name, "nDCG@10", digits) for name in ("bm25", "cat")]
        table = settings(cells=cells, baseline=None, measured=["nDCG@10"])
        table["rows"] = [line for line in table["rows"] if line["row"] in ("bm25", "cat")]
        (_, markdown, _, _) = make(table)
        assert sum("**.344" in part for line in table_of(markdown) for part in line) == bold, markdown


def test_ours_stands_beside_the_published_number_with_the_difference_and_a_verdict(make):
    close, far = round(mean("cat/rerank") + 0.002, 3), round(mean("cat/rerank", "RR@10") - 0.1, 3)
    cells = [cell("cat", "nDCG@10", f"{close:.3f}"), cell("cat", "RR@10", f"{far:.3f}"), cell("ance", "RR@10", "0.330")]
    rows, markdown, latex, _ = make(settings(cells=cells))
    by_key = {(row["row"], row["measure"]): row for row in rows}
    near, off = by_key["cat", "nDCG@10"], by_key["cat", "RR@10"]
    assert (near["verdict"], off["verdict"]) == ("within tolerance", "off")
    assert float(near["difference"]) == pytest.approx(mean("cat/rerank") - close, abs=1e-9)
    assert float(off["difference"]) == pytest.approx(mean("cat/rerank", "RR@10") - far, abs=1e-9)
    assert (near["system"], by_key["ance", "RR@10"]["system"]) == ("cat/rerank", "")
    header, *lines = table_of(markdown)
    assert header[:3] == ["test set", "model", "teacher"]
    assert header[3:] == [
        *("nDCG@10", "nDCG@10 published", "nDCG@10 difference"),
        *("MRR@10", "MRR@10 published", "MRR@10 difference"),
    ]
    assert [line[:3] for line in lines] == [["TREC", "Cat", "T1"], ["", "ANCE", "–"]]
    assert lines[0][3].startswith(printed(mean("cat/rerank"))) and lines[0][4] == printed(close)
    assert lines[0][5] == f"{mean('cat/rerank') - close:+.4f}".replace("0.", ".", 1)
    assert lines[0][8].endswith(" off") and lines[1][6:] == ["", ".330", ""]
    assert "- The rest is silence." in markdown and r"\toprule" in latex


def test_a_number_on_something_else_is_not_comparable_and_the_note_says_why(make):
    rows, markdown, _, html = make(settings(cells=[cell("cat", "nDCG@10", "0.750", queries=43)]))
    assert [row["verdict"] for row in rows if row["measure"] == "nDCG@10"] == ["not comparable"]
    assert re.search(r"\| +not comparable \|", markdown) and "<td>not comparable</td>" in html
    assert "- Not comparable: Cat, T1 on TREC: judged queries: 30 here, 43 there." in markdown


def test_several_seeds_are_one_row_with_mean_and_deviation(make):
    rows, markdown, _, _ = make(settings(cells=[cell("dot", "nDCG@10", "0.680")]))
    means = [mean(f"dot/seed-{seed}/exact") for seed in (1, 2, 3)]
    spread = (sum((value - sum(means) / 3) ** 2 for value in means) / 2) ** 0.5
    (row,) = [row for row in rows if row["measure"] == "nDCG@10"]
    assert row["system"] == "dot/mean/exact" and row["seeds"] == "3"
    assert float(row["ours"]) == pytest.approx(sum(means) / 3) and float(row["deviation"]) == pytest.approx(spread)
    assert f"{printed(sum(means) / 3)} ± {printed(spread)}" in markdown
    assert "- Mean ± standard deviation over seeds: Dot, T1 (3)." in markdown


def t_test(one, other):
    """The two-sided p-value of a paired t-test, from the formula."""
    differences = np.array(one) - np.array(other)
    statistic = differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))
    return 2 * student_t.sf(abs(statistic), len(differences) - 1)


def test_differences_to_the_baseline_are_tested_over_queries_and_corrected_for_all_of_the_table(make):
    cells = [cell(name, measure, "0.300") for name in ("bm25", "dot", "cat") for measure in ("nDCG@10", "RR@10")]
    rows, markdown, _, _ = make(settings(cells=cells))

    def values(systems, measure):
        return np.mean([[*METRICS[system]["measures"][measure]["by_query"].values()] for system in systems], axis=0)

    of_row = {each["row"]: each["systems"] for each in settings()["rows"]}
    raw = {
        (name, measure): t_test(values(of_row[name], measure), values(["bm25"], measure))
        for name in ("dot", "cat")
        for measure in ("nDCG@10", "RR@10")
    }
    ordered, running, expected = sorted(raw, key=raw.get), 0.0, {}
    for place, key in enumerate(ordered):
        running = max(running, raw[key] * (len(ordered) - place))
        expected[key] = min(running, 1)
    found = {(row["row"], row["measure"]): float(row["p_value"]) for row in rows if row["p_value"]}
    assert found == pytest.approx(expected, rel=1e-9) and max(expected.values()) < 0.05
    assert "- * Another than BM25: paired t-test over queries, p < 0.05 after correction for the 4 of this" in markdown
    lines = table_of(markdown)[1:]
    assert [line[3].endswith("*") for line in lines] == [False, True, True]


def test_what_has_not_been_measured_is_blank_and_the_note_names_the_target(make):
    cells = [cell(name, "nDCG@10", "0.300") for name in ("bm25", "dot", "cat", "ance")]
    _, markdown, _, html = make(settings(cells=cells), without=["dot/seed-2/exact"])
    lines = {line[1]: line for line in table_of(markdown)[1:]}
    assert lines["Dot"][3:6] == ["", ".300", ""] and lines["BM25"][3] != ""
    (note,) = re.findall("- Not measured yet: Dot, T1, which the target (.*) will bring.", markdown)
    assert note.endswith("metrics/dev/dot/seed-2/exact.json") and "ANCE" not in note
    assert html.count("Not measured yet") == 1


def test_a_table_without_any_run_says_so_and_names_its_target(make, tmp_path):
    cells = [cell(name, "nDCG@10", "0.300") for name in ("bm25", "dot", "cat", "ance")]
    rows, markdown, _, _ = make(settings(cells=cells), without=SYSTEMS)
    target = tmp_path / "one.md"
    assert f"- Nothing of this table has been measured yet; the target {target} makes all of it." in markdown
    assert [line[3:] for line in table_of(markdown)[1:]] == [["", ".300", ""]] * 4
    assert [row["published"] for row in rows] == ["0.300"] * 4 and not any(row["ours"] for row in rows)


def test_a_table_that_names_no_system_shows_what_is_published(make):
    table = settings(cells=[cell("ance", "nDCG@10", "0.648")], rows=settings()["rows"][3:], baseline=None)
    _, markdown, _, _ = make(table)
    assert table_of(markdown) == [["test set", "model", "teacher", "nDCG@10 published"], ["TREC", "ANCE", "–", ".648"]]
    assert "Nothing of this table" not in markdown


def compared(p_value):
    """A comparison of runs as the other rule writes it."""
    measures = {"nDCG@10": {"difference": 0.0, "margin": 0.003, "equivalence_p": p_value, "effect_ratio": 1.02}}
    facts = {"systems": ["cat/rerank"], "reference": "theirs/rerank", "test_set": "dev", "depth": 100}
    return {**facts, "rank_biased_overlap": 0.91, "tau_union": 0.72, "measures": measures}


@pytest.mark.parametrize(("p_value", "word"), [(0.01, "reproduced"), (0.2, "same")])
def test_reproduced_takes_an_equivalence_test_beside_a_mean_that_agrees(make, p_value, word):
    cells = [cell("cat", "nDCG@10", printed_exactly(mean("cat/rerank"))), cell("cat", "RR@10", "0.300")]
    rows, markdown, latex, _ = make(settings(cells=cells), comparisons=[compared(p_value)])
    assert [row["verdict"] for row in rows] == [word, "off"]
    said = "equivalent" if p_value < 0.05 else "not shown to be equivalent"
    note = (
        "- Cat, T1 on TREC beside theirs/rerank: rank-biased overlap .910, Kendall's τ union .720 (first 100 "
        f"passages); nDCG@10 effect ratio 1.02, {said} within ±.003 (two one-sided t-tests, p = {p_value:.2f})."
    )
    assert note in markdown and r"$\tau$ union" in latex
    assert rows[0]["reference"] == "theirs/rerank" and float(rows[0]["equivalence_p"]) == p_value


def printed_exactly(value):
    return f"{value:.3f}"


def test_without_a_comparison_of_runs_nothing_is_called_reproduced_and_its_target_is_named(make):
    cells = [cell("cat", "nDCG@10", printed_exactly(mean("cat/rerank")))]
    rows, markdown, _, _ = make(settings(cells=cells), comparisons=[None])
    assert rows[0]["verdict"] == "same"
    assert re.search(r"- Not called reproduced before the runs are compared: \S*/cat/dev\.json\.", markdown)
    assert "reproduced" not in make(settings(cells=cells), without=["cat/rerank"], comparisons=[None])[1]


class Cells(HTMLParser):
    """The attributes of every td, and the tags as they come."""

    def __init__(self):
        super().__init__()
        self.cells, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "td":
            self.cells.append(dict(attrs))


def test_numbers_in_html_can_be_traced_and_differences_are_told_apart(make, tmp_path):
    far = round(mean("cat/rerank") - 0.1, 3)
    cells = [cell("cat", "nDCG@10", f"{far:.3f}"), cell("dot", "nDCG@10", "0.999"), cell("ance", "nDCG@10", "0.648")]
    _, _, _, html = make(settings(cells=cells))
    parser = Cells()
    parser.feed(html)
    dot, cat = parser.cells[:3], parser.cells[3:6]
    if len(parser.cells) != 9:  # MRR@10 is measured and shown too
        width = len(parser.cells) // 3
        dot, cat = parser.cells[:width], parser.cells[width : 2 * width]
    assert cat[0]["data-source"] == str(tmp_path / "metrics/dev/cat/rerank.json")
    assert cat[0]["data-measure"] == "nDCG@10" and float(cat[0]["data-value"]) == pytest.approx(mean("cat/rerank"))
    assert dot[0]["data-source"].split() == [str(tmp_path / f"metrics/dev/dot/seed-{n}/exact.json") for n in (1, 2, 3)]
    assert (cat[2]["class"], dot[2]["class"]) == ("above", "below")
    assert float(cat[1]["data-value"]) == far and "data-source" not in cat[1]
    assert html.endswith("</section>\n") and '<section class="table" id="table-one"' in html


BUILD = """
import json, sys
from stillroom.paper_tables import make_paper_table
make_paper_table(**json.load(open(sys.argv[1])))
"""


def test_a_table_of_ms_marcos_size_takes_less_than_five_seconds(tmp_path):
    """Fourteen systems, five of them seeds of one row, on 6,980 queries."""
    query_ids, paths = [str(number) for number in range(6980)], []
    systems = [f"s{number}/seed-1/exact" for number in range(9)] + [f"tas_b/seed-{seed}/exact" for seed in range(1, 6)]
    for system in systems:
        values = RANDOM.uniform(0, 1, 6980).tolist()
        by_query = dict(zip(query_ids, values, strict=True))
        measures = {
            name: {"mean": float(np.mean(values)), "by_query": by_query} for name in ("nDCG@10", "RR@10", "R@1000")
        }
        path = tmp_path / "metrics/dev" / f"{system}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"system": system, "test_set": "dev", "measures": measures, **CONDITIONS}))
        paths.append(str(path))
    rows = [row(name, [name, "–"], [name]) for name in systems[:9]] + [row("tas_b", ["TAS-B", "T2"], systems[9:])]
    columns = [{"name": "DEV", "test_set": "dev", "measures": ["nDCG@10", "RR@10", "R@1000"], "sampled": False}]
    cells = [cell(each["row"], name, "0.500", "DEV") for each in rows for name in columns[0]["measures"]]
    table = settings(rows=rows, columns=columns, cells=cells, measured=columns[0]["measures"], baseline=systems[0])
    outputs = {f"{kind}_path": str(tmp_path / f"one.{kind}") for kind in ("csv", "md", "tex", "html")}
    arguments = {"settings": table, "metrics_paths": paths, "comparison_paths": [], **outputs}
    (tmp_path / "arguments.json").write_text(json.dumps(arguments))
    before = os.times()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "workflow/scripts")}
    subprocess.run([sys.executable, "-c", BUILD, tmp_path / "arguments.json"], env=environment, check=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 5
    assert (tmp_path / "one.html").exists()
