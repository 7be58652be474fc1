"""What is drawn, from what, and what `figures` alone starts: nothing but pictures of what has run."""

import shutil

import pytest

RESULTS = "results/pydocs"
FIGURES = [
    "clusters-topics",
    "gains-main-dev",
    "gains-main-graded",
    "margins-cat_and_colbert-topics",
    "rule-graph",
    "scores-cat_and_colbert",
    "training-curves",
]
PLOTS = {"plot_gains": 2, "plot_training": 1, "plot_scores": 1, "plot_margins": 1, "plot_clusters": 1, "plot_rules": 1}
NOT_RUN = "Not drawn, because what they show has not run yet"


def finished_figures(project):
    """The figures that are there, each in both formats."""
    files = sorted(path.name for path in (project.folder / RESULTS / "figures").iterdir())
    assert files == sorted(f"{name.rpartition('.')[0]}.{suffix}" for name in files[::2] for suffix in ("png", "svg"))
    return [name.rpartition(".")[0] for name in files[::2]]


def test_all_makes_every_figure_that_the_config_has_something_for(finished):
    assert finished_figures(finished) == FIGURES
    plan = finished.plan("--forceall")
    assert {rule: count for rule, count in plan.rules.items() if rule.startswith("plot_")} == PLOTS
    assert plan.rules["draw_batches"] == 1
    assert NOT_RUN not in plan.text


def test_figures_alone_start_nothing_where_nothing_has_run_and_one_sentence_says_so(project):
    plan = project.plan("--", "figures")
    assert plan.rules == {"plot_rules": 1, "figures": 1}
    (sentence,) = {line for line in plan.text.splitlines() if NOT_RUN in line}
    assert sentence.endswith(".") and all(name in sentence for name in FIGURES if name != "rule-graph")


def test_figures_alone_show_what_is_there_and_all_makes_the_rest(finished):
    for path in ("metrics/dev/tas_b", "rankers/tas_b", "runs/dev/colbert", "query_clusters", "figures", "batches"):
        shutil.rmtree(finished.folder / RESULTS / path)
    plan = finished.plan("--", "figures")
    assert plan.rules == {"plot_gains": 2, "plot_training": 1, "plot_scores": 1, "plot_rules": 1, "figures": 1}
    assert f"{NOT_RUN}: margins-cat_and_colbert-topics, clusters-topics." in plan.text
    everything = finished.plan().rules
    assert everything.items() >= (PLOTS | {"draw_batches": 1, "cluster_queries": 1, "train_ranker": 1}).items()


def test_a_figure_is_drawn_again_once_more_of_it_is_there(finished):
    curve = finished.folder / RESULTS / "rankers/tas_b/seed-1/training.jsonl"
    text = curve.read_text()
    curve.unlink()
    status, said = finished.snakemake("--touch", "--cores", "1", "--", "figures")
    assert status == 0, said
    assert finished.plan("--", "figures").jobs == []
    curve.write_text(text)
    plan = finished.plan("--", "figures")
    assert plan.rules["plot_training"] == 1 and "train_ranker" not in plan.rules


def test_every_figure_is_a_target_and_others_are_refused(project):
    targets = [f"{RESULTS}/figures/{name}.svg" for name in FIGURES]
    plan = project.plan("--", *targets)
    assert plan.rules.items() >= PLOTS.items()
    assert plan.trained == [
        f"{name}/seed-1" for name in ("bert_cat", "bert_dot", "bert_dot_margin_mse", "colbert", "tas_b")
    ]
    for name in ("gains-main-nowhere", "scores-bert_cat", "clusters-main", "main"):
        status, text = project.snakemake("--dry-run", "--", f"{RESULTS}/figures/{name}.svg")
        assert status != 0 and "Traceback" not in text, name


# what is set → the figures that are drawn anew, where nothing else but tables is made
SETTINGS = {
    "a label": ({"tables.main.rows.7.label": "Balanced"}, {"plot_gains": 2, "plot_scores": 1}),
    "the order of measures": ({"tables.main.measures": ["nDCG@10", "RR@10", "R@100"]}, {"plot_gains": 2}),
    "the title of a length table": ({"length_tables.by_length.title": "Another"}, {}),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_a_change_draws_anew_what_shows_it(finished, what):
    settings, drawn = SETTINGS[what]
    finished.configure(settings)
    rules = finished.plan().rules
    assert {rule: count for rule, count in rules.items() if not rule.startswith("make_")} == {**drawn, "all": 1}


def test_an_edit_of_one_figure_draws_that_and_one_of_the_style_draws_all(finished):
    text = finished.read(finished.library("figures/gains"))
    finished.append(finished.library("figures/gains"), "CHANGED = True")
    assert finished.plan().rules == {"plot_gains": 2, "make_report": 1, "all": 1}
    finished.write(finished.library("figures/gains"), text)
    finished.append(finished.library("figures/style"), "CHANGED = True")
    assert finished.plan().rules == {**PLOTS, "make_report": 1, "all": 1}


COSTS = {
    "efficiency_tables.costs": {
        "title": "Costs",
        "test_set": "dev",
        "rows": [{"label": "CAT", "ranker": "bert_cat"}, {"label": "DOT", "ranker": "bert_dot"}],
    }
}


def test_effectiveness_against_latency_takes_what_a_table_re_ranks(finished):
    finished.configure({"efficiency_tables": {}})
    finished.configure(COSTS)
    plan = finished.plan()
    assert plan.rules["plot_costs"] == 1
    assert not {"measure", "rerank", "train_ranker"} & plan.rules.keys()
    measured = [job["ranker"] for job in plan.wildcards("measure_efficiency")]
    assert sorted(measured) == ["bert_cat", "bert_dot"]

    rows = [row for row in finished.config()["tables"]["main"]["rows"] if row.get("way") != "rerank"]
    finished.configure({"tables.main.rows": rows, "tables.main.expectations": []})
    assert "plot_costs" not in finished.plan().rules
