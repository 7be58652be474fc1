"""The check of rerankings, published numbers and ladders: every mistake ends in one sentence with its key."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from stillroom.config_check import ConfigError, check_config
from stillroom.config_published import explained_cell, lines_of, rungs
from stillroom.config_reranking import candidate_file, rerankings_of
from stillroom.published_numbers import COLUMNS

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
NUMBERS = [
    "paper,Table 1,their_dot,wiki/dev,RR@10,0.34,0.003,100,43,1:50,,,1,50,read,",
    "paper,Table 1,their_dot,wiki/dev,nDCG@10,0.41,0.003,100,43,1:50,,,1,50,read,",
    "paper,Table 1,their_dot,wiki/test,RR@10,0.35,0.003,100,43,1:50,,,1,50,read,",
    "card,a/model,their_dot,wiki/dev,RR@10,0.341,0.003,100,43,1:50,,,1,50,read,",
    "paper,Table 2,their_bm25,wiki/dev,R@1000,0.9,0.003,100,43,1:50,,,1,50,read,",
    "paper,Table 2,their_bm25,wiki/dev,RR@10,0.2,0.003,100,43,1:50,,,1,50,read,",
    "paper,Table 3,their_dpr,wiki/test,RR@10,0.2,0.003,100,43,1:50,,,1,50,read,",
]
CONFIG = yaml.safe_load("""
experiment: small
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}, other: {corpus: wiki, dataset: wiki/other}}
training_sets:
  triples:
    {corpus: wiki, dataset: wiki/train, triples_of: theirs, validation: {dataset: wiki/validation, candidates: okapi}}
bm25: {okapi: {k1: 0.9, b: 0.4, depth: 100}}
reranking: {candidates: okapi, depth: 50}
rerankings:
  deep: {candidates: okapi, depth: 100}
  official: {candidates: {dev: {file: official.tsv}}}
encoders: {tiny: {weights: a/folder}}
training: {short: {steps: 100}}
rankers:
  cross: {architecture: bert_cat, encoder: tiny, loss: ranknet, training: short}
  dot: {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: own, training: short, seeds: [1, 2]}
  dot_theirs: {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: theirs, training: short}
  mse: {architecture: bert_dot, encoder: tiny, loss: mse, teacher: own, training: short}
  published_dot: {architecture: bert_dot, encoder: tiny}
teachers: {own: {average: [cross]}, theirs: {scores: scores.tsv}}
indexes: {exact: {}}
measures: [RR@10, nDCG@10]
published:
  rows:
    - {label: BM25, bm25: okapi, published: their_bm25}
    - {label: Dot, ranker: published_dot, way: exact, published: their_dot}
ladders:
  dot:
    ranker: dot
    way: rerank
    test_set: dev
    measure: RR@10
    published: {system: their_dot, source: card, candidates: official, teacher: theirs, ranker: published_dot}
""")
LADDER = "ladders.dot.published"

# (key path, its new value or None to take the key out, how the error begins). One that starts with `:` or
# `.` follows the path.
ERRORS = [
    ("rerankings.rerank", {"candidates": "okapi"}, ": the way of reranking has this name; choose another."),
    ("rerankings.exact", {"candidates": "okapi"}, ": an index has this name; choose another."),
    ("rerankings.deep", {"depth": 5}, ".candidates: missing; the block needs candidates."),
    ("rerankings.deep.candidates", "lm", ": 'lm' is not one of okapi."),
    ("rerankings.deep.depth", 101, ": found 101, but bm25.okapi.depth is 100."),
    ("rerankings.official.candidates", {}, ": found an empty block, expected at least 1 block."),
    ("rerankings.official.candidates.test", {"file": "a"}, ": is not one of dev, other."),
    ("rerankings.official.candidates.dev.path", "a", ": unknown key; the legal keys are file, md5."),
    ("rerankings.official.candidates.dev.md5", "1f", ": found '1f', expected 32 digits of 0-9 and a-f."),
    ("rerankings.official.candidates.dev.file", "ftp://a/b", ": found 'ftp://a/b', expected a path or a URL with http"),
    ("published.rows.1.way", "official_", ": 'official_' is not one of exact, rerank, deep, official."),
    ("published.rows.1.published", "their_dott", ": 'their_dott' is not one of their_dot, their_bm25, their_dpr."),
    ("published.rows.1.published", None, ": missing; the block needs label, published."),
    (
        "published.rows.1.published",
        "their_dpr",
        ": their_dpr has no number that is measured here, only wiki/test RR@10.",
    ),
    ("published.test_sets", ["test"], ".0: 'test' is not one of dev, other."),
    ("published.test_sets", ["other"], "published.rows.0.published: their_bm25 has no number that is measured here"),
    ("published.numbers", ["none.csv"], ": none.csv: there is no such file."),
    ("published.numbers", [str(SCHEMA)], f": {SCHEMA}: found no column source, expected the columns source, table"),
    ("tables", {"reproduction": {}}, ".reproduction.title: missing; the block needs title, test_sets, measures, rows."),
    (f"{LADDER}.system", "dots", ": 'dots' is not one of their_dot, their_bm25, their_dpr."),
    (f"{LADDER}.system", "their_dpr", ": their_dpr has no RR@10 on wiki/dev, only wiki/test RR@10."),
    (f"{LADDER}.source", None, ": missing; expected one of paper, card."),
    (f"{LADDER}.source", "web", ": 'web' is not one of paper, card."),
    (f"{LADDER}.candidates", "okapi", ": 'okapi' is not one of deep, official."),
    ("ladders.dot.way", "official", f"{LADDER}.candidates: found official, which is the way of the ladder already."),
    ("ladders.dot.way", "exact", f"{LADDER}.candidates: has no effect with the way exact, which has no candidates;"),
    ("ladders.dot.way", "rerankk", ": 'rerankk' is not one of exact, rerank, deep, official."),
    ("ladders.dot.measure", "AP@5", ": 'AP@5' is not one of RR@10, nDCG@10."),
    (f"{LADDER}.teacher", "own", ": own averages rankers; expected a teacher with scores."),
    ("ladders.dot.ranker", "dot_theirs", f"{LADDER}.teacher: dot_theirs learns from theirs already; take the key out."),
    ("ladders.dot.ranker", "published_dot", f"{LADDER}.teacher: published_dot learns from no teacher; take the key"),
    ("ladders.dot.ranker", "mse", f"{LADDER}.teacher: no ranker is mse with the teacher theirs; add such a block"),
    (f"{LADDER}.ranker", "dot_theirs", ": dot_theirs is trained here; name a ranker that is used as it is."),
    (LADDER, {"system": "their_dot"}, ": found nothing to swap in, expected one or more of candidates, teacher, ranke"),
    (
        "rerankings.official.candidates",
        {"other": {"file": "a"}},
        "ladders.dot.way: official has candidates for other, ",
    ),
]


@pytest.fixture
def config(tmp_path):
    """The small config with published numbers of its own."""
    (tmp_path / "numbers.csv").write_text("\n".join([",".join(COLUMNS), *NUMBERS]) + "\n")
    config = deepcopy(CONFIG)
    config["published"]["numbers"] = [str(tmp_path / "numbers.csv")]
    return config


def change(config, path, value):
    """Set one key, or take it out."""
    *blocks, key = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in blocks:
        config = config[part]
    if value is None:
        del config[key]
    else:
        config[key] = value


@pytest.mark.parametrize(("path", "value", "message"), ERRORS)
def test_a_mistake_ends_with_one_sentence_and_its_key(path, value, message, config):
    change(config, path, value)
    with pytest.raises(ConfigError) as error:
        check_config(config, SCHEMA)
    expected = f"{path}{message}" if message.startswith((":", ".")) else message
    assert str(error.value).startswith(expected)


def test_no_table_takes_the_name_of_the_table_of_published_numbers(config):
    rows = [{"label": "BM25", "bm25": "okapi"}]
    config["tables"] = {"reproduction": {"title": "A", "test_sets": ["dev"], "measures": ["RR@10"], "rows": rows}}
    with pytest.raises(ConfigError, match=r"^tables\.reproduction: a table has this name; choose another\.$"):
        check_config(config, SCHEMA)


def test_a_row_of_any_table_re_ranks_what_there_are_candidates_for(config):
    rows = [{"label": "Cross", "ranker": "cross", "way": "official"}]
    table = {"title": "A", "test_sets": ["dev"], "measures": ["RR@10"], "rows": rows}
    config["tables"] = {"main": table}
    check_config(config, SCHEMA)
    table["test_sets"] = ["dev", "other"]
    with pytest.raises(
        ConfigError, match=r"^tables\.main\.rows\.0\.way: official has candidates for dev, not for other"
    ):
        check_config(config, SCHEMA)


def test_the_old_key_is_the_way_rerank_and_others_have_their_own_candidates(config):
    config = check_config(config, SCHEMA)
    assert list(rerankings_of(config)) == ["rerank", "deep", "official"]
    assert rerankings_of(config)["rerank"] == {"candidates": "okapi", "depth": 50}
    assert candidate_file(config, "deep", "dev") is None
    assert candidate_file(config, "official", "dev") == {"file": "official.tsv", "md5": None}


def test_numbers_are_compared_where_they_are_measured_and_the_others_are_kept_to_be_named(config):
    compared, left_out = lines_of(check_config(config, SCHEMA))
    found = [(line.place, line.test_set, line.cell.measure, str(line.cell.value)) for line in compared]
    assert found == [
        (0, "dev", "RR@10", "0.2"),
        (1, "dev", "RR@10", "0.34"),
        (1, "dev", "RR@10", "0.341"),
        (1, "dev", "nDCG@10", "0.41"),
    ]
    assert [(line.place, line.test_set, line.cell.measure) for line in left_out] == [
        (0, "wiki/dev", "R@1000"),
        (1, "wiki/test", "RR@10"),
    ]


def test_a_ladder_swaps_in_one_stage_after_the_other(config):
    config = check_config(config, SCHEMA)
    assert [(rung["stage"], rung["ranker"], rung["way"]) for rung in rungs(config, "dot")] == [
        (None, "dot", "rerank"),
        ("candidates", "dot", "official"),
        ("teacher", "dot_theirs", "official"),
        ("ranker", "published_dot", "official"),
    ]
    assert str(explained_cell(config, "dot").value) == "0.341"


def test_a_stage_that_is_not_named_stays_ours(config):
    config["ladders"]["dot"]["published"] |= {"candidates": None, "teacher": None}
    found = rungs(check_config(config, SCHEMA), "dot")
    assert [(rung["stage"], rung["ranker"], rung["way"]) for rung in found] == [
        (None, "dot", "rerank"),
        ("ranker", "published_dot", "rerank"),
    ]
