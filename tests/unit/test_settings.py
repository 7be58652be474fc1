"""The config: every mistake ends in one sentence with its key, and what is checked is complete."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from stillroom.config import (
    cells_that_saw,
    datasets_of,
    kept_of_sample,
    modules_of_ranker,
    rankers_of,
    resolve_query_sets,
    resolve_ranker,
    rows_that_saw,
    sampled_test_sets,
    seeds_of,
    systems,
    systems_of,
)
from stillroom.config_check import ConfigError, check_config
from stillroom.config_files import check_keys_once
from stillroom.config_rankers import constant_of, parents
from stillroom.config_schema import read_schema
from stillroom.config_teachers import suffix_of
from stillroom.registry import names
from stillroom.settings import ranker_settings, settings_to_dict

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"

CONFIG = """
experiment: small
seeds: [1, 2]
corpora:
  wiki: {dataset: wiki}
test_sets:
  dev: {corpus: wiki, dataset: wiki/dev}
  graded: {corpus: wiki, dataset: wiki/graded, min_relevance: 2}
training_sets:
  triples:
    corpus: wiki
    dataset: wiki/train
    negatives: {from: okapi, depth: 100, per_query: 4}
    validation: {dataset: wiki/validation, candidates: okapi, queries: 60}
bm25:
  okapi: {k1: 0.9, b: 0.4}
reranking: {candidates: okapi, depth: 50}
encoders:
  tiny: {weights: a/folder, query_tokens: 24}
training:
  short: {steps: 100, learning_rate: 5.0e-5, validate_every: 50, patience: 2}
rankers:
  plain: {architecture: bert_dot, encoder: tiny}
  cross: {architecture: bert_cat, encoder: tiny, loss: ranknet, training: short}
  tokens: {architecture: colbert, encoder: tiny, loss: margin_mse, teacher: cross, training: short}
  student: {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: cross, training: short}
  tas_b:
    {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: cross, training: short,
     sampler: tas_balanced, clustering: topics, in_batch: {loss: margin_mse, teacher: tokens}}
teachers:
  cross: {average: [cross]}
clusterings:
  topics: {ranker: student, clusters: 4}
indexes:
  exact: {}
measures: [RR@10, nDCG@10]
tables:
  main:
    title: Main
    test_sets: [dev]
    measures: [RR@10]
    rows:
      - {label: BM25, bm25: okapi}
      - {label: Cross, ranker: cross, way: rerank}
      - {label: TAS-B, ranker: tas_b, way: exact}
    expectations:
      - {better: {ranker: student, way: exact}, than: {bm25: okapi}, measure: RR@10}
length_tables:
  lengths:
    title: Lengths
    test_set: dev
    measure: RR@10
    passage_words: [50, 100]
    rows: [{label: BM25, bm25: okapi}]
efficiency_tables:
  costs:
    title: Costs
    test_set: dev
    rows: [{label: Student, ranker: student}, {label: Cross, ranker: cross}]
"""

OTHER_SET = {"corpus": "wiki", "dataset": "wiki/other"}

# (key path, its new value or None to take the key out, how the error begins). One that starts with `:` or
# `.` follows the path.
SCHEMA_ERRORS = [
    ("experiment", None, ": missing; the block needs experiment, corpora, test_sets."),
    ("experiment", "MS-MARCO", ": found 'MS-MARCO', expected a name (two or more lower-case letters,"),
    ("seeds", [], ": found [], expected at least 1 entry."),
    ("seeds", [1, 1], ": found [1, 1], expected every entry only once."),
    ("seeds", [-1], ".0: found -1, expected at least 0."),
    ("seeds", [1.0], ".0: found 1.0, expected an integer; write 1."),
    ("tables", "", ": found '', expected a block of keys."),
    ("rankers.TasB", {}, ": a name has two or more lower-case letters, digits or _,"),
    ("rankers.7", {}, ": a name has two or more lower-case letters, digits or _,"),
    ("rankers.tas_b.losss", "x", ": unknown key, perhaps loss is meant; the legal keys are archi"),
    (
        "training.short.zzz",
        1,
        ": unknown key; the legal keys are accumulate, batch_size, chunk_tokens, dropout, gradient_checkpointing, ",
    ),
    ("training.short.steps", None, ": missing; the block needs steps."),
    ("training.short.steps", 0, ": found 0, expected at least 1."),
    ("training.short.steps", True, ": found true, expected an integer."),
    ("training.short.steps", "1e3", ": found '1e3', expected an integer; YAML reads it as text, write 1000."),
    ("training.short.learning_rate", 0, ": found 0, expected more than 0."),
    ("training.short.learning_rate", float("nan"), ": found nan, expected a number."),
    (
        "training.short.learning_rate",
        "7e-6",
        ": found '7e-6', expected a number; YAML reads it as text, write 7.0e-6.",
    ),
    (
        "training.short.gradient_clipping",
        "1.5e5",
        ": found '1.5e5', expected a number or null; YAML reads it as text, write 1.5e+5.",
    ),
    ("bm25.okapi.k1", "0.9", ": found '0.9', expected a number; YAML reads it as text, write 0.9 with"),
    ("bm25.okapi.b", 1.5, ": found 1.5, expected at most 1."),
    ("bm25.okapi.fields", {"title": 1}, ".text: missing; the block needs title, text."),
    ("corpora.wiki.sample", {"share": 1}, ".share: found 1, expected less than 1."),
    ("corpora.wiki.sample", {"part": 0.5}, ".part: unknown key; the legal keys are seed, share."),
    (
        "test_sets.dev.without",
        [{"validation": "triples"}],
        ".0.validation: unknown key, perhaps validation_of is meant; ",
    ),
    ("test_sets.dev.without", [7], ".0: found 7, expected text or a block of keys; write '7' in quotes."),
    ("test_sets.dev.expected", {"queries": 0}, ".queries: found 0, expected at least 1."),
    ("encoders.tiny.revision", 12, ": found 12, expected text or null; write '12' in quotes."),
    ("rankers.plain.join_layer", -1, ": found -1, expected at least 0."),
    ("rankers.plain.dimensions", 0, ": found 0, expected at least 1."),
    ("training.short.kernel_learning_rate", 0, ": found 0, expected more than 0."),
    ("training.short.schedule", "cosin", ": 'cosin' is not one of constant, linear, cosine."),
    ("training.short.optimizer", "sgd", ": 'sgd' is not one of adam, adamw."),
    ("training.short.precision", "fp8", ": 'fp8' is not one of fp32, bf16, fp16."),
    ("training.short.accumulate", 0, ": found 0, expected at least 1."),
    ("training.short.negatives", 0, ": found 0, expected at least 1."),
    ("rankers.student.loss_settings", {"gamma": -0.5}, ".gamma: found -0.5, expected at least 0."),
    ("rankers.student.loss_settings", {"beta": -1}, ".beta: found -1, expected at least 0."),
    ("rankers.student.loss_settings", {"temperature": 0}, ".temperature: found 0, expected more than 0."),
    ("rankers.student.loss_settings", {"gama": 1}, ".gama: unknown key, perhaps gamma is meant; the legal keys are "),
    ("rankers.student.contrastive", 0, ": found 0, expected more than 0."),
    ("training_sets.triples.negatives.from", 7, ": found 7, expected text or a block of keys; write '7' in quotes."),
    ("training_sets.triples.negatives.from", {"ranker": "plain"}, ".index: missing; the block needs ranker, index."),
    ("training.short.chunk_tokens", 0, ": found 0, expected at least 1."),
    (
        "tables.main.rows.1.way",
        None,
        "tables.main.rows.1: found label, ranker; expected either bm25, or ranker and way, or teacher and way.",
    ),
    (
        "tables.main.rows.0.way",
        "exact",
        "tables.main.rows.0: found label, bm25, way; expected either bm25, or ranker and way, or teacher and way.",
    ),
    ("tables.main.rows.2.index", "x", ": unknown key; the legal keys are bm25, label, ranker, teacher, way."),
    (
        "tables.main.expectations.0.than.seed",
        1,
        ": unknown key; the legal keys are bm25, label, ranker, rankers, teacher, way.",
    ),
]

NAME_ERRORS = [
    ("test_sets.dev.corpus", "web", ": 'web' is not one of wiki."),
    ("training_sets.triples.corpus", "web", ": 'web' is not one of wiki."),
    ("training_sets.triples.negatives.from", "lm", ": 'lm' is not one of okapi."),
    (
        "training_sets.triples.negatives.from",
        {"ranker": "t5", "index": "exact"},
        ".ranker: 't5' is not one of plain, cross, tokens, student, tas_b.",
    ),
    ("training_sets.triples.negatives.from", {"ranker": "plain", "index": "hnsw"}, ".index: 'hnsw' is not one of exac"),
    ("training_sets.triples.validation.candidates", "lm", ": 'lm' is not one of okapi."),
    ("reranking.candidates", "lm", ": 'lm' is not one of okapi."),
    ("rankers.tas_b.architecture", "bert", ": 'bert' is not one of bert_"),
    ("rankers.tas_b.loss", "margin_msee", ": 'margin_msee' is not one of "),
    ("rankers.tas_b.loss", "_in_batch", ": '_in_batch' is not one of "),
    ("rankers.tas_b.sampler", "all", ": 'all' is not one of random, "),
    ("rankers.tas_b.in_batch.loss", "mean", ": 'mean' is not one of "),
    ("rankers.tas_b.in_batch.teacher", "t5", ": 't5' is not one of plain, cross, tokens, student, tas_b."),
    ("rankers.tas_b.encoder", "big", ": 'big' is not one of tiny."),
    ("rankers.tas_b.training", "long", ": 'long' is not one of short."),
    ("rankers.tas_b.training_set", "more", ": 'more' is not one of triples."),
    ("rankers.tas_b.teacher", "t5", ": 't5' is not one of cross."),
    ("rankers.tas_b.clustering", "none", ": 'none' is not one of topics."),
    ("teachers.cross.average", ["t5"], ".0: 't5' is not one of plain, cross, tokens, student, tas_b."),
    ("training_sets.triples.triples_of", "t5", ": 't5' is not one of cross."),
    ("clusterings.topics.ranker", "t5", ": 't5' is not one of plain, cross, tokens, student, tas_b."),
    ("tables.main.test_sets", ["dev", "test"], ".1: 'test' is not one of dev, graded."),
    ("tables.main.measures", ["R@10"], ".0: 'R@10' is not one of RR@10, nDCG@10."),
    ("tables.main.rows.0.bm25", "lm", ": 'lm' is not one of okapi."),
    ("tables.main.rows.1.ranker", "t5", ": 't5' is not one of plain, cross, tokens, student, tas_b."),
    ("tables.main.rows.2.way", "hnsw", ": 'hnsw' is not one of exact, rerank."),
    ("tables.main.expectations.0.than.bm25", "lm", ": 'lm' is not one of okapi."),
    ("tables.main.expectations.0.measure", "P@1", ": 'P@1' is not one of RR@10, nDCG@10."),
    ("tables.main.expectations.0.test_sets", ["x"], ".0: 'x' is not one of dev, graded."),
    ("length_tables.lengths.test_set", "test", ": 'test' is not one of dev, graded."),
    ("length_tables.lengths.measure", "R@1", ": 'R@1' is not one of RR@10, nDCG@10."),
    ("length_tables.lengths.rows.0.bm25", "lm", ": 'lm' is not one of okapi."),
    ("efficiency_tables.costs.test_set", "test", ": 'test' is not one of dev, graded."),
    ("efficiency_tables.costs.rows.0.ranker", "okapi", ": 'okapi' is not one of plain, cross, tokens, student, tas_b."),
    ("efficiency_tables.costs.rows.0.index", "hnsw", ": 'hnsw' is not one of exact."),
    ("indexes", None, "tables.main.rows.2.way: 'exact' is not one of rerank."),
    ("teachers", None, "rankers.tokens.teacher: 'cross' is not there: nothing is defined under teachers."),
]

SENSE_ERRORS = [
    ("measures", ["RR@10", "nDCGG@10"], ".1: 'nDCGG@10' is no measure of ir_measures, such as"),
    ("measures", ["RR@10", "P"], ".1: 'P' is no measure of ir_measures, such as RR@10 or nDCG@10."),
    ("measures", ["RR@10", "MRR@5"], ".1: found 'MRR@5', ir_measures writes RR@5."),
    ("indexes.rerank", {}, ": re-ranking has this name, so no index can; choose another."),
    ("training.short.validate_every", None, "training.short.patience: needs validate_every"),
    ("training.short.warmup_steps", 101, ": found 101, but there are 100 steps."),
    (
        "training.other",
        {"steps": 10, "schedule": "linear", "warmup_steps": 10},
        ".warmup_steps: found 10, which leaves none of the 10 steps to the schedule linear.",
    ),
    ("training.short.minimum_learning_rate", 1e-6, ": has no effect with schedule constant; take the key out."),
    (
        "training.other",
        {"steps": 10, "schedule": "cosine", "learning_rate": 1e-4, "minimum_learning_rate": 1e-3},
        ".minimum_learning_rate: found 0.001, but learning_rate is 0.0001.",
    ),
    ("training_sets.triples.validation", None, ": missing, but ranker cross validates every 50 steps."),
    (
        "training_sets.other",
        OTHER_SET,
        "clusterings.topics.training_set: missing; expected one of triples, other.",
    ),
    (
        "training_sets",
        None,
        "clusterings.topics.training_set: missing; nothing is defined under training_sets.",
    ),
    ("teachers.cross", {}, ": found neither average nor scores, expected one of them."),
    ("teachers.cross.scores", "a.tsv", "teachers.cross: found both average and scores, expected one of them."),
    ("teachers.cross.md5", "0" * 32, ": has no effect without scores; take the key out."),
    ("teachers.cross", {"scores": "a.tsv", "md5": "0" * 31}, f".md5: found '{'0' * 31}', expected 32 digits of"),
    ("teachers.cross", {"scores": "a.tsv", "md5": 7}, ".md5: found 7, expected text or null; write '7' in quotes."),
    ("teachers.cross", {"scores": "ftp://a/b.tsv"}, ".scores: found 'ftp://a/b.tsv', expected a path or a URL with"),
    ("training_sets.triples.triples_of", "cross", ": has no effect with negatives, which make other triples; take"),
    (
        "training_sets.triples",
        {**OTHER_SET, "triples_of": "cross"},
        ".triples_of: cross averages rankers; expected a teacher with scores, a file of triples.",
    ),
    ("rankers.cross.training", None, ": missing, but the loss ranknet needs it; expected one of short."),
    ("rankers.student.teacher", None, ": missing, but the loss margin_mse needs it; expected one of cross."),
    (
        "rankers.cross.sampler",
        "tas_balanced",
        "rankers.cross.teacher: missing, but the sampler tas_balanced needs it; expected one of cross.",
    ),
    (
        "rankers.student.sampler",
        "tas",
        "rankers.student.clustering: missing, but the sampler tas needs it; expected one of topics.",
    ),
    ("rankers.cross.teacher", "cross", ": has no effect with loss ranknet and sampler random;"),
    ("rankers.student.clustering", "topics", ": has no effect with sampler random; take the key out."),
    ("rankers.student.loss_settings", {"gamma": 2}, ".gamma: has no effect with loss margin_mse; take the key out."),
    ("rankers.plain.loss_settings", {"beta": 1}, ".beta: has no effect without a loss; take the key out."),
    ("rankers.tas_b.loss_settings", {"temperature": 2}, ".temperature: has no effect with loss margin_mse; take the k"),
    (
        "rankers.another",
        {
            "architecture": "bert_dot",
            "encoder": "tiny",
            "loss": "ckl",
            "loss_settings": {"gamma": 0.5, "beta": 1},
            "teacher": "cross",
            "training": "short",
        },
        ".loss_settings.beta: found 1.0, expected at most gamma, which is 0.5.",
    ),
    ("rankers.plain.contrastive", 0.5, ": stands beside a loss that reads a teacher, one of ckl, kl_div, "),
    ("rankers.cross.contrastive", 0.5, ": stands beside a loss that reads a teacher, one of ckl, kl_div, "),
    (
        "rankers.tas_b.in_batch.loss",
        "ranknet",
        ": found 'ranknet', which reads no teacher; expected one of ckl, kl_div, lambdarank, listnet, margin_mse",
    ),
    (
        "training.short.negatives",
        5,
        ": found 5, but ranker cross trains with it and training_sets.triples.negatives.per_query is 4.",
    ),
    (
        "training.short.positives",
        5,
        ": found 5, but ranker cross trains with it and training_sets.triples.negatives takes 4 at most (per_query 4, "
        "per_relevant 1).",
    ),
    (
        "training.short.positives",
        2,
        ": found 2, expected 1: ranker tas_b learns from the passages of a batch's other queries.",
    ),
    ("training_sets.triples.negatives.per_relevant", 5, ": found 5, but per_query is 4."),
    (
        "training_sets.triples.negatives.from",
        {"ranker": "tokens", "index": "exact"},
        ".ranker: tokens is a colbert, which cannot retrieve; name another ranker or a BM25.",
    ),
    ("rankers.cross.normalize", True, ": has no effect with bert_cat, which reads pooling, temperature, cross_"),
    ("rankers.plain.cross_attention_bias", -2, ": has no effect with bert_dot, which reads pooling, normalize, temp"),
    ("rankers.plain.pooling", "max_sim", ": found 'max_sim', but bert_dot knows cls, mean."),
    ("rankers.tokens.pooling", "mean", ": has no effect with colbert, which reads normalize, temperature, dimens"),
    ("rankers.cross.join_layer", 2, ": has no effect with bert_cat, which reads pooling, temperature, cross_"),
    ("rankers.student.dimensions", 128, ": has no effect with bert_dot, which reads pooling, normalize, temp"),
    ("rankers.tokens.contextual_layers", 1, ": has no effect with colbert, which reads normalize, temperature, dim"),
    ("rankers.plain.query_augmentation", 8, ": has no effect with bert_dot, which reads pooling, normalize, temp"),
    ("rankers.tokens.pre_classifier", True, ": has no effect with colbert, which reads normalize, temp"),
    (
        "rankers.another",
        {"architecture": "bert_cat", "encoder": "tiny", "pooling": "max_sim", "pre_classifier": True},
        ".pre_classifier: has no effect with max_sim, which has no classifier.",
    ),
    ("rankers.tokens.linear_bias", True, ": has no effect without dimensions, which are what the linear layer makes."),
    ("rankers.cross.checkpoint", "./a/folder", ": is used as it is, so it goes without a loss; to train"),
    (
        "rankers.plain.checkpoint",
        "owner/name",
        "rankers.plain.revision: missing; owner/name is of a hub (there is no such folder), so name the commit",
    ),
    ("rankers.plain.revision", "c0ffee", ": is a commit of a hub, but the checkpoint is none of a hub."),
    (
        "rankers.another",
        {"architecture": "bert_dot", "encoder": "tiny", "checkpoint": "./a/folder", "revision": "c0ffee"},
        ".revision: is a commit of a hub, but the checkpoint is none of a hub.",
    ),
    (
        "rankers.kernels",
        {"architecture": "tk", "encoder": "tiny", "pooling": "mean"},
        ".pooling: has no effect with tk, ",
    ),
    (
        "encoders.tiny.weights",
        "words:vectors.txt",
        "rankers.plain.encoder: tiny is a file of word vectors, from which no bert_dot can start, only tk.",
    ),
    (
        "training.short.kernel_learning_rate",
        1.0e-4,
        ": has no effect on ranker cross, a bert_cat; train that with another block.",
    ),
    (
        "training.short.passage_tokens",
        201,
        ": found 201, but ranker cross trains with it and encoders.tiny.passage_tokens is 200.",
    ),
    (
        "training.short.chunk_tokens",
        2 * 32 * (24 + 200),
        ": found 14336, but no batch of ranker cross has more than 14336 tokens; take the key out.",
    ),
    (
        "rankers.cross.loss",
        "in_batch_nll",
        ": in_batch_nll needs scores of the passages of a batch's other queries, which a bert_cat has not.",
    ),
    (
        "rankers.student.loss",
        "in_batch_nll",
        "rankers.student.teacher: has no effect with loss in_batch_nll and sampler random; take the key out.",
    ),
    ("rankers.plain.training", "short", ": has no effect without a loss; add one or take the key out."),
    (
        "rankers.plain.in_batch",
        {"loss": "ranknet", "teacher": "tokens"},
        "rankers.plain.training: missing, but in_batch needs it; expected one of short.",
    ),
    ("rankers.plain.seeds", [3], ": has no effect without a loss; add one or take the key out."),
    (
        "rankers.plain.validation_candidates",
        {"ranker": "student", "index": "exact"},
        ": has no effect without a loss; add one or take the key out.",
    ),
    (
        "rankers.tas_b.validation_candidates",
        {"ranker": "plain", "index": "hnsw"},
        ".index: 'hnsw' is not one of exact.",
    ),
    (
        "rankers.tas_b.validation_candidates",
        {"ranker": "tokens", "index": "exact"},
        ".ranker: tokens is a colbert, which cannot retrieve; name another.",
    ),
    (
        "rankers.tas_b.validation_candidates",
        {"ranker": "tas_b", "index": "exact"},
        "rankers.tas_b: is its own ancestor, tas_b → tas_b.",
    ),
    (
        "training.short.batch_size",
        1,
        ": found 1, but ranker tas_b learns from the passages of a batch's other queries.",
    ),
    ("tables.main.over_seeds", "all", ": 'all' is not one of each, mean, spread."),
    ("rankers.tas_b.in_batch.teacher", "cross", ": cross is a bert_cat, which cannot"),
    ("rankers.tas_b.architecture", "bert_cat", "rankers.tas_b.in_batch: tas_b is a bert_cat, which cannot"),
    (
        "clusterings.topics.ranker",
        "tas_b",
        "rankers.tas_b: is its own ancestor, tas_b → tas_b.",
    ),
    ("reranking.depth", 2000, ": found 2000, but bm25.okapi.depth is 1000."),
    ("reranking", None, ".candidates: missing, but tables.main.rows.1 re-ranks; expected one of okapi."),
    ("tables.main.rows.1.way", "exact", ": cross is a bert_cat, which cannot retrieve; found 'exact'"),
    ("tables.main.rows.1.label", ["a", "b"], ": found [a, b], expected one for each of the columns system."),
    (
        "tables.main.label_columns",
        ["model", "loss"],
        "tables.main.rows.0.label: found 'BM25', expected one for each of the columns model, loss.",
    ),
    (
        "tables.main.rows.1",
        {"label": "T", "teacher": "cross", "way": "exact"},
        ".way: found 'exact', but a teacher only finds passages by rerank.",
    ),
    (
        "tables.main.expectations.0.than",
        {"rankers": ["plain", "cross"], "way": "exact", "label": "both"},
        ".way: cross is a bert_cat, which cannot retrieve; found 'exact'",
    ),
    (
        "length_tables.lengths.rows",
        [{"label": "x", "ranker": "tokens", "way": "exact"}],
        ".0.way: tokens is a colbert, which cannot retrieve; found 'exact', expected rerank.",
    ),
    (
        "tables.main.expectations.0.better",
        {"ranker": "cross", "way": "exact"},
        ".way: cross is a bert_cat, which cannot retrieve; found 'exact', expected rerank.",
    ),
    ("length_tables.lengths.passage_words", [50, 50], ": found [50, 50], expected ascending numbers."),
    (
        "efficiency_tables.costs.rows.1.index",
        "exact",
        ": cross is a bert_cat, which cannot retrieve; take the key out.",
    ),
    (
        "efficiency_tables.costs.rows.1.published_milliseconds",
        950,
        "efficiency_tables.costs.source: missing, but rows.1.published_milliseconds needs it.",
    ),
    ("test_sets.dev.without", [{"validation_of": "tripels"}], ".0.validation_of: 'tripels' is not one of triples."),
    (
        "training_sets.triples.validation.without",
        [{"validation_of": "triples"}],
        ": its queries would be left out of themselves, triples → triples.",
    ),
    (
        "training_sets.own",
        {"corpus": "wiki", "dataset": "wiki/train", "queries": 5},
        ".queries: leaves out queries of the data set's own triples; limit `triples` instead.",
    ),
    ("tables.main.groups", {"both": ["dev", "graded"]}, ".both.1: 'graded' is not one of the table's test_sets, dev."),
    ("tables.main.groups", {"both": ["test"]}, ".both.0: 'test' is not one of dev, graded."),
    ("tables.main.groups", {"dev": ["dev"]}, ".dev: other columns have this name; choose another."),
    ("tables.main.groups", {"mean": ["dev"]}, ".mean: other columns have this name; choose another."),
    (
        "tables.main.groups",
        {"one": ["dev"], "two": ["dev"]},
        ".two.0: 'dev' is in another group or twice; take one out.",
    ),
    (
        "efficiency_tables.lengths",
        {"title": "x", "test_set": "dev", "rows": [{"label": "x", "ranker": "cross"}]},
        ": a table has this name; choose another.",
    ),
]


def changed_config(path: str = "", value=None) -> dict:
    """The small config with one key changed, added or, for None, taken out."""
    config = yaml.safe_load(CONFIG)
    if path:
        *blocks, key = [int(part) if part.isdigit() else part for part in path.split(".")]
        block = config
        for part in blocks:
            block = block[part]
        if value is None:
            del block[key]
        else:
            block[key] = value
    return config


def checked(path: str = "", value=None) -> dict:
    return check_config(changed_config(path, value), SCHEMA)


def error_of(path: str, value) -> str:
    with pytest.raises(ConfigError) as error:
        checked(path, value)
    return str(error.value)


@pytest.mark.parametrize(("path", "value", "message"), SCHEMA_ERRORS + NAME_ERRORS + SENSE_ERRORS)
def test_a_mistake_is_one_sentence_that_starts_with_its_key(path, value, message):
    found = error_of(path, value)
    assert found.startswith(path + message if message.startswith((":", ".")) else message)
    assert found.endswith(".")
    assert "\n" not in found


def test_a_misspelt_loss_is_answered_with_the_files_of_the_folder():
    message = error_of("rankers.tas_b.loss", "margin_msee")
    assert message == f"rankers.tas_b.loss: 'margin_msee' is not one of {', '.join(names('losses'))}."


def test_a_longer_cycle_of_teachers_is_shown_whole():
    config = changed_config("rankers.cross.loss", "margin_mse")
    config["rankers"]["cross"]["teacher"] = "student"
    config["teachers"]["student"] = {"average": ["student"]}
    with pytest.raises(ConfigError, match=r"is its own ancestor, (cross → student → cross|student → cross → student)"):
        check_config(config, SCHEMA)


def test_a_ranker_that_finds_negatives_comes_before_those_that_train_on_them():
    own = {**OTHER_SET, "negatives": {"from": {"ranker": "student", "index": "exact"}, "depth": 9, "per_query": 4}}
    config = changed_config("training_sets.own", own)
    config["clusterings"]["topics"]["training_set"] = "triples"
    for name in ("cross", "tokens", "student", "tas_b"):
        config["rankers"][name]["training_set"] = "triples"
    config["rankers"]["harder"] = {**config["rankers"]["student"], "training_set": "own", "teacher": "cross"}
    config["training_sets"]["own"]["validation"] = config["training_sets"]["triples"]["validation"]
    known = check_config(config, SCHEMA)
    assert list(parents(known, known["rankers"]["harder"])) == ["cross", "student"]
    for name in ("cross", "student"):  # both would then have to be there before they are trained
        config["rankers"][name]["training_set"] = "own"
        with pytest.raises(ConfigError, match=r"^rankers\.\w+: is its own ancestor, .*student → .*\.$"):
            check_config(config, SCHEMA)
        config["rankers"][name]["training_set"] = "triples"


def test_an_in_batch_loss_reads_loss_settings_too():
    settings = {"loss_settings": {"gamma": 3}, "in_batch": {"loss": "ckl", "teacher": "tokens"}}
    ranker = {**changed_config()["rankers"]["tas_b"], **settings}
    assert checked("rankers.tas_b", ranker)["rankers"]["tas_b"]["loss_settings"]["gamma"] == 3.0


def test_no_ranker_is_validated_on_candidates_of_its_students():
    config = changed_config("rankers.student.validation_candidates", {"ranker": "tas_b", "index": "exact"})
    with pytest.raises(ConfigError, match=r"is its own ancestor, (student → tas_b → student|tas_b → student → tas_b)"):
        check_config(config, SCHEMA)
    config = checked("rankers.tas_b.validation_candidates", {"ranker": "student", "index": "exact"})
    assert "student" in list(parents(config, config["rankers"]["tas_b"]))


def test_candidates_without_a_validation_have_no_effect():
    config = changed_config("rankers.tas_b.validation_candidates", {"ranker": "student", "index": "exact"})
    config["training"]["never"] = {"steps": 9}
    config["rankers"]["tas_b"]["training"] = "never"
    sentence = (
        r"^rankers\.tas_b\.validation_candidates: has no effect, because training\.never\.validate_every is null;"
    )
    with pytest.raises(ConfigError, match=sentence):
        check_config(config, SCHEMA)


IN_BATCH_ALONE = {
    "architecture": "bert_dot",
    "encoder": "tiny",
    "training": "short",
    "in_batch": {"loss": "listnet", "teacher": "tokens"},
}


def test_a_ranker_may_learn_from_its_batches_alone():
    config = checked("rankers.alone", IN_BATCH_ALONE)
    assert config["rankers"]["alone"]["training_set"] == "triples"
    assert seeds_of(config, ["alone"]) == {"alone": [1, 2]}
    expected = ["architectures.bert_dot", "architectures.colbert", "losses.listnet", "samplers.random"]
    assert modules_of_ranker(config, "alone") == expected
    assert ranker_settings(resolve_ranker(config, "alone")).loss is None
    balanced = {**IN_BATCH_ALONE, "sampler": "tas_balanced", "clustering": "topics", "teacher": "cross"}
    assert checked("rankers.alone", balanced)["rankers"]["alone"]["teacher"] == "cross"
    assert error_of("rankers.alone", {**IN_BATCH_ALONE, "teacher": "cross"}) == (
        "rankers.alone.teacher: has no effect with sampler random; take the key out."
    )
    assert error_of("rankers.alone", {**IN_BATCH_ALONE, "checkpoint": "./a/folder"}).startswith(
        "rankers.alone.checkpoint: is used as it is, so it goes without a loss"
    )


def test_a_ranker_has_the_seeds_of_the_experiment_and_more_of_its_own_which_change_nothing_in_how_it_is_trained():
    config = checked("rankers.tas_b.seeds", [4, 2, 5])
    assert seeds_of(config, ["tas_b", "student", "plain"]) == {"tas_b": [1, 2, 4, 5], "student": [1, 2], "plain": [1]}
    found = [system for system in systems(config) if system.startswith("tas_b/")]
    assert found == [f"tas_b/seed-{seed}/exact" for seed in (1, 2, 4, 5)]
    assert resolve_ranker(config, "tas_b") == resolve_ranker(checked(), "tas_b")


def test_clusters_are_of_the_queries_that_the_ranker_trains_on():
    config = changed_config("training_sets.other", OTHER_SET)
    config["clusterings"]["topics"]["training_set"] = "other"
    for ranker in ("cross", "tokens", "student", "tas_b"):
        config["rankers"][ranker]["training_set"] = "triples"
    with pytest.raises(ConfigError, match=r"rankers\.tas_b\.clustering: clusters the queries of other, but"):
        check_config(config, SCHEMA)


def test_an_unknown_key_is_reported_before_the_missing_key_that_it_misspells():
    config = changed_config("corpora.wiki", {"datset": "wiki"})
    with pytest.raises(ConfigError, match=r"^corpora\.wiki\.datset: unknown key, perhaps dataset is meant"):
        check_config(config, SCHEMA)


def test_a_setting_of_another_architecture_may_be_written_out_with_its_default():
    assert checked("rankers.cross.normalize", False)["rankers"]["cross"] == checked()["rankers"]["cross"]


def test_an_architecture_is_given_what_it_reads():
    settings = {"pooling": "max_sim", "temperature": 0.05, "cross_attention_bias": -2}
    ranker = {"architecture": "bert_cat", "encoder": "tiny", **settings}
    assert checked("rankers.another", ranker)["rankers"]["another"].items() >= settings.items()


HEADS = [
    ({"architecture": "bert_cat"}, "a checkpoint or pooling: max_sim"),
    ({"architecture": "bert_cat", "pooling": "mean"}, "a checkpoint or pooling: max_sim"),
    ({"architecture": "colbert", "dimensions": 8}, "a checkpoint or dimensions: null"),
    ({"architecture": "prettr"}, "a checkpoint or pooling: max_sim"),
    ({"architecture": "tk"}, "a checkpoint"),
]


@pytest.mark.parametrize(("ranker", "ways"), HEADS)
def test_a_ranker_that_is_used_as_it_is_has_no_random_weights(ranker, ways):
    ranker = {"encoder": "tiny", **ranker}
    sentence = f"has weights beside the encoder's, and they would be random; add a loss or {ways}."
    assert error_of("rankers.another", ranker) == f"rankers.another: {sentence}"
    assert checked("rankers.another", {**ranker, "checkpoint": "./a/folder"})["rankers"]["another"]["loss"] is None


@pytest.mark.parametrize(
    "ranker",
    [
        {"architecture": "bert_dot"},
        {"architecture": "dpr"},
        {"architecture": "colbert", "query_augmentation": 8},
        {"architecture": "bert_cat", "pooling": "max_sim"},
    ],
)
def test_a_ranker_without_weights_beside_the_encoders_is_used_as_it_is(ranker):
    assert checked("rankers.another", {"encoder": "tiny", **ranker})["rankers"]["another"]["checkpoint"] is None


def config_with_words(**encoder) -> dict:
    """The small config with a TK on word vectors, and a training block of its own."""
    config = changed_config("training.long", {"steps": 9, "kernel_learning_rate": 1.0e-4})
    config["encoders"]["words"] = {"weights": "words:vectors.txt", **encoder}
    config["rankers"]["kernels"] = {"architecture": "tk", "encoder": "words", "loss": "ranknet", "training": "long"}
    return config


def test_gradient_checkpointing_is_not_for_architectures_without_an_encoders_layers():
    config = config_with_words()
    config["training"]["long"]["gradient_checkpointing"] = True
    with pytest.raises(ConfigError) as error:
        check_config(config, SCHEMA)
    sentence = "has no effect on ranker kernels, a tk; train that with another block."
    assert str(error.value) == f"training.long.gradient_checkpointing: {sentence}"


def test_vectors_of_words_and_a_learning_rate_of_kernels_are_for_tk():
    settings = ranker_settings(resolve_ranker(check_config(config_with_words(), SCHEMA), "kernels"))
    assert settings.encoder.weights == "words:vectors.txt" and settings.contextual_layers == 2
    assert settings.training.kernel_learning_rate == 1e-4


@pytest.mark.parametrize(("key", "value"), [("layers", 2), ("revision", "main")])
def test_vectors_of_words_have_no_layers_and_no_revision(key, value):
    with pytest.raises(ConfigError) as error:
        check_config(config_with_words(**{key: value}), SCHEMA)
    assert str(error.value) == f"encoders.words.{key}: has no effect with words:; take the key out."


def test_gradient_caching_is_for_chunks_that_are_smaller_than_batches():
    chunk_tokens = 2 * 32 * 200 - 1  # of passages alone, which most here represent apart from queries
    assert checked("training.short.chunk_tokens", chunk_tokens)["training"]["short"]["chunk_tokens"] == chunk_tokens


@pytest.mark.parametrize("architecture", ["bert_dot", "dpr", "colbert"])
def test_in_batch_negatives_need_no_teacher(architecture):
    ranker = {"architecture": architecture, "encoder": "tiny", "loss": "in_batch_nll", "training": "short"}
    assert checked("rankers.another", ranker)["rankers"]["another"]["teacher"] is None


def test_training_may_cut_passages_as_the_encoder_does_or_shorter():
    for limit in (3, 200):
        assert checked("training.short.passage_tokens", limit)["training"]["short"]["passage_tokens"] == limit


REPEATED = {
    "a section": (CONFIG + "seeds: [3]\n", "seeds", 3, CONFIG.count("\n") + 1),
    "a ranker": ("rankers:\n  one: {}\n  two: {}\n  one: {}\n", "rankers.one", 2, 4),
    "a key of a ranker": (
        "rankers:\n  one:\n    {loss: ranknet, seed: 1,\n     loss: mse}\n",
        "rankers.one.loss",
        3,
        4,
    ),
    "a key of a row": ("rows:\n- {bm25: a}\n- {bm25: a, bm25: b}\n", "rows.1.bm25", 3, 3),
    "a key in JSON": ('{\n\t"seeds": [1],\n\t"seeds": [2]\n}\n', "seeds", 2, 3),
}


@pytest.mark.parametrize("what", REPEATED)
def test_a_key_that_is_written_twice_is_one_sentence_with_its_lines(what, tmp_path):
    text, key, first, second = REPEATED[what]
    (tmp_path / "right.yaml").write_text(CONFIG)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        check_keys_once([tmp_path / "right.yaml", tmp_path / "mine.yaml"])
    assert str(error.value) == f"{key}: written twice, in lines {first} and {second} of mine.yaml; take one out."


def test_a_key_of_several_blocks_or_files_and_an_empty_file_pass(tmp_path):
    (tmp_path / "one.yaml").write_text(CONFIG)
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    check_keys_once([tmp_path / "one.yaml", tmp_path / "one.yaml", tmp_path / "empty.yaml"])


def test_a_variant_without_its_constants_is_reported(tmp_path, monkeypatch):
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "mse.py").write_text("NEEDS_TEACHERS = True\n")
    monkeypatch.setattr("stillroom.config_rankers.PACKAGE", tmp_path)
    with pytest.raises(ValueError, match=r"losses/mse\.py: expected a line `NEEDS_TEACHER = …`, as in"):
        constant_of("losses", "mse", "NEEDS_TEACHER")


@pytest.mark.parametrize("name", names("losses"))
def test_every_loss_says_what_it_reads(name):
    assert all(isinstance(constant_of("losses", name, constant), bool) for constant in ("NEEDS_TEACHER", "WHOLE_BATCH"))


def test_defaults_are_filled_in_at_every_level():
    config = checked()
    assert config["corpora"]["wiki"]["text"] == "repaired"
    assert config["test_sets"]["dev"]["without"] == []
    assert config["training_sets"]["triples"]["validation"]["depth"] == 100
    assert config["encoders"]["tiny"] == {
        "weights": "a/folder",
        "revision": None,
        "layers": None,
        "query_tokens": 24,
        "passage_tokens": 200,
    }
    assert config["rankers"]["tas_b"]["in_batch"]["weight"] == 0.75
    assert config["rankers"]["plain"]["loss"] is None
    assert config["indexes"]["exact"]["factory"] == "Flat"
    assert config["tables"]["main"]["expectations"][0]["test_sets"] is None


def test_the_only_training_set_is_filled_in_where_one_is_needed():
    config = checked()
    assert config["rankers"]["cross"]["training_set"] == "triples"
    assert config["clusterings"]["topics"]["training_set"] == "triples"
    assert config["rankers"]["plain"]["training_set"] is None


def test_the_given_config_is_not_changed_and_a_checked_one_passes_again():
    given = changed_config()
    config = check_config(given, SCHEMA)
    assert given == changed_config()
    assert check_config(config, SCHEMA) == config


def test_a_config_with_only_bm25_is_complete():
    config = {key: changed_config()[key] for key in ("experiment", "corpora", "test_sets", "bm25", "measures")}
    checked_config = check_config(config, SCHEMA)
    assert checked_config["seeds"] == [1]
    assert checked_config["rankers"] == checked_config["tables"] == {}
    assert checked_config["reranking"] == {"candidates": None, "depth": 1000}


@pytest.mark.parametrize("scores", ["scores.tsv", "/a/folder/scores.tsv.gz", "https://server/scores.tsv?download=1"])
def test_a_score_file_is_a_teacher_without_rankers_and_needs_no_validation_set(scores):
    config = changed_config("teachers.cross", {"scores": scores})
    config["training_sets"]["triples"] = {**OTHER_SET, "triples_of": "cross"}
    config["training"]["short"] = {"steps": 100}
    config = check_config(config, SCHEMA)
    assert config["teachers"]["cross"] == {"average": None, "scores": scores, "md5": None}
    assert list(parents(config, config["rankers"]["tokens"])) == []
    assert check_config(config, SCHEMA) == config


def test_averaged_rankers_are_measured_on_a_validation_set():
    config = changed_config("training_sets.triples.validation", None)
    config["training"]["short"] = {"steps": 100}
    with pytest.raises(ConfigError, match=r"^training_sets\.triples\.validation: missing, but the teacher of ranker"):
        check_config(config, SCHEMA)


def test_a_download_keeps_the_suffix_of_its_url():
    assert suffix_of("https://server/a/scores.tsv.gz?download=1") == "tsv.gz"
    assert suffix_of("https://server/a/scores.tsv?name=b.gz") == "tsv"


def test_the_shipped_config_passes():
    config = check_config(yaml.safe_load((ROOT / "config.yaml").read_text()), SCHEMA)
    for name in config["rankers"]:
        ranker_settings(resolve_ranker(config, name))


def test_a_change_in_a_referenced_block_changes_the_resolved_ranker():
    before = resolve_ranker(checked(), "student")
    assert resolve_ranker(checked("encoders.tiny.layers", 3), "student") != before
    assert resolve_ranker(checked("training.short.steps", 99), "student") != before
    assert resolve_ranker(checked("rankers.student.pooling", "mean"), "student") != before


def test_a_change_in_another_ranker_or_in_how_numbers_are_written_does_not_change_the_resolved_ranker():
    before = str(resolve_ranker(checked(), "tas_b"))
    assert str(resolve_ranker(checked("rankers.student.pooling", "mean"), "tas_b")) == before
    assert str(resolve_ranker(checked("clusterings.topics.clusters", 9), "tas_b")) == before
    assert str(resolve_ranker(checked("training.short.weight_decay", 0), "tas_b")) == before
    config = checked()
    config["rankers"]["tas_b"] = dict(reversed(config["rankers"]["tas_b"].items()))
    assert str(resolve_ranker(config, "tas_b")) == before


def test_settings_survive_the_way_to_a_dict_and_back():
    config = checked()
    for name in config["rankers"]:
        settings = ranker_settings(resolve_ranker(config, name))
        assert settings_to_dict(settings) == resolve_ranker(config, name)
        assert ranker_settings(settings_to_dict(settings)) == settings
    assert ranker_settings(resolve_ranker(config, "tas_b")).training.weight_decay == 0.0
    assert ranker_settings(resolve_ranker(config, "plain")).training is None


def test_the_modules_of_a_ranker_are_its_variants_and_its_in_batch_teachers_architecture():
    assert modules_of_ranker(checked(), "plain") == ["architectures.bert_dot"]
    assert modules_of_ranker(checked(), "tas_b") == [
        "architectures.bert_dot",
        "architectures.colbert",
        "losses.margin_mse",
        "samplers.tas_balanced",
    ]
    listwise = checked("rankers.student", {**changed_config()["rankers"]["student"], "loss": "ckl", "contrastive": 0.5})
    assert modules_of_ranker(listwise, "student") == [
        "architectures.bert_dot",
        "losses.ckl",
        "losses.nll",
        "samplers.random",
    ]


def test_a_ranker_has_the_settings_that_its_losses_read():
    def resolved(ranker, name):
        return resolve_ranker(checked(f"rankers.{name}", changed_config()["rankers"][name] | ranker), name)

    assert resolved({}, "student")["loss_settings"] == {}
    kl = resolved({"loss": "kl_div", "loss_settings": {"temperature": 2}}, "student")
    assert kl["loss_settings"] == {"temperature": 2.0}
    ckl = resolved({"in_batch": {"loss": "ckl", "teacher": "tokens"}}, "tas_b")
    assert set(ckl["loss_settings"]) == {"gamma", "beta", "temperature", "gradient_through_weights"}


def test_query_sets_are_those_of_tests_training_and_validation():
    query_sets = resolve_query_sets(checked("test_sets.dev.without", ["wiki/train"]))
    assert list(query_sets) == [
        "test_sets/dev",
        "test_sets/graded",
        "training_sets/triples",
        "training_sets/triples/validation",
    ]
    assert query_sets["test_sets/dev"] == {
        "corpus": "wiki",
        "dataset": "wiki/dev",
        "queries": None,
        "expected": None,
        "without": ["wiki/train"],
        "without_sets": [],
    }
    assert query_sets["training_sets/triples/validation"]["queries"] == 60
    assert query_sets["training_sets/triples/validation"]["corpus"] == "wiki"


def test_a_test_set_may_leave_out_validation_queries_which_are_drawn_first():
    config = changed_config("test_sets.dev.without", ["wiki/train", {"validation_of": "triples"}])
    settings = resolve_query_sets(check_config(config, SCHEMA))["test_sets/dev"]
    assert settings["without"] == ["wiki/train"]
    assert settings["without_sets"] == ["training_sets/triples/validation"]
    del config["training_sets"]["triples"]["validation"]
    del config["training"]["short"]["validate_every"], config["training"]["short"]["patience"]
    with pytest.raises(
        ConfigError, match=r"^test_sets\.dev\.without\.1\.validation_of: triples has no validation; give it"
    ):
        check_config(config, SCHEMA)


def test_validation_sets_do_not_wait_for_each_other():
    config = changed_config()
    triples = config["training_sets"]["triples"]
    for name, other in [("one", "two"), ("two", "one")]:
        validation = {**triples["validation"], "without": [{"validation_of": other}]}
        config["training_sets"][name] = {**triples, "validation": validation}
    with pytest.raises(
        ConfigError, match=r"^training_sets\.(one|two)\.validation\.without: its queries would be left out"
    ):
        check_config(config, SCHEMA)
    config["training_sets"]["two"]["validation"]["without"] = [{"validation_of": "triples"}]
    for block in (*config["rankers"].values(), *config["clusterings"].values()):
        if "loss" in block or "clusters" in block:
            block["training_set"] = "triples"
    check_config(config, SCHEMA)


def test_every_data_set_is_named_once():
    config = checked("test_sets.dev.without", ["wiki/other", "wiki/train", {"validation_of": "triples"}])
    assert datasets_of(config) == ["wiki", "wiki/dev", "wiki/graded", "wiki/other", "wiki/train", "wiki/validation"]


def test_a_sample_keeps_what_test_and_validation_sets_judge_and_triples_that_are_given():
    config = changed_config("corpora.web", {"dataset": "web", "sample": {"share": 0.5}})
    config["test_sets"]["web_dev"] = {"corpus": "web", "dataset": "web/dev"}
    config["training_sets"] |= {
        "pairs": {"corpus": "web", "dataset": "web/train", "triples": 9},
        "fewer": {"corpus": "web", "dataset": "web/train", "triples": 5},
        "file": {"corpus": "web", "dataset": "web/train", "triples_of": "published", "triples": 7},
        "sampled": {**config["training_sets"]["triples"], "corpus": "web", "dataset": "web/sampled", "queries": 5},
    }
    config["teachers"]["published"] = {"scores": "a/file.tsv"}
    for block in (*config["rankers"].values(), *config["clusterings"].values()):
        if "loss" in block or "clusters" in block:
            block["training_set"] = "triples"
    config = check_config(config, SCHEMA)
    assert kept_of_sample(config, "web") == {
        "judged": ["web/dev", "wiki/validation"],
        "drawn": [["web/sampled", 5]],
        "pairs": [["web/train", 9], ["web/train", 5]],
        "teachers": ["published"],
        "triples": [7],
    }
    assert sampled_test_sets(config, ["dev", "web_dev"]) == ["web_dev"]


def test_a_row_has_a_mark_where_its_encoder_saw_every_collection_and_a_cell_where_it_saw_this_one():
    config = changed_config("corpora.web", {"dataset": "web", "seen_by": ["tiny"]})
    config["test_sets"]["web"] = {"corpus": "web", "dataset": "web/dev"}
    config = check_config(config, SCHEMA)
    rows = [{"bm25": "okapi"}, {"ranker": "plain", "way": "exact"}, {"teacher": "cross", "way": "rerank"}]
    assert rows_that_saw(config, ["web"], rows) == [1, 2] and cells_that_saw(config, ["web"], rows) == {}
    assert rows_that_saw(config, ["dev", "web"], rows) == []
    assert cells_that_saw(config, ["dev", "web"], rows) == {"web": [1, 2]}


def test_another_relevance_limit_or_depth_fetches_no_query_set_anew():
    before = resolve_query_sets(checked())
    assert resolve_query_sets(checked("test_sets.dev.min_relevance", 3)) == before
    assert resolve_query_sets(checked("training_sets.triples.validation.depth", 9)) == before


def test_systems_are_those_of_all_tables_with_every_seed_once():
    assert systems(checked()) == [
        "okapi",
        "cross/seed-1/rerank",
        "cross/seed-2/rerank",
        "tas_b/seed-1/exact",
        "tas_b/seed-2/exact",
        "student/seed-1/exact",
        "student/seed-2/exact",
    ]
    assert systems_of({"ranker": "cross", "way": "rerank"}, {"cross": [7]}) == ["cross/seed-7/rerank"]


def test_what_is_used_as_it_is_has_one_system_however_many_seeds_there_are():
    as_it_is = {"label": "Plain", "ranker": "plain", "way": "exact"}
    table = checked("tables.main.rows", [as_it_is])["tables"]["main"]
    assert "plain/seed-1/exact" in systems(checked("tables.main.rows", [as_it_is]))
    assert "plain/seed-2/exact" not in systems(checked("tables.main.rows", [as_it_is]))
    assert seeds_of(checked(), rankers_of(table)) == {"plain": [1], "student": [1, 2]}


def test_the_schema_is_a_json_schema():
    Draft202012Validator.check_schema(yaml.safe_load(SCHEMA.read_text()))


def test_every_key_of_the_schema_has_a_type_and_a_description_and_is_required_or_has_a_default():
    for path, schema in keys_of(read_schema(SCHEMA), ""):
        assert schema.get("type"), path
        assert schema.get("description"), path
        assert ("default" in schema) != schema["is_required"], path


def keys_of(schema: dict, path: str):
    """(path, schema) of every key; of a row's keys one set or another is required, which `oneOf` says."""
    required = schema.get("required", [])
    for key, part in schema.get("properties", {}).items():
        is_required = key in required or "oneOf" in schema
        yield f"{path}.{key}", {**part, "is_required": is_required}
        yield from keys_of(part, f"{path}.{key}")
    for inner in ("additionalProperties", "items"):
        if isinstance(schema.get(inner), dict):
            yield from keys_of(schema[inner], f"{path}.{inner}")


def test_every_block_of_the_schema_is_closed():
    def blocks(schema):
        if isinstance(schema, dict):
            if schema.get("type") in ("object", ["object", "null"]):
                yield schema
            for part in schema.values():
                yield from blocks(part)

    for block in blocks(read_schema(SCHEMA)):
        closed = block.get("additionalProperties", block.get("unevaluatedProperties"))
        assert closed is False or (isinstance(closed, dict) and "propertyNames" in block), block


def test_the_check_loads_no_heavy_library():
    code = (
        "import sys, stillroom.config_check, stillroom.code, stillroom.settings; "
        "print({'torch', 'numpy', 'transformers', 'ir_datasets', 'snakemake'} & sys.modules.keys())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "workflow/scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "set()"
