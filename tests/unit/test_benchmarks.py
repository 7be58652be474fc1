"""What the benchmarks measure on, and what they write. Speeds themselves are no test's business."""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in [name for name in sys.modules if name in ("run", "made_up", "models") or name.startswith("stages")]:
        del sys.modules[name]


def test_made_up_passages_have_the_lengths_of_ms_marco_and_repeat_themselves(tmp_path):
    import made_up

    texts = list(made_up.texts(3_000, seed=1))
    words = np.array([len(text.split()) for text in texts])
    assert abs(words.mean() - 56) < 1.5 and abs(words.std() - 24) < 2
    assert list(made_up.texts(3_000, seed=1)) == texts
    assert next(made_up.texts(1, seed=2)) != texts[0]
    made_up.write_passages(tmp_path / "passages.parquet", 30, seed=1)
    assert pq.read_table(tmp_path / "passages.parquet")["passage_id"].to_pylist() == [str(row) for row in range(30)]


def test_half_of_the_pairs_of_made_up_triples_are_distinct(tmp_path):
    import made_up

    from stillroom.pair_scores import distinct_pairs

    queries = made_up.write_triples(tmp_path / "triples.parquet", 800)
    assert queries == 20
    assert len(distinct_pairs(tmp_path / "triples.parquet")) == 800 + 20


def test_operations_are_those_that_torch_counts(tiny_encoder, torch):
    import models
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny_encoder, attn_implementation="eager", add_pooling_layer=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.ones(3, 20, dtype=torch.long))
    assert models.operations(model.config, np.array([20, 20, 20])) == counter.get_total_flops()


def test_the_table_has_the_columns_and_keeps_the_rows_of_other_stages(tmp_path):
    import run

    path = tmp_path / "machine.csv"
    run.write_rows(path, [run.Row("one", 2, 1, "peer", "things/s", 2), run.Row("two", 3, 1, "peer", "things/s", 3)])
    run.write_rows(path, [run.Row("one", 1.23456, 3, "peer", "things/s", 0.41152)])
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["stage", "ours", "peer", "peer_name", "unit", "ratio"]
    assert [(row["stage"], row["ours"], row["ratio"]) for row in rows] == [
        ("two", "3", "3.000"),
        ("one", "1.235", "0.412"),
    ]


def test_growth_compares_each_size_with_the_one_before():
    import run

    found = {10: {"s": 1.0, "MB": 50.0}, 100: {"s": 9.0, "MB": 60.0}, 1_000: {"s": 99.0, "MB": 60.0}}
    rows = run.growth_rows("tokens", found, 1)
    assert [(row.stage, row.peer_name, row.unit) for row in rows][2:] == [
        ("tokens, 1,000 passages", "100 passages", "s"),
        ("tokens, 1,000 passages", "100 passages", "MB"),
    ]
    assert [row.ratio for row in rows] == pytest.approx([9, 1.2, 11, 1])


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """A function that measures a stage three times, whose sides differ by so much; and returns who took turns."""
    import run

    options = argparse.Namespace(repetitions=3, scale=1.0)
    asked = []

    def measure(difference):
        def ask(module, name, side, folder, scale):
            asked.append(side)
            rates = {"ours": [2.0, 9.0, 3.0], "peer": [1.0, 2.0, 8.0]}
            if side == "difference":
                return {"difference": difference}
            return {"rate": rates[side][asked.count(side) - 1]} if side in rates else {}

        monkeypatch.setattr(run, "ask", ask)
        return run.measured_rows("evaluate", "evaluation", tmp_path, options), asked

    return measure


def test_the_sides_take_turns_and_medians_count(measure):
    rows, asked = measure(difference=1e-7)
    assert asked == ["prepare", "ours", "peer", "peer", "ours", "ours", "peer", "difference"]
    assert [(row.ours, row.peer, row.ratio) for row in rows] == [(3.0, 2.0, 1.5)]


def test_sides_that_find_something_else_are_not_compared(measure):
    with pytest.raises(
        SystemExit, match=r"^evaluate: ours and the peer's results differ by 2\.0e-06: not the same work"
    ):
        measure(difference=2e-6)


def test_a_stage_that_fails_does_not_lose_those_before_it(tmp_path, monkeypatch):
    import run

    def measure(name, module, folder, options):
        if name == "evaluate":
            raise SystemExit("failed")
        return [run.Row(name, 2, 1, "peer", "things/s", 2)]

    monkeypatch.setattr(run, "measured_rows", measure)
    monkeypatch.setattr(run, "ask", lambda *words: {"name": "machine"})
    words = ["--results", str(tmp_path), "--stages", "exact search", "evaluate"]
    monkeypatch.setattr(sys, "argv", ["run.py", *words])
    with pytest.raises(SystemExit, match="failed"):
        run.main()
    assert "exact search,2,1,peer" in (tmp_path / "machine.csv").read_text()


def test_every_stage_says_what_it_compares_with_whom():
    import run

    for module in run.MODULES:
        for name, stage in run.import_module(f"stages.{module}").STAGES.items():
            assert callable(stage["prepare"]), name
            if "sizes" in stage:
                assert callable(stage["measure"]) and stage["repetitions"] == 1
            else:
                assert all(callable(stage[side]) for side in ("ours", "peer", "difference"))
                assert {"tolerance", "peer_name", "unit"} <= stage.keys()
