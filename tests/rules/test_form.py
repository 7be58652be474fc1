"""The form of the rules: what each has, and what none has."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from stillroom.code import modules_behind, read_code
from stillroom.config_schema import read_schema

ROOT = Path(__file__).parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
LIBRARY = ROOT / "workflow" / "scripts" / "stillroom"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"

# A rule: its head and the indented or empty lines after it.
RULE = re.compile(r"^rule (?P<name>\w+):\n(?P<body>(?:(?: .*)?\n)*)", re.MULTILINE)
RULES = {
    found["name"]: found["body"] for file in RULE_FILES for found in RULE.finditer(file.read_text(encoding="utf-8"))
}
WITHOUT_SCRIPT = {"tables", "figures", "report", "reproduce_published", "explain"}  # collect files only
NOT_SCRIPTED = re.compile(r"\blambda\b|^checkpoint |^    (run|shell):", re.MULTILINE)


def test_every_rule_has_an_adaptor_of_its_name_and_every_adaptor_has_a_rule():
    assert set(RULES) - WITHOUT_SCRIPT == {script.stem for script in SCRIPTS}
    for name in set(RULES) - WITHOUT_SCRIPT:
        assert f'    script:\n        "../scripts/{name}.py"\n' in RULES[name]


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_has_a_docstring_and_if_it_runs_a_log_an_environment_and_the_digest_of_its_code(name):
    body = RULES[name]
    assert re.match(r'    """[A-Z].*\."""\n', body)
    if name not in WITHOUT_SCRIPT:
        assert "    log:\n" in body
        assert "    conda:\n        ENVIRONMENT\n" in body
        assert re.search(rf'^        code=code_of\("{name}"(, \w+_parts)?\),$', body, re.MULTILINE)


def test_a_rule_whose_code_loads_parts_of_a_ranker_by_name_says_so_in_its_digest():
    for script in SCRIPTS:
        _, imported = read_code(script, "", LIBRARY)
        loads_by_name = "stillroom.ranker" in modules_behind(imported, LIBRARY)
        assert loads_by_name == (f'code_of("{script.stem}", ranker_parts)' in RULES[script.stem]), script.name


def test_the_code_of_the_embedded_collection_counts_for_its_own_experiments_only():
    for rule in ("fetch_collection", "fetch_queries", "fetch_triples"):
        script = next(script for script in SCRIPTS if script.stem == rule)
        _, imported = read_code(script, "", LIBRARY)
        assert not any(
            module.startswith("stillroom.collections.pydocs") for module in modules_behind(imported, LIBRARY)
        )
        assert re.search(rf'code_of\("{rule}", \w+_parts\)', RULES[rule])


def test_the_profile_of_several_gpus_gives_all_of_them_to_a_training():
    profile = yaml.safe_load((ROOT / "profiles" / "gpus" / "config.yaml").read_text(encoding="utf-8"))
    (gpus,) = (int(entry.removeprefix("gpu=")) for entry in profile["resources"])
    assert profile["set-resources"] == {"train_ranker": {"gpu": gpus}}


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.name)
def test_a_rule_file_says_what_it_makes_and_has_no_lambda_run_shell_or_checkpoint(file):
    text = file.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert ("Makes" in text.split('"""')[1]) == ("\nrule " in text)
    assert not NOT_SCRIPTED.findall(text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_adaptor_is_short_has_no_logic_and_starts_the_log(script):
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    logic = (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.Lambda)
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, logic)]
    assert text.startswith(f'"""Rule {script.stem}: ')
    assert "\nstart_log(snakemake.log[0])\n" in text


def test_every_key_of_the_config_is_described():
    undescribed = [path for path, schema in keys_of(read_schema(SCHEMA)) if "description" not in schema]
    assert undescribed == []


def keys_of(schema, path=""):
    """(key path, schema) of every key that the config may have; `<name>` is a block's own name."""
    for key, part in schema.get("properties", {}).items():
        yield f"{path}{key}", part
        yield from keys_of(part, f"{path}{key}.")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from keys_of(schema["additionalProperties"], f"{path}<name>.")
    if "items" in schema:
        yield from keys_of(schema["items"], path)


def test_snakemakes_own_linter_has_nothing_to_say(project):
    status, text = project.snakemake("--lint")
    assert status == 0, text
