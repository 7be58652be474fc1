"""What is searched and measured for a table of exact against approximate search, and what anew."""

import pytest

EXPERIMENT = """
experiment: search
seeds: [3, 4]
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}}
encoders: {tiny: {weights: a/folder}}
rankers:
  dot: {architecture: bert_dot, encoder: tiny}
indexes:
  exact: {}
  cells: {factory: "IVF10,Flat"}
  cells_4: {of: cells, nprobe: 4}
  graph: {factory: HNSW32, ef_search: 64}
retrieval: {depth: 10}
measures: [nDCG@10]
search_tables:
  search:
    title: Search
    test_set: dev
    ranker: dot
    measures: [nDCG@10]
    reference: exact
    rows:
      - {label: Exact, index: exact}
      - {label: Cells, index: cells}
      - {label: "Cells, 4", index: cells_4}
      - {label: Graph, index: graph}
"""
TABLE = {"make_search_table": 1, "plot_search": 1, "make_report": 1, "all": 1}
PER_INDEX = {"retrieve", "measure_search", "measure", "build_index", "measure_index"}


@pytest.fixture
def searches(project):
    """The project with an experiment that has a search table only."""
    project.write("config.yaml", EXPERIMENT)
    return project


def test_files_are_built_once_and_searched_in_every_way_alone_on_the_machine(searches):
    plan = searches.plan("--cores", "5")
    assert {rule: count for rule, count in plan.rules.items() if rule in PER_INDEX | {*TABLE}} == {
        "build_index": 3,
        "measure_index": 3,
        "retrieve": 4,
        "measure_search": 4,
        "measure": 4,
        **TABLE,
    }
    assert {job["seed"] for rule in PER_INDEX - {"measure"} for job in plan.wildcards(rule)} == {"3"}
    for rule in ("measure_index", "measure_search"):
        jobs = plan.text.split(f"\nrule {rule}:\n")[1:]
        assert jobs and all("    threads: 5\n" in job.split("\n\n")[0] + "\n" for job in jobs)


def test_the_costs_of_a_way_to_search_are_a_target_and_those_of_building_it_are_its_files(searches):
    plan = searches.plan("--", "results/search/efficiency/dev/dot/seed-4/cells_4.json")
    assert plan.wildcards("measure_search") == [{"test_set": "dev", "ranker": "dot", "seed": "4", "index": "cells_4"}]
    assert [job["index"] for job in plan.wildcards("build_index")] == ["cells"]
    for target in ("indexes/wiki/dot/seed-3/cells_4", "efficiency/indexes/wiki/dot/seed-3/cells_4.json"):
        status, text = searches.snakemake("--dry-run", "--", f"results/search/{target}")
        assert status != 0 and "Traceback" not in text


# what is set → (the indexes that are built anew, those that are searched anew)
SETTINGS = {
    "a parameter of building": ({"indexes.graph.ef_construction": 80}, ["graph"], ["graph"]),
    "a parameter of searching": ({"indexes.cells_4.nprobe": 5}, [], ["cells_4"]),
    "a parameter of searching a shared index": ({"indexes.cells.nprobe": 2}, [], ["cells"]),
    "a factory string": ({"indexes.cells.factory": "IVF20,Flat"}, ["cells"], ["cells", "cells_4"]),
    "the depth": ({"retrieval.depth": 20}, [], ["cells", "cells_4", "exact", "graph"]),
    "where recall is cut": ({"search_tables.search.recall_at": 5}, [], []),
    "the title": ({"search_tables.search.title": "Another"}, [], []),
}


def test_a_change_builds_and_searches_anew_what_it_is_about(searches):
    searches.finish()
    assert searches.plan().jobs == []
    for what, (settings, built, searched) in SETTINGS.items():
        searches.configure(settings)
        plan = searches.plan()
        expected = {"build_index": built, "measure_index": built, "retrieve": searched, "measure_search": searched}
        for rule, indexes in expected.items():
            assert sorted(job["index"] for job in plan.wildcards(rule)) == indexes, (what, rule)
        assert plan.rules.items() >= TABLE.items(), what
        searches.write("config.yaml", EXPERIMENT)
    assert searches.plan().jobs == []
