"""Tables by the length of the relevant passage."""

import csv
import json
import re

import numpy as np
import pytest

from stillroom.length_tables import make_length_table
from stillroom.runs import write_qrels

WORDS = {"p5": 5, "p10": 10, "p11": 11, "p20": 20, "p21": 21}
QRELS = [
    ("a", "p10", 1),  # on the edge: belongs to the group that ends there
    ("b", "p11", 1),
    ("c", "p20", 1),
    ("d", "p21", 1),
    ("e", "p21", 1),  # two of the highest grade: the shorter counts
    ("e", "p5", 1),
    ("f", "p5", 1),  # a shorter one of a lower grade does not count
    ("f", "p21", 2),
    ("g", "gone", 3),  # not in the corpus
    ("g", "p11", 1),
    ("h", "gone", 1),  # nothing in the corpus: in no group
]
VALUES = {"a": 0.1, "b": 0.2, "c": 0.4, "d": 0.8, "e": 0.3, "f": 0.6, "g": 0.9, "h": 0.05, "unjudged": 1.0}


@pytest.fixture
def make(tmp_path, write_texts):
    """A function that makes the table and returns (CSV rows, Markdown, LaTeX)."""

    def make(edges, values=VALUES):
        passages = {name: "  ".join(["word"] * count) + "\n" for name, count in WORDS.items()}
        write_texts(tmp_path / "passages.parquet", "passage_id", passages)
        write_qrels(tmp_path / "qrels.txt", QRELS)
        content = {"system": "bm25", "test_set": "dev", "queries": len(values), "min_relevance": 1}
        content["measures"] = {"nDCG@10": {"mean": 0.5, "by_query": values}}
        (tmp_path / "metrics.json").write_text(json.dumps(content))
        make_length_table(
            settings={
                "title": "By length",
                "test_set": "dev",
                "measure": "nDCG@10",
                "passage_words": edges,
                "rows": [{"label": "BM25", "bm25": "bm25"}],
                "seeds": {},
                "seen": [],
                "sampled": [],
            },
            metrics_paths=[str(tmp_path / "metrics.json")],
            qrels_path=tmp_path / "qrels.txt",
            passages_path=tmp_path / "passages.parquet",
            csv_path=tmp_path / "table.csv",
            md_path=tmp_path / "table.md",
            tex_path=tmp_path / "table.tex",
            html_path=tmp_path / "table.html",
        )
        with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return rows, (tmp_path / "table.md").read_text("utf-8"), (tmp_path / "table.tex").read_text("utf-8")

    return make


def test_queries_are_grouped_by_the_length_of_their_shortest_best_passage(make):
    rows, markdown, _ = make([10, 20])
    assert list(rows[0]) == ["system", "label", "≤ 10 words", "11–20 words", "> 20 words"]
    means = [float(value) for value in list(rows[0].values())[2:]]
    assert means == pytest.approx([np.mean([0.1, 0.3]), np.mean([0.2, 0.4, 0.9]), np.mean([0.8, 0.6])])
    assert "≤ 10 words (n = 2)" in markdown and "11–20 words (n = 3)" in markdown and "> 20 words (n = 2)" in markdown
    assert "- nDCG@10 on dev, by the number of words of the relevant passage." in markdown


def test_one_edge_makes_two_groups(make):
    rows, _, _ = make([20])
    assert list(rows[0])[2:] == ["≤ 20 words", "> 20 words"]


def test_a_group_without_queries_is_a_plain_dash_and_raises_no_warning(make, recwarn):
    rows, markdown, latex = make([2, 20])
    assert rows[0]["≤ 2 words"] == ""
    cells = [cell.strip() for cell in markdown.splitlines()[4].strip("|").split("|")]
    assert cells[1] == "–" and "(n = 0)" in markdown
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]
    assert r"$\leq$ 2 words (n = 0)" in latex and "$>$ 20 words" in latex


def test_the_queries_of_a_column_are_in_its_header(make, tmp_path):
    make([10, 20])
    html = (tmp_path / "table.html").read_text("utf-8")
    assert re.findall(r'data-queries="([^"]*)"', html) == ["a e", "b c g", "d f"]
    assert html.count('data-measure="nDCG@10"') == 3
