"""A mistake in the config ends with one sentence, before anything runs."""

import pytest

from stillroom.registry import names

# (what is set in config.yaml, how the sentence begins)
MISTAKES = {
    "an unknown key": (
        {"rankers.tas_b.samplerr": "tas"},
        "rankers.tas_b.samplerr: unknown key, perhaps sampler is meant; the legal keys are architecture, checkpoint, ",
    ),
    "an unknown block": (
        {"rankers.tas_b.teacher": "bert_cats"},
        "rankers.tas_b.teacher: 'bert_cats' is not one of cat_and_colbert.",
    ),
    "an unknown variant": (
        {"rankers.tas_b.loss": "margin_msee"},
        f"rankers.tas_b.loss: 'margin_msee' is not one of {', '.join(names('losses'))}.",
    ),
    "an unknown system": (
        {"tables.main.rows.1.ranker": "mini"},
        "tables.main.rows.1.ranker: 'mini' is not one of minilm, bert_cat, ",
    ),
    "an unknown ranker in an efficiency table": (
        {"efficiency_tables": {"costs": {"title": "A", "test_set": "dev", "rows": [{"label": "A", "ranker": "mini"}]}}},
        "efficiency_tables.costs.rows.0.ranker: 'mini' is not one of minilm, bert_cat, ",
    ),
    "a wrong type": (
        {"training.short.steps": "many"},
        "training.short.steps: found 'many', expected an integer.",
    ),
    "a number that YAML reads as text": (
        {"training.short.learning_rate": "7e-6"},
        "training.short.learning_rate: found '7e-6', expected a number; YAML reads it as text, write 7.0e-6.",
    ),
    "a ranker that learns from itself": (
        {"rankers.bert_cat.loss": "margin_mse", "rankers.bert_cat.teacher": "cat_and_colbert"},
        "rankers.bert_cat: is its own ancestor, bert_cat → bert_cat.",
    ),
    "a ranker that is validated on what it finds itself": (
        {"rankers.tas_b.validation_candidates": {"ranker": "tas_b", "index": "exact"}},
        "rankers.tas_b: is its own ancestor, tas_b → tas_b.",
    ),
    "a loss without its teacher": (
        {"rankers.bert_dot.loss": "margin_mse"},
        "rankers.bert_dot.teacher: missing, but the loss margin_mse needs it; expected one of cat_and_colbert.",
    ),
    "an unknown system in the report": (
        {"report": {"systems": ["tas_b"]}},
        "report.systems.0: 'tas_b' is not one of bm25, minilm/seed-1/exact, bert_cat/seed-1/rerank, ",
    ),
    "two tables of one name": (
        {
            "length_tables.main": {
                "title": "A",
                "test_set": "dev",
                "measure": "AP@1000",
                "passage_words": [9],
                "rows": [{"label": "A", "bm25": "bm25"}],
            }
        },
        "length_tables.main: ",
    ),
    "packed texts in full precision": (
        {"inference": {"attention": "packed"}},
        "inference.attention: packed needs half precision; set precision to bf16 or fp16.",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_the_config_ends_with_one_sentence_and_nothing_made(project, what):
    settings, sentence = MISTAKES[what]
    project.configure(settings)
    status, text = project.snakemake("--cores", "1", "--", "all")
    assert status != 0
    said = [line for line in text.splitlines() if line.startswith("config.yaml: ")]
    assert len(said) == 1 and said[0].startswith(f"config.yaml: {sentence}"), text
    assert "Traceback" not in text
    assert not (project.folder / "results").exists()


def test_a_key_that_is_written_twice_ends_with_one_sentence(project):
    lines = project.read("config.yaml").count("\n")
    project.write("config.yaml", project.read("config.yaml") + "seeds: [2]\n")
    status, text = project.snakemake("--dry-run", "--", "all")
    assert status != 0
    said = f"config.yaml: seeds: written twice, in lines 4 and {lines + 1} of config.yaml; take one out."
    assert said in text.splitlines()


def test_a_mistake_in_a_second_file_names_both_files(project):
    project.write("mine.yaml", "seeds: [one]\n")
    status, text = project.snakemake("--dry-run", "--configfile", "experiments/nfcorpus.yaml", "mine.yaml", "--", "all")
    assert status != 0
    assert "experiments/nfcorpus.yaml" in text and "mine.yaml: seeds.0: found 'one', expected an integer." in text
