"""The examples of the documentation are legal configs when they are merged over the experiment that they vary."""

import re
from pathlib import Path

import pytest
import yaml

from stillroom.config_check import check_config

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
PAGES = {  # page → the experiment of its examples
    "README.md": "config.yaml",
    "docs/experiments.md": "config.yaml",
    "docs/report.md": "config.yaml",
    "docs/reproduction.md": "experiments/msmarco.yaml",
}
EXAMPLES = [
    (f"{page} {number}", text)
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S), 1)
]


def merged(config, example):
    """As Snakemake merges config files: blocks by key, anything else as a whole."""
    if isinstance(config, dict) and isinstance(example, dict):
        return {key: merged(config.get(key), example.get(key, config.get(key))) for key in {**config, **example}}
    return example


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_a_legal_part_of_an_experiment(name, text):
    default = yaml.safe_load((ROOT / PAGES[name.split()[0]]).read_text("utf-8"))
    config = merged(default, yaml.safe_load(text))
    if len(config["training_sets"]) > 1:  # as the page says: then rankers and clusterings name theirs
        blocks = [*config["rankers"].values(), *config.get("clusterings", {}).values()]
        for block in blocks:
            if block.get("loss") or block.get("in_batch") or "clusters" in block:
                block.setdefault("training_set", next(iter(default["training_sets"])))
    assert check_config(config, SCHEMA)["experiment"] == default["experiment"]


def test_there_are_examples():
    assert {name.split()[0] for name, _ in EXAMPLES} == set(PAGES)


def test_the_example_of_a_loss_is_one(torch):
    (text,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/experiments.md").read_text("utf-8"), re.M | re.S)
    module = {}
    exec(text, module)
    assert {"NEEDS_TEACHER", "WHOLE_BATCH", "ONE_RELEVANT", "READS"} <= module.keys()
    assert module["hinge"](torch.tensor([[2.0, 1.5, 0.0]])) == pytest.approx((0.5 + 0) / 2)


def test_the_citation_names_the_project_and_the_papers_that_it_reproduces():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
    papers = {reference["identifiers"][0]["value"] for reference in citation["references"]}
    assert papers == {"arXiv:2010.02666", "arXiv:2104.06967", "arXiv:2004.04906", "arXiv:2406.05977"}


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
