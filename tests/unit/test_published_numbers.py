"""Published numbers: the files that are shipped, and what is said of broken ones."""

import json
import re
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import ir_measures
import pytest
import yaml

from stillroom.config_published import SHIPPED
from stillroom.paper_definitions import LAYOUTS, cells_of, check_rows, read_layout
from stillroom.published_numbers import COLUMNS, as_settings, from_settings, read_cells, read_placed_cells

FILES = sorted(SHIPPED.glob("*.csv"))
BEIR = Path(__file__).parents[2] / "experiments" / "beir.yaml"
HEADER = ",".join(COLUMNS)
ROW = "paper,Table 1,bm25,a/set,RR@10,0.1840,0.0005,100,43,0:1 1:2,,,1,1000,read,"
TEST_SETS = {
    "msmarco-v1-passage.dev": "msmarco-passage/dev/small",
    "dl19-passage": "msmarco-passage/trec-dl-2019/judged",
    "dl20-passage": "msmarco-passage/trec-dl-2020/judged",
}
MEASURES = {"MRR@10": "RR@10", "MAP": "AP@1000", "nDCG@10": "nDCG@10", "R@1K": "R@1000"}
CONDITION_OF = {
    "bm25_default": "bm25-default",
    "bm25_tuned": "bm25-tuned",
    "distilbert_dot_margin_mse_t2": "distilbert-kd-pytorch",
    "tas_b_256": "distilbert-kd-tasb-pytorch",
    "tas_b_256_average_prf": "distilbert-kd-tasb-avg-prf-pytorch",
    "tas_b_256_rocchio_prf": "distilbert-kd-tasb-rocchio-prf-pytorch",
    "ance": "ance-pytorch",
    "sbert": "sbert-pytorch",
    "tct_colbert_v2_hnp": "tct_colbert-v2-hnp-pytorch",
    "splade_pp_ed": "splade-pp-ed-pytorch",
}
CATALOGUE = json.loads(
    (Path(find_spec("ir_datasets").submodule_search_locations[0]) / "etc/metadata.json").read_text(encoding="utf-8")
)


def written(folder, *lines):
    """A file with these lines."""
    (folder / "numbers.csv").write_text("\n".join(lines) + "\n")
    return folder / "numbers.csv"


def test_every_shipped_cell_is_legal():
    cells = read_cells(FILES)
    assert len(cells) > 500
    for cell in cells:
        assert from_settings(as_settings(cell)) == cell
        if "ms" in cell.measure:  # of a machine: compared with nothing
            assert cell.value >= 8 and not cell.conditions
            continue
        assert str(ir_measures.parse_measure(cell.measure)) == cell.measure
        assert 0 < cell.value < 1 and cell.tolerance in (Decimal("0.0005"), Decimal("0.003"))
        assert cell.conditions.get("depth", 1000) == 1000
        assert ("depth" in cell.conditions) == (cell.source not in ("Unicamp IA368DD", "facebookresearch/DPR"))


def test_tolerances_are_those_that_were_fixed_beforehand():
    for cell in read_cells(FILES):
        is_regression = cell.source in ("Pyserini", "Anserini")
        assert cell.tolerance == Decimal("0.0005" if is_regression else "0.003"), cell.key


def in_catalogue(test_set, part):
    """What ir_datasets has counted of a test set's `docs` or `qrels`."""
    found = CATALOGUE[test_set][part]
    return in_catalogue(found["_ref"], part) if "_ref" in found else found


def by_grade(test_set):
    """Judgements by grade; those below 0 are none."""
    counts = in_catalogue(test_set, "qrels")["fields"]["relevance"]["counts_by_value"]
    return " ".join(f"{grade}:{counts[grade]}" for grade in sorted(counts, key=int) if int(grade) >= 0)


def test_conditions_are_those_of_the_catalogue():
    """Of dev, 6,980 queries are another test set, and the others are 48,598."""
    checked = set()
    for cell in read_cells(FILES):
        known = cell.conditions
        if "queries" not in known:
            assert "judgements" not in known
            continue
        passages, queries = in_catalogue(cell.test_set, "docs")["count"], CATALOGUE[cell.test_set]["queries"]["count"]
        judgements = by_grade(cell.test_set)
        if cell.test_set == "msmarco-passage/dev/judged":
            queries, judgements = queries - 6980, f"1:{59273 - 7437}"
        assert (known["passages"], known["queries"], known["judgements"]) == (passages, queries, judgements), cell.key
        assert known["min_relevance"] == (2 if "trec-dl" in cell.test_set else 1)
        checked.add(cell.test_set)
    assert len(checked) == 29


def test_judgements_of_ms_marco_are_counted_as_the_test_sets_have_them():
    conditions = [cell.conditions for cell in read_cells(FILES) if cell.test_set.startswith("msmarco-passage/")]
    assert {known["passages"] for known in conditions} == {8841823}
    assert all(("queries" in known) == ("judgements" in known) for known in conditions)
    by_grade = {known["queries"]: known["judgements"].split() for known in conditions if "queries" in known}
    counts = {queries: sum(int(part.split(":")[1]) for part in parts) for queries, parts in by_grade.items()}
    assert counts == {6980: 7437, 43: 9260, 54: 11386, 48598: 59273 - 7437}


def test_passages_queries_and_judgements_of_beir_are_those_of_the_experiment():
    config = yaml.safe_load(BEIR.read_text(encoding="utf-8"))
    there = {
        block["dataset"]: (config["corpora"][block["corpus"]]["passages"], *block["expected"].values())
        for block in config["test_sets"].values()
    }
    there["beir/trec-covid"] = (171332, 50, 66336 - 2)  # two grades are -1, which is no judgement
    cells = read_cells([SHIPPED / "beir.csv"])
    found = {cell.test_set: cell.conditions for cell in cells if "queries" in cell.conditions}
    counts = {
        name: sum(int(part.split(":")[1]) for part in known["judgements"].split()) for name, known in found.items()
    }
    assert {name: (known["passages"], known["queries"], counts[name]) for name, known in found.items()} == there


def installed(name):
    """The regressions of the installed Pyserini by their names."""
    path = Path(find_spec("pyserini").submodule_search_locations[0]) / "2cr" / name
    return {block["name"]: block for block in yaml.safe_load(path.read_text())["conditions"]}


def test_bm25_on_beir_is_that_of_the_installed_pyserini():
    conditions = installed("beir.yaml")
    there = {
        (f"bm25_{kind}", block["dataset"], measure): Decimal(str(block["scores"][0][measure]))
        for kind in ("flat", "multifield")
        for block in conditions[f"bm25-{kind}"]["datasets"]
        for measure in ("nDCG@10", "R@100")
    }
    cells = read_cells([SHIPPED / "beir.csv"])
    names = {cell.test_set: re.sub("^beir/|/test$|/v2$", "", cell.test_set).replace("/", "-") for cell in cells}
    here = {(cell.system, names[cell.test_set], cell.measure): cell.value for cell in cells}
    assert len(here) == 4 * (25 + 4) and here.items() <= there.items()


def test_pyserinis_values_on_ms_marco_are_those_that_the_installed_pyserini_is_tested_with():
    conditions = installed("msmarco-v1-passage.yaml")
    there = {
        (system, TEST_SETS[topics["eval_key"]], MEASURES[name]): Decimal(str(value))
        for system, condition in CONDITION_OF.items()
        for topics in conditions[condition]["topics"]
        for name, value in topics["scores"][0].items()
    }
    here = {
        (cell.system, cell.test_set, cell.measure): cell.value
        for cell in read_cells(FILES)
        if re.search(r"2cr/msmarco-v1-passage\.yaml", cell.table)
    }
    assert here == there


def test_numbers_that_stand_in_several_tables_of_a_paper_agree():
    tables = {(cell.table, cell.system, cell.test_set, cell.measure): cell.value for cell in read_cells(FILES)}
    cards = {
        (cell.system, cell.test_set, cell.measure): cell.value for cell in read_cells(FILES) if "card" in cell.source
    }
    both = 0
    for (table, system, test_set, measure), value in tables.items():
        for other in ("Table 3", "Table 4", "Table 6", "Table 7"):
            same = tables.get((other, system, test_set, measure), value)
            if table in ("Table 4", "Table 6") and (system, measure) != ("bm25_of_the_papers", "R@1000"):
                assert value == same, (table, other, system)
                both += (other, system, test_set, measure) in tables and other != table
        if table == "Table 6" and system == "tas_b_256":
            assert cards[system, test_set, measure] == value
    assert both >= 40


def test_the_mean_of_the_orderings_is_that_of_its_rows():
    cells = [cell for cell in read_cells(FILES) if cell.table == "Table 5"]
    for mean in (cell for cell in cells if cell.system == "tas_b_32"):
        key = (mean.test_set, mean.measure)
        each = [cell.value for cell in cells if (cell.test_set, cell.measure) == key and cell != mean]
        assert len(each) == 5 and abs(sum(each) / 5 - mean.value) <= Decimal("0.0006"), key


def test_every_shipped_layout_is_legal_and_every_number_is_in_one():
    layouts = {path.stem: read_layout(path) for path in LAYOUTS.glob("*.yaml")}
    check_rows(layouts, read_placed_cells(FILES))
    cells = read_cells(FILES)
    shown = {
        (cell.system, cell.test_set, cell.measure)
        for layout in layouts.values()
        for cell in cells_of(layout, cells).values()
    }
    assert not [cell.key for cell in cells if (cell.system, cell.test_set, cell.measure) not in shown]
    for layout in layouts.values():
        for column in layout["columns"].values():
            assert column["retrained"].keys() <= set(column["measures"])


def test_tolerances_of_trained_rankers_are_twice_the_published_deviations():
    """Table 5 of arXiv:2104.06967: over five orderings, .004 and .005 on TREC-DL'19, .008 and .003 on TREC-DL'20."""
    twice = {"TREC-DL'19": {"nDCG@10": 0.008, "R@1000": 0.01}, "TREC-DL'20": {"nDCG@10": 0.016, "R@1000": 0.006}}
    for path in LAYOUTS.glob("*.yaml"):
        for name, column in read_layout(path)["columns"].items():
            for measure, tolerance in column["retrained"].items():
                assert tolerance == twice[name].get(measure, twice[name]["nDCG@10"]), (path.stem, name, measure)


BROKEN = {
    "no header": ([ROW], "found no column source, expected the columns source, table, "),
    "a missing column": ([HEADER.replace(",note", "")], "found no column note, expected the columns"),
    "a foreign column": ([f"{HEADER},year"], "found the column year, expected the columns"),
    "a comma in a text": ([HEADER, f"{ROW}a, b"], ", line 2: expected 16 columns; quote a text that has a comma."),
    "too few columns": ([HEADER, "paper,Table 1"], ", line 2: expected 16 columns; quote a text"),
    "no system": ([HEADER, ROW.replace("bm25", "")], ", line 2: found no system, expected some text."),
    "no number": ([HEADER, ROW.replace("0.1840", "high")], ", line 2: found 'high' as value, expected a number"),
    "no finite number": ([HEADER, ROW.replace("0.1840", "nan")], ", line 2: found 'nan' as value, expected a number"),
    "no value": ([HEADER, ROW.replace("0.1840", "")], ", line 2: found '' as value, expected a number"),
    "no whole number": ([HEADER, ROW.replace(",43,", ',"4,3",')], "found '4,3' as queries, expected a whole number"),
    "unknown evidence": (
        [HEADER, ROW.replace("read", "hearsay")],
        "found 'hearsay' as evidence, expected one of read, ",
    ),
    "a cell twice": ([HEADER, ROW, ROW], ", line 3: found paper, Table 1, bm25, a/set, RR@10 again, expected"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_ends_with_one_sentence_that_names_the_place(what, tmp_path):
    lines, sentence = BROKEN[what]
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        read_cells([written(tmp_path, *lines)])
    assert str(error.value).startswith(str(tmp_path / "numbers.csv")) and "\n" not in str(error.value)


def test_an_empty_condition_is_not_known(tmp_path):
    (cell,) = read_cells([written(tmp_path, HEADER, ROW.replace(",43,0:1 1:2,", ",,,"))])
    assert cell.conditions == {"passages": 100, "min_relevance": 1, "depth": 1000}
    assert str(cell.value) == "0.1840"


LAYOUT = """
title: A table
numbers: [{source: paper, table: Table 1}]
label_columns: [model]
columns: {Dev: {test_set: a/set, measures: [RR@10]}}
rows: {bm25: [BM25]}
"""


def check(folder, layout, *lines):
    """Check a layout and its numbers."""
    (folder / "own.yaml").write_text(layout)
    check_rows({"own": read_layout(folder / "own.yaml")}, read_placed_cells([written(folder, HEADER, *lines)]))


@pytest.mark.parametrize(
    ("change", "lines", "sentence"),
    [
        (("", ""), [ROW, ROW.replace("bm25", "bm52")], "line 3: found the system 'bm52', expected one of bm25."),
        (
            ("rows: {", "rows: {dot: [Dot], "),
            [ROW],
            "own: found the row dot, of which no file has a number, expected one.",
        ),
        (
            ("rows: {bm25: [BM25]", "rows: {bm25: [BM25, b]"),
            [ROW],
            "rows.bm25: found 2 labels, expected one for each of",
        ),
        (("title: A", "baseline: dot\ntitle: A"), [ROW], "own.yaml: baseline: 'dot' is not one of bm25."),
        (("title", "tittle"), [ROW], "own.yaml: tittle: unknown key, perhaps title is meant; the legal keys are"),
        (
            ("measures: [RR@10]", "measure: RR@10"),
            [ROW],
            "own.yaml: columns.Dev.measure: unknown key, perhaps measures",
        ),
    ],
)
def test_a_layout_and_its_numbers_that_do_not_fit_end_with_one_sentence(change, lines, sentence, tmp_path):
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        check(tmp_path, LAYOUT.replace(*change), *lines)
    assert "\n" not in str(error.value)


def test_a_number_of_another_table_needs_no_row(tmp_path):
    check(tmp_path, LAYOUT, ROW, ROW.replace("Table 1,bm25", "Table 2,dot"))


def test_of_several_sources_the_first_counts(tmp_path):
    (tmp_path / "own.yaml").write_text(LAYOUT.replace("[{source: paper,", "[{source: card}, {source: paper,"))
    rows = [ROW, ROW.replace("paper,", "card,").replace("0.1840", "0.19")]
    cells = read_cells([written(tmp_path, HEADER, *rows)])
    found = cells_of(read_layout(tmp_path / "own.yaml"), cells)
    assert {key: str(cell.value) for key, cell in found.items()} == {("bm25", "Dev", "RR@10"): "0.19"}
