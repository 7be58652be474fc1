"""The table of published numbers, from metrics files made by hand."""

import json

import pandas as pd
import pytest

from stillroom.reproduction import compare_published, short

CONDITIONS = {"passages": 100, "queries": 2, "judgements": "1:3", "min_relevance": 1, "depth": 10}


def cell(measure, value, source="card", tolerance="0.003", **conditions):
    """A published number as the rule gets it."""
    names = {"source": source, "table": "Table 1", "system": "them", "test_set": "a/set", "measure": measure}
    numbers = {"value": value, "tolerance": tolerance, "conditions": CONDITIONS | conditions}
    return {**names, **numbers, "evidence": "read", "note": ""}


def line(label, systems, test_set, published):
    return {"label": label, "systems": systems, "test_set": test_set, "sampled": False, "cell": published}


LINES = [
    line("BM25", ["bm25"], "dev", cell("RR@10", "0.1840", "Pyserini", "0.0005")),
    line("BM25", ["bm25"], "dev", cell("RR@10", "0.194")),
    line("BM25", ["bm25"], "dev", cell("nDCG@10", "0.241", queries=7)),
    line("TAS-B", ["tas_b/seed-1/exact", "tas_b/seed-2/exact"], "dev", cell("RR@10", "0.347")),
]
MEANS = {"bm25": (0.18401, 0.2345), "tas_b/seed-1/exact": (0.343, 0.4), "tas_b/seed-2/exact": (0.346, 0.4)}


@pytest.fixture
def table(tmp_path):
    """The folder with the table in it, and the settings that it is made of."""
    for number, (system, (rank, gain)) in enumerate(MEANS.items()):
        measures = {"RR@10": {"mean": rank}, "nDCG@10": {"mean": gain}}
        content = {"system": system, "test_set": "dev", "measures": measures, **CONDITIONS}
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    compare_published(
        settings={
            "title": "Published numbers",
            "lines": LINES,
            "left_out": [
                {"label": "BM25", "test_set": "another/set", "measure": name} for name in ("R@1000", "RR@10", "RR@10")
            ],
        },
        metrics_paths=[str(tmp_path / f"{number}.json") for number in range(len(MEANS))],
        csv_path=tmp_path / "table.csv",
        md_path=tmp_path / "table.md",
        tex_path=tmp_path / "table.tex",
    )
    return tmp_path


def test_every_published_number_has_a_line_with_ours_the_difference_and_a_verdict(table):
    lines = pd.read_csv(table / "table.csv", dtype={"published": str})
    assert list(lines["system"]) == ["bm25", "bm25", "bm25", "tas_b/mean/exact"]
    assert list(lines["ours"]) == [0.18401, 0.18401, 0.2345, 0.3445]
    assert list(lines["published"]) == ["0.1840", "0.194", "0.241", "0.347"]
    assert list(lines["verdict"]) == ["same", "off", "not comparable", "within tolerance"]
    assert lines["difference"].round(9).tolist()[:2] == [0.00001, -0.00999]
    assert pd.isna(lines["difference"][2]) and lines["reason"][2] == "judged queries: 2 here, 7 there"
    assert lines["difference"][3] == -0.0025


def test_the_printed_table_has_the_published_digits_and_says_what_is_not_compared(table):
    text = (table / "table.md").read_text()
    assert "| BM25   | dev      | MRR@10  | Pyserini | .1840 |     .1840 |     +.0000 |             same |" in text
    assert "| TAS-B  | dev      | MRR@10  | card     | .3445 |      .347 |     -.0025 | within tolerance |" in text
    assert "|          –" in text and "**off**" in text
    assert "- Verdicts: same 1, within tolerance 1, off 1, not comparable 1." in text
    assert "Tolerances, fixed beforehand: ±.0005 (Pyserini), ±.003 (card)." in text
    assert "- Means over seeds: TAS-B." in text
    assert "- Not comparable: BM25 on dev, nDCG@10 (card): judged queries: 2 here, 7 there." in text
    assert "- Published, and not measured here: BM25 on another/set, Recall@1000, MRR@10." in text
    assert r"\textbf{off}" in (table / "table.tex").read_text()


@pytest.mark.parametrize(
    ("number", "printed"),
    [("0.3440", ".3440"), ("-0.0026", "-.0026"), ("+0.0", "+.0"), ("10.5", "10.5"), ("1.0", "1.0")],
)
def test_a_number_is_printed_without_the_zero_before_its_point(number, printed):
    assert short(number) == printed
