"""Tables: the numbers of the metrics files, the best in bold, and whether expectations hold."""

import csv
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student_t

from stillroom.latex_tables import escape
from stillroom.significance import holm
from stillroom.tables import expectation_notes, make_table, number

RANDOM = np.random.default_rng(12)
QUERY_IDS = [f"q{n}" for n in range(40)]
LEVELS = {"bm25": 0.3, "good/seed-1/exact": 0.6, "good/seed-2/exact": 0.62, "poor/seed-1/exact": 0.25}
LEVELS["poor/seed-2/exact"] = 0.27


def metrics_of(system, test_set, measures=("RR@10", "nDCG@10", "Judged@10")):
    """The content of a metrics file with random values by query, in no order."""
    values = {
        measure: dict(zip(RANDOM.permutation(QUERY_IDS).tolist(), RANDOM.uniform(0, 1, 40), strict=True))
        for measure in measures
    }
    for measure in measures:
        values[measure] = {name: (value + 3 * LEVELS[system]) / 4 for name, value in values[measure].items()}
    return {
        "system": system,
        "test_set": test_set,
        "queries": 40,
        "min_relevance": 2 if test_set == "graded" else 1,
        "measures": {
            name: {"mean": float(np.mean(list(by_query.values()))), "by_query": by_query}
            for name, by_query in values.items()
        },
    }


SETTINGS = {
    "title": "Main & more",
    "test_sets": ["dev", "graded"],
    "measures": ["RR@10", "nDCG@10", "Judged@10"],
    "rows": [
        {"label": "BM25", "bm25": "bm25"},
        {"label": "Good_one", "ranker": "good", "way": "exact"},
        {"label": "Poor 100%", "ranker": "poor", "way": "exact"},
    ],
    "seeds": {"good": [1], "poor": [1]},
    "seen": [],
    "seen_apart": {},
    "sampled": [],
    "groups": {},
    "mean": False,
    "label_columns": ["system"],
    "over_seeds": "each",
    "expectations": [],
}
GOOD, POOR, BM25 = {"ranker": "good", "way": "exact"}, {"ranker": "poor", "way": "exact"}, {"bm25": "bm25"}


@pytest.fixture
def make(tmp_path):
    """A function that makes a table and returns (metrics by test set and system, CSV rows, Markdown, LaTeX)."""

    def make(metrics=None, **changes):
        metrics = metrics or [metrics_of(system, test_set) for test_set in ("dev", "graded") for system in LEVELS]
        paths = []
        for place, content in enumerate(metrics):
            paths.append(str(tmp_path / f"{place}.json"))
            (tmp_path / f"{place}.json").write_text(json.dumps(content))
        outputs = {f"{kind}_path": tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex", "html")}
        make_table(settings=SETTINGS | changes, metrics_paths=paths, **outputs)
        with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        by_name = {(content["test_set"], content["system"]): content for content in metrics}
        return by_name, rows, *((tmp_path / f"table.{kind}").read_text("utf-8") for kind in ("md", "tex"))

    return make


def markdown_cells(markdown):
    """The cells of a Markdown table, without the header and its rule."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_csv_has_the_values_of_the_metrics_files_in_full(make):
    metrics, rows, _, _ = make()
    assert [(row["system"], row["label"]) for row in rows] == [
        ("bm25", "BM25"),
        ("good/seed-1/exact", "Good_one"),
        ("poor/seed-1/exact", "Poor 100%"),
    ]
    for row in rows:
        for test_set in ("dev", "graded"):
            for measure in ("RR@10", "nDCG@10", "Judged@10"):
                expected = metrics[test_set, row["system"]]["measures"][measure]["mean"]
                assert float(row[f"{test_set} {measure}"]) == expected


def test_the_best_of_each_column_is_bold_but_being_judged_is_no_contest(make):
    _, rows, markdown, latex = make()
    cells = markdown_cells(markdown)
    columns = [name for name in rows[0] if name not in ("system", "label")]
    for place, name in enumerate(columns, 1):
        values = [float(row[name]) for row in rows]
        for line, value in zip(cells, values, strict=True):
            printed = f"{value:.3f}".removeprefix("0")
            is_best = value == max(values) and not name.endswith("Judged@10")
            assert line[place] == (f"**{printed}**" if is_best else printed)
    assert latex.count(r"\textbf{") == markdown.count("**") / 2 == 4


def test_systems_that_are_equal_as_printed_are_all_bold(make):
    metrics = [metrics_of(system, "dev", ["RR@10"]) for system in ("bm25", "good/seed-1/exact")]
    for content, mean in zip(metrics, (0.50011, 0.50044), strict=True):
        content["measures"]["RR@10"]["mean"] = mean
    _, _, markdown, _ = make(metrics, test_sets=["dev"], measures=["RR@10"], rows=SETTINGS["rows"][:2])
    assert [line[1] for line in markdown_cells(markdown)] == ["**.500**", "**.500**"]


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0, ".000"), (0.7049, ".705"), (0.9996, "1.000"), (1.0, "1.000"), (float("nan"), "–"), (10.05, "10.050")],
)
def test_numbers_have_three_decimals_and_no_leading_zero(value, printed):
    assert number(value) == printed


def test_headers_use_the_papers_names_and_notes_count_the_queries(make):
    _, _, markdown, latex = make()
    header = markdown.splitlines()[2]
    assert [cell.strip() for cell in header.strip("|").split("|")] == [
        "system",
        *(f"{test_set} {name}" for test_set in ("dev", "graded") for name in ("MRR@10", "nDCG@10", "judged@10")),
    ]
    assert "- Queries: dev 40, graded 40." in markdown
    assert markdown.startswith("### Main & more\n")
    assert r"\caption{Main \& more}" in latex


def test_latex_is_escaped(make):
    _, _, _, latex = make(seen=[2])
    assert r"Good\_one &" in latex
    assert r"Poor 100\% \textdagger{} &" in latex
    assert escape("a_b & 5% $x #1 {y} ≤ – †") == r"a\_b \& 5\% \$x \#1 \{y\} $\leq$ -- \textdagger{}"
    assert escape("> 100 < \\ ~ ^") == r"$>$ 100 $<$ \textbackslash{} \textasciitilde{} \textasciicircum{}"


def test_a_bar_in_a_label_does_not_split_the_cell(make):
    _, rows, markdown, _ = make(rows=[{"label": "a | b", "bm25": "bm25"}])
    assert rows[0]["label"] == "a | b"
    assert r"| a \| b " in markdown


def p_value(one, other):
    """The two-sided p-value of a paired t-test, from the formula."""
    differences = np.array(one) - np.array(other)
    statistic = differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))
    return 2 * student_t.sf(abs(statistic), len(differences) - 1)


def verdict(one, other, p=None, test_set="dev"):
    """What is printed of a comparison; without a p-value where it is the only one of its table."""
    p = p_value(one, other) if p is None else p
    means = [f"{side.mean():.3f}".removeprefix("0") for side in (one, other)]
    said = "DOES NOT HOLD" if one.mean() <= other.mean() else "holds" if p < 0.05 else "holds within noise"
    return f"{test_set} {said} ({means[0]} to {means[1]}, {f'p = {p:.2f}' if p >= 0.01 else 'p < 0.01'})"


def values(metrics, test_set, system, measure):
    by_query = metrics[test_set, system]["measures"][measure]["by_query"]
    return np.array([by_query[query_id] for query_id in QUERY_IDS])


def test_an_expectation_that_holds_is_noted_with_both_means_and_a_paired_t_test(make, caplog):
    caplog.set_level(logging.WARNING)
    expected = {"better": BM25, "than": POOR, "measure": "RR@10", "test_sets": []}
    metrics, _, markdown, latex = make(expectations=[expected])
    (note,) = [line for line in markdown.splitlines() if line.startswith("- Expected")]
    pairs = [
        [values(metrics, test_set, system, "RR@10") for system in ("bm25", "poor/seed-1/exact")]
        for test_set in ("dev", "graded")
    ]
    smaller, larger = sorted(p_value(*pair) for pair in pairs)
    corrected = {smaller: 2 * smaller, larger: max(larger, 2 * smaller)}
    results = [
        verdict(*pair, p=corrected[p_value(*pair)], test_set=test_set)
        for pair, test_set in zip(pairs, ("dev", "graded"), strict=True)
    ]
    assert note == f"- Expected: BM25 above Poor 100% in MRR@10: {'; '.join(results)}."
    assert "- p-values are of paired t-tests over queries, corrected for the 2 of this table (Holm).\n" in markdown
    assert r"above Poor 100\% in MRR@10" in latex
    assert not caplog.records


def test_an_expectation_that_does_not_hold_says_so_in_the_table_and_in_the_log(make, caplog):
    caplog.set_level(logging.WARNING)
    expected = {"better": BM25, "than": GOOD, "measure": "nDCG@10", "test_sets": ["graded"]}
    _, _, markdown, _ = make(expectations=[expected])
    (note,) = re.findall("- Expected: BM25 above Good_one in nDCG@10: (.*)", markdown)
    assert re.fullmatch(r"graded DOES NOT HOLD \(\.\d{3} to \.\d{3}, p < 0\.01\)\.", note)
    assert [record.getMessage() for record in caplog.records] == [
        "expectation does not hold on graded: BM25 above Good_one in nDCG@10"
    ]


def test_a_difference_that_may_be_chance_holds_within_noise(make):
    metrics, _, _, _ = make()
    one, other = ({name: 0.5 for name in QUERY_IDS} for _ in range(2))
    one |= {QUERY_IDS[0]: 0.9, QUERY_IDS[1]: 0.3}
    for system, by_query in (("bm25", one), ("poor/seed-1/exact", other)):
        metrics["dev", system]["measures"]["RR@10"] = {"mean": np.mean(list(by_query.values())), "by_query": by_query}
    expected = {"better": BM25, "than": POOR, "measure": "RR@10", "test_sets": ["dev"]}
    (note, about) = expectation_notes(SETTINGS | {"expectations": [expected]}, metrics)
    assert note == "Expected: BM25 above Poor 100% in MRR@10: dev holds within noise (.505 to .500, p = 0.66)."
    assert about == "p-values are of paired t-tests over queries."


def test_p_values_are_corrected_for_all_comparisons_of_the_table():
    """A hand-made example: .01 · 4, .02 · 3, .03 · 2 and .04, none of which may be below the one before."""
    assert holm([0.03, 0.01, 0.04, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.4]).tolist() == pytest.approx([0.8, 0.8])
    assert holm([0.7]).tolist() == [0.7] and holm([]).tolist() == []
    assert holm([0.9, 0.8]).tolist() == [1, 1]


def test_a_system_is_not_above_itself(make):
    expected = {"better": BM25, "than": BM25, "measure": "RR@10", "test_sets": ["dev"]}
    _, _, markdown, _ = make(expectations=[expected])
    assert re.search(r"dev DOES NOT HOLD \((\.\d{3}) to \1, p = 1\.00\)", markdown)


def test_seeds_have_a_row_each_and_expectations_are_about_their_mean(make):
    expected = {"better": GOOD, "than": POOR, "measure": "RR@10", "test_sets": ["dev"]}
    metrics, rows, markdown, _ = make(seeds={"good": [1, 2], "poor": [1, 2]}, seen=[1], expectations=[expected])
    assert [row["label"] for row in rows] == [
        "BM25",
        "Good_one †, seed 1",
        "Good_one †, seed 2",
        "Poor 100%, seed 1",
        "Poor 100%, seed 2",
    ]
    one, other = (
        np.mean([values(metrics, "dev", f"{name}/seed-{seed}/exact", "RR@10") for seed in (1, 2)], axis=0)
        for name in ("good", "poor")
    )
    assert f"- Expected: Good_one above Poor 100% in MRR@10: {verdict(one, other)}." in markdown


SEVERAL = {"good": [1, 2], "poor": [1, 2]}


def column(metrics, name, measure):
    """The mean over the queries of dev, of each seed of a ranker."""
    return [metrics["dev", f"{name}/seed-{seed}/exact"]["measures"][measure]["mean"] for seed in (1, 2)]


def test_a_table_may_show_the_mean_over_seeds_only(make):
    metrics, rows, markdown, _ = make(seeds=SEVERAL | {"poor": [1]}, over_seeds="mean")
    assert [(row["system"], row["label"]) for row in rows] == [
        ("bm25", "BM25"),
        ("good/mean/exact", "Good_one"),
        ("poor/seed-1/exact", "Poor 100%"),
    ]
    for measure in ("RR@10", "nDCG@10"):
        assert float(rows[1][f"dev {measure}"]) == pytest.approx(np.mean(column(metrics, "good", measure)), rel=1e-12)
    assert "- Means over seeds: Good_one (seeds 1, 2)." in markdown
    assert "Means over seeds" not in make(over_seeds="mean")[2]
    assert "Means over seeds" not in make(seeds=SEVERAL)[2]


def test_a_table_may_show_every_seed_and_their_spread_in_which_no_summary_is_the_best(make):
    metrics, rows, markdown, _ = make(seeds=SEVERAL, over_seeds="spread")
    ends = ["seed 1", "seed 2", "mean", "standard deviation"]
    assert [row["label"] for row in rows] == [
        "BM25",
        *(f"{name}, {end}" for name in ("Good_one", "Poor 100%") for end in ends),
    ]
    assert [row["system"] for row in rows[1:5]] == [
        "good/seed-1/exact",
        "good/seed-2/exact",
        "good/mean/exact",
        "good/deviation/exact",
    ]
    for measure in ("RR@10", "nDCG@10", "Judged@10"):
        one, other = column(metrics, "good", measure)
        assert float(rows[3][f"dev {measure}"]) == pytest.approx((one + other) / 2, rel=1e-12)
        # of a sample: the squares are divided by one less than the seeds
        assert float(rows[4][f"dev {measure}"]) == pytest.approx(abs(one - other) / np.sqrt(2), rel=1e-9)
    is_bold = [[cell.startswith("**") for cell in cells[1:]] for cells in markdown_cells(markdown)]
    assert not any(is_bold[3]) and not any(is_bold[4])
    assert sum(map(sum, is_bold)) >= 4


def test_an_expectation_may_be_about_the_mean_of_several_rankers(make):
    sides = {"better": {"rankers": ["good", "poor"], "way": "exact", "label": "both"}, "than": BM25 | {"label": "one"}}
    metrics, _, markdown, _ = make(expectations=[{**sides, "measure": "RR@10", "test_sets": ["dev"]}])
    both = np.mean([values(metrics, "dev", f"{name}/seed-1/exact", "RR@10") for name in ("good", "poor")], axis=0)
    other = values(metrics, "dev", "bm25", "RR@10")
    assert f"- Expected: both above one in MRR@10: {verdict(both, other)}." in markdown


def test_rankers_weigh_the_same_however_many_seeds_they_have(make):
    side = {"rankers": ["good", "poor"], "way": "exact", "label": "both"}
    expected = {"better": side, "than": BM25, "measure": "RR@10", "test_sets": ["dev"]}
    metrics, _, markdown, _ = make(seeds={"good": [1, 2], "poor": [1]}, expectations=[expected])
    each = {
        name: np.mean([values(metrics, "dev", f"{name}/seed-{seed}/exact", "RR@10") for seed in seeds], axis=0)
        for name, seeds in {"good": [1, 2], "poor": [1]}.items()
    }
    mean = f"{np.mean(list(each.values())):.3f}".removeprefix("0")
    assert "- Expected: both above BM25 in MRR@10: dev " in markdown and f"({mean} to " in markdown


def test_several_columns_of_labels_print_each_group_once(make):
    rows = [
        {"label": ["BM25", "–"], "bm25": "bm25"},
        {"label": ["Dot", "none"], **GOOD},
        {"label": ["Dot", "none"], **POOR},
        {"label": ["Dot & co", "none"], **GOOD},
    ]
    _, csv_rows, markdown, latex = make(rows=rows, label_columns=["model", "taught by"])
    assert [(row["label model"], row["label taught by"]) for row in csv_rows] == [tuple(row["label"]) for row in rows]
    header = next(line for line in markdown.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in header.strip("|").split("|")][:3] == ["model", "taught by", "dev MRR@10"]
    printed = [["BM25", "–"], ["Dot", "none"], ["", "none"], ["Dot & co", "none"]]
    assert [cells[:2] for cells in markdown_cells(markdown)] == printed
    assert r"\begin{tabular}{llrrrrrr}" in latex and "Dot \\& co & none & " in latex


def test_encoders_that_saw_such_text_are_marked_and_the_mark_explained(make):
    _, rows, markdown, _ = make(seen=[1])
    assert [row["label"] for row in rows] == ["BM25", "Good_one †", "Poor 100%"]
    assert "- † The encoder has seen text of this kind in its own pre-training" in markdown
    assert "†" not in make()[2]


def test_a_group_shows_the_mean_of_its_test_sets_and_counts_once_in_the_mean_of_all(make):
    test_sets = ["wiki", "cqa_one", "cqa_two", "cqa_three", "web"]
    metrics = [metrics_of(system, test_set) for test_set in test_sets for system in LEVELS]
    found, rows, markdown, _ = make(
        metrics, test_sets=test_sets, groups={"cqa": test_sets[1:4]}, mean=True, measures=["nDCG@10", "RR@10"]
    )
    names = [f"{name} {measure}" for name in ("wiki", "cqa", "web", "mean") for measure in ("nDCG@10", "RR@10")]
    assert list(rows[0]) == ["system", "label", *names]
    for row in rows:
        for measure in ("nDCG@10", "RR@10"):
            wiki, *cqa, web = (found[name, row["system"]]["measures"][measure]["mean"] for name in test_sets)
            assert float(row[f"cqa {measure}"]) == pytest.approx(sum(cqa) / 3)
            assert float(row[f"mean {measure}"]) == pytest.approx((wiki + sum(cqa) / 3 + web) / 3)
            assert float(row[f"web {measure}"]) == web
    assert "- cqa: the mean of cqa_one, cqa_two, cqa_three." in markdown
    assert "- mean: over the 3 collections, a group counts once." in markdown


def test_what_was_seen_of_some_collections_is_marked_in_their_cells_and_in_their_means(make):
    test_sets = ["wiki", "cqa_one", "cqa_two", "web"]
    metrics = [metrics_of(system, test_set) for test_set in test_sets for system in LEVELS]
    groups, apart = {"cqa": ["cqa_one", "cqa_two"]}, {"cqa_two": [2], "wiki": [1]}
    _, _, markdown, latex = make(
        metrics, test_sets=test_sets, groups=groups, mean=True, measures=["nDCG@10"], seen_apart=apart
    )
    cells = [["†" in cell for cell in line] for line in markdown_cells(markdown)]
    assert cells == [
        [False] * 5,
        [False, True, False, False, True],  # wiki, cqa, web, mean
        [False, False, True, False, True],
    ]
    assert "not a zero-shot result" in markdown and latex.count(r"\textdagger{}") == 5


def test_numbers_of_a_sample_are_said_to_be_comparable_with_none_published(make):
    _, _, markdown, _ = make(sampled=["dev"])
    assert "none is comparable with a published one" in markdown
    assert "comparable" not in make()[2]


def cells_of_html(path):
    """The attributes and texts of all cells."""
    found = re.findall(r"<td([^>]*)>(.*?)</td>", path.read_text("utf-8"))
    return [(dict(re.findall(r'([\w-]+)="([^"]*)"', attributes)), text) for attributes, text in found]


def test_numbers_in_html_are_full_and_name_their_files_and_measures(make, tmp_path):
    metrics, _, _, _ = make(seeds=SEVERAL, over_seeds="spread", measures=["RR@10", "nDCG@10"])
    cells = cells_of_html(tmp_path / "table.html")
    bm25, graded = cells[0][0], cells[2][0]
    assert float(bm25["data-value"]) == metrics["dev", "bm25"]["measures"]["RR@10"]["mean"]
    assert (bm25["data-measure"], graded["data-measure"]) == ("RR@10", "RR(rel=2)@10")
    assert json.loads(Path(bm25["data-source"]).read_text())["system"] == "bm25"
    mean, deviation = cells[4 * 3][0], cells[4 * 4][0]
    assert len(mean["data-source"].split()) == 2 and mean["data-measure"] == "RR@10"
    assert deviation["data-source"] == mean["data-source"] and "data-measure" not in deviation
    assert [text.startswith("<strong>") for _, text in cells].count(True) >= 4


def test_what_has_not_been_measured_is_blank_and_a_note_names_its_files(make, tmp_path):
    for test_set in ("dev", "graded"):
        for system in LEVELS:
            path = tmp_path / "results/metrics" / test_set / f"{system}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            if (test_set, system) not in (("graded", "bm25"), ("graded", "poor/seed-1/exact")):
                path.write_text(json.dumps(metrics_of(system, test_set)))
    paths = [str(path) for path in (tmp_path / "results/metrics/dev").rglob("*.json")]
    paths += [path.replace("/dev/", "/graded/") for path in paths]
    outputs = {f"{kind}_path": tmp_path / f"part.{kind}" for kind in ("csv", "md", "tex", "html")}
    expected = {"better": GOOD, "than": POOR, "measure": "RR@10", "test_sets": []}
    make_table(settings=SETTINGS | {"expectations": [expected]}, metrics_paths=paths, **outputs)
    markdown = (tmp_path / "part.md").read_text("utf-8")
    lines = {cells[0]: cells[1:] for cells in markdown_cells(markdown)}
    assert lines["BM25"][3:] == ["", "", ""] and all(lines["BM25"][:3]) and all(lines["Good_one"])
    missing = tmp_path / "results/metrics/graded/bm25.json"
    assert f"- Not measured yet: BM25, which the target {missing} will bring." in markdown
    (note,) = re.findall("- Expected: Good_one above Poor 100% in MRR@10: (.*)", markdown)
    assert note.startswith("dev holds") and "graded" not in note
    assert "- Queries: dev 40, graded 40." in markdown
