"""Published numbers: the files that are shipped, and what is said of broken ones."""

import re
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import ir_measures
import pytest
import yaml

from stillroom.config_published import SHIPPED
from stillroom.published_numbers import COLUMNS, as_settings, from_settings, read_cells

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
CONDITION_OF = {"bm25_default": "bm25-default", "bm25_tuned": "bm25-tuned"} | {
    "distilbert_dot_margin_mse_t2": "distilbert-kd-pytorch",
    "tas_b_256": "distilbert-kd-tasb-pytorch",
}


def written(folder, *lines):
    """A file with these lines."""
    (folder / "numbers.csv").write_text("\n".join(lines) + "\n")
    return folder / "numbers.csv"


def test_every_shipped_cell_is_legal():
    cells = read_cells(FILES)
    assert len(cells) > 180
    for cell in cells:
        assert str(ir_measures.parse_measure(cell.measure)) == cell.measure
        assert 0 < cell.value < 1 and cell.tolerance in (Decimal("0.0005"), Decimal("0.003"))
        assert from_settings(as_settings(cell)) == cell
        assert cell.conditions["depth"] == 1000


def test_tolerances_are_those_that_were_fixed_beforehand():
    for cell in read_cells(FILES):
        is_regression = cell.source in ("Pyserini", "Anserini")
        assert cell.tolerance == Decimal("0.0005" if is_regression else "0.003"), cell.key


def test_judgements_of_ms_marco_are_counted_as_the_test_sets_have_them():
    conditions = [cell.conditions for cell in read_cells(FILES) if cell.test_set.startswith("msmarco-passage")]
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
    found = {cell.test_set: cell.conditions for cell in read_cells([SHIPPED / "beir.csv"])}
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
    assert len(here) == 4 * 25 and here.items() <= there.items()


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
