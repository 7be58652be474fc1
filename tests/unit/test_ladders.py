"""Ladders: their arithmetic, and which stage they name."""

import json
from decimal import Decimal

import pandas as pd
import pytest

from stillroom.ladders import PUBLISHED, climbed, explain_cell, explanation

STAGES = [None, "candidates", "teacher", "ranker"]
CONDITIONS = {"passages": 100, "queries": 2, "judgements": "1:3", "min_relevance": 1, "depth": 10}
CELL = {"source": "card", "table": "a/model", "system": "student", "test_set": "a/set", "measure": "nDCG@10"} | {
    "value": "0.747",
    "tolerance": "0.003",
    "conditions": CONDITIONS,
    "evidence": "read",
    "note": "",
}


def decimals(*numbers):
    return [Decimal(number) for number in numbers]


def test_the_steps_add_up_to_the_gap():
    values = decimals("0.700", "0.711", "0.709", "0.740")
    rungs = climbed(STAGES, ["a", "b", "c", "d"], values)
    assert [rung.step for rung in rungs] == [None, *decimals("0.011", "-0.002", "0.031")]
    assert [rung.value for rung in rungs] == values and [rung.system for rung in rungs] == ["a", "b", "c", "d"]
    assert sum(rung.step for rung in rungs[1:]) == values[-1] - values[0]


# steps, the tolerance, what the sentence says
SENTENCES = [
    (("0.001", "0.030", "0.009"), ["it is +.0400.", "Most of it, +.0300 (75%), comes with the teacher's scores."]),
    (
        ("0.016", "0.012", "0.012"),
        ["it is +.0400.", "The largest part of it, +.0160 (40%), comes with the candidates."],
    ),
    (
        ("0.050", "-0.010", "0"),
        ["+.0500 (125%), comes with the candidates.", "other way go: the teacher's scores (-.0100)."],
    ),
    (
        ("-0.001", "-0.020", "0.002"),
        ["it is -.0190.", "Most of it, -.0200 (105%)", "the training of the ranker (+.0020)."],
    ),
    (("0.020", "-0.020", "0.003"), ["it is +.0030, within ±.003: there is no gap to explain."]),
    (("0", "0", "0"), ["it is +.0000, within ±.003: there is no gap to explain."]),
]


@pytest.mark.parametrize(("steps", "parts"), SENTENCES)
def test_the_stage_with_the_largest_part_of_the_gap_is_named(steps, parts):
    said = explanation(dict(zip(STAGES[1:], decimals(*steps), strict=True)), "the published number", Decimal("0.003"))
    assert said.startswith("From ours to the published number it is ")
    for part in parts:
        assert part in said


def test_what_no_stage_explains_is_what_is_left():
    said = explanation(
        {"ranker": Decimal("0.001"), PUBLISHED: Decimal("0.02")}, "the published number", Decimal("0.003")
    )
    assert "comes with what is left: reading texts, scoring, measuring." in said


@pytest.fixture
def explained(tmp_path):
    """A function from the means of rungs (each a list over seeds) to the CSV and the Markdown of a ladder."""

    def explained(means, conditions=CONDITIONS, sampled=False):
        paths, rungs = [], []
        for stage, values in zip([None, "teacher", "ranker"], means, strict=True):
            systems = [f"{stage or 'ours'}/seed-{seed}/exact" for seed in range(len(values))]
            rungs.append({"stage": stage, "systems": systems})
            for system, value in zip(systems, values, strict=True):
                content = {"system": system, "test_set": "dl19", "measures": {"nDCG@10": {"mean": value}}}
                paths.append(tmp_path / f"{len(paths)}.json")
                paths[-1].write_text(json.dumps(content | conditions))
        explain_cell(
            settings={"title": "student, exact", "test_set": "dl19", "sampled": sampled, "cell": CELL, "rungs": rungs},
            metrics_paths=paths,
            csv_path=tmp_path / "ladder.csv",
            md_path=tmp_path / "ladder.md",
        )
        return pd.read_csv(tmp_path / "ladder.csv"), (tmp_path / "ladder.md").read_text()

    return explained


def test_a_ladder_is_written_from_ours_to_the_published_number(explained):
    table, text = explained([[0.70, 0.71], [0.73], [0.745]])
    assert list(table["rung"]) == ["ours", "teacher", "ranker", "published"]
    assert table["system"][0] == "ours/mean/exact" and table["system"][1] == "teacher/seed-0/exact"
    assert list(table["value"]) == [0.705, 0.73, 0.745, 0.747]
    assert list(table["difference"][1:]) == [0.025, 0.015, 0.002]
    assert table["difference"].sum() == pytest.approx(0.747 - 0.705)
    assert "### student, exact: nDCG@10 on dl19" in text
    assert "| published: card, a/model" in text
    assert "- The last rung is within tolerance (tolerance ±.003)." in text
    assert (
        "- From ours to the published number it is +.0420. Most of it, +.0250 (60%), comes with the teacher's" in text
    )


def test_a_number_that_is_not_comparable_has_no_difference_and_the_rungs_still_have(explained):
    table, text = explained([[0.70], [0.73], [0.745]], CONDITIONS | {"depth": 5})
    assert table["difference"].isna().tolist() == [True, False, False, True]
    assert "- The published number is not comparable: results per query: 5 here, 10 there." in text
    assert "- From ours to the last rung it is +.0450. Most of it, +.0300 (67%)" in text


def test_no_ladder_on_a_sample_of_the_passages_ends_at_a_published_number(explained):
    table, text = explained([[0.70], [0.73], [0.745]], sampled=True)
    assert table["difference"].isna().tolist() == [True, False, False, True]
    assert "- The published number is not comparable: only a sample of the passages is searched here." in text
