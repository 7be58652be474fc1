"""What is measured for a table of costs, and what is measured anew."""

import pytest

EXPERIMENT = """
experiment: costs
seeds: [3, 4]
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}}
encoders: {tiny: {weights: a/folder}}
rankers:
  cross: {architecture: bert_cat, encoder: tiny, pooling: max_sim}
  tokens: {architecture: colbert, encoder: tiny}
  dot: {architecture: bert_dot, encoder: tiny}
indexes: {exact: {}, graph: {factory: HNSW32}}
efficiency_tables:
  costs:
    title: Costs
    test_set: dev
    rows:
      - {label: Cross, ranker: cross}
      - {label: Tokens, ranker: tokens}
      - {label: Dot, ranker: dot, index: exact}
      - {label: "Dot, graph", ranker: dot, index: graph}
"""
RANKERS = ["cross", "dot", "tokens"]
TABLE = {"make_efficiency_table": 1, "make_report": 1, "all": 1}


@pytest.fixture
def costs(project):
    """The project with an experiment that has a table of costs only."""
    project.write("config.yaml", EXPERIMENT)
    return project


def measured(plan):
    """The rankers that are measured, as `<ranker>/seed-<n>`."""
    return sorted(f"{job['ranker']}/seed-{job['seed']}" for job in plan.wildcards("measure_efficiency"))


def test_every_ranker_of_a_table_is_measured_once_with_the_first_seed_and_alone(costs):
    plan = costs.plan("--cores", "5")
    once = ["fetch_collection", "fetch_queries", "tokenize_passages", "encode_passages", "plot_rules", *TABLE]
    assert plan.rules == {
        "download_dataset": 2,
        "export_ranker": 3,
        "measure_efficiency": 3,
        "build_index": 2,
        **dict.fromkeys(once, 1),
    }
    assert measured(plan) == [f"{ranker}/seed-3" for ranker in RANKERS]
    jobs = plan.text.split("\nrule measure_efficiency:\n")[1:]
    assert len(jobs) == 3 and all("    threads: 5\n" in job.split("\n\n")[0] + "\n" for job in jobs)


def test_what_a_ranker_costs_with_another_seed_is_a_target(costs):
    plan = costs.plan("--", "results/costs/efficiency/dev/dot/seed-4/rerank.json")
    assert measured(plan) == ["dot/seed-4"]
    assert "make_efficiency_table" not in plan.rules


# (what is set, the rankers that are measured anew)
SETTINGS = {
    "a setting of one ranker": ({"rankers.tokens.temperature": 0.5}, ["tokens"]),
    "the length limit of the encoder": ({"encoders.tiny.passage_tokens": 50}, RANKERS),
    "the number of timed queries": ({"efficiency": {"queries": 7}}, RANKERS),
    "the title": ({"efficiency_tables.costs.title": "Another"}, []),
    "the label of a row": ({"efficiency_tables.costs.rows.0.label": "BERT_CAT"}, []),
    "the factory of an index": ({"indexes.graph.factory": "HNSW16"}, []),
}
# (the module that is edited, the rankers that are measured anew)
EDITS = {"efficiency": RANKERS, "architectures/bert_cat": ["cross"], "efficiency_tables": []}


def test_a_change_measures_the_rankers_anew_that_it_is_about_and_a_tables_own_words_none(costs):
    costs.finish()
    assert costs.plan().jobs == []
    for what, (settings, rankers) in SETTINGS.items():
        costs.configure(settings)
        assert_measured(costs.plan(), rankers, what)
        costs.write("config.yaml", EXPERIMENT)
    for module, rankers in EDITS.items():
        code = costs.read(costs.library(module))
        costs.append(costs.library(module), "CHANGED = True")
        assert_measured(costs.plan(), rankers, module)
        costs.write(costs.library(module), code)
    assert costs.plan().jobs == []


def assert_measured(plan, rankers, what):
    """The table is made anew, from new measurements of these rankers and old ones of the others."""
    assert measured(plan) == [f"{ranker}/seed-3" for ranker in rankers], what
    assert plan.rules.items() >= TABLE.items(), what
