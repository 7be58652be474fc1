"""What jobs ask of a machine: memory and time that grow with the collection, and profiles that cover every rule."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "profiles"
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
RULE = re.compile(r"^rule (?P<name>\w+):\n(?P<body>(?:(?: .*)?\n)*)", re.MULTILINE)
RULES = {
    found["name"]: found["body"] for file in RULE_FILES for found in RULE.finditer(file.read_text(encoding="utf-8"))
}
LOCAL = re.compile(r"^localrules:\n((?:    \w+,\n)+)", re.MULTILINE)
ASKED = re.compile(r"^(?:local)?rule (?P<rule>\w+):\n(?:    .*\n)*?    resources: (?P<resources>.*)$", re.MULTILINE)
MSMARCO = ["--configfile", "experiments/msmarco.yaml"]
TRAINING = "results/msmarco/rankers/bert_dot/seed-1/model.safetensors"
VECTORS = "results/msmarco/embeddings/msmarco/bert_dot/seed-1/passages.faiss"


def profile(name):
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))


def asked(plan):
    """Rule → what its last job asks for: {"train_ranker": {"gpu": "1", "mem_mb": "7000", …}}."""
    found = {job["rule"]: job["resources"].split(", ") for job in ASKED.finditer(plan.text)}
    return {rule: dict(part.split("=", 1) for part in parts) for rule, parts in found.items()}


@pytest.mark.parametrize("name", sorted(name for name, body in RULES.items() if "    script:\n" in body))
def test_every_rule_says_how_much_memory_and_time_it_needs(name):
    assert re.search(r"^        mem_mb=\w+.*,$", RULES[name], re.MULTILINE)
    assert re.search(r"^        runtime=\w+.*,$", RULES[name], re.MULTILINE)


def test_what_reads_from_the_network_or_from_the_folder_of_ir_datasets_runs_where_snakemake_does():
    blocks = [block for file in RULE_FILES for block in LOCAL.findall(file.read_text(encoding="utf-8"))]
    local = [name for block in blocks for name in re.findall(r"\w+", block)]
    wanted = {name for name in RULES if name.startswith(("download_", "fetch_"))} | {"choose_passages", "export_ranker"}
    assert wanted <= set(local) and len(local) == len(set(local))


@pytest.mark.parametrize("name", ["download_dataset", "fetch_scores", "fetch_candidates"])
def test_a_download_is_tried_again(name):
    assert "    retries: 2\n" in RULES[name]


def test_the_profile_of_machines_without_a_gpu_covers_every_rule_that_asks_for_one():
    asking = {name for name, body in RULES.items() if re.search(r"^        gpu=1,$", body, re.MULTILINE)}
    assert profile("no_gpu") == {"set-resources": {name: {"gpu": 0} for name in asking}}


def test_memory_and_time_grow_with_the_passages_that_the_config_declares_and_with_the_steps(project):
    resources = asked(project.plan(*MSMARCO, "--", VECTORS))
    assert resources["encode_shard"]["mem_mb"] == str(round(1000 * (8 + 0.1 * 8.841823)))
    assert resources["encode_shard"]["runtime"] == str(round(60 * (1 + 8.841823 / 4)))
    assert resources["tokenize_passages"]["mem_mb"] == str(round(1000 * (2 + 0.2 * 8.841823)))
    assert resources["train_ranker"]["runtime"] == str(60 * (4 + 68))  # 850,000 steps
    assert all(int(job["mem_mb"]) <= 64_000 for job in resources.values())
    few = project.config("experiments/msmarco.yaml")["corpora"]["msmarco"] | {"passages": 100_000}
    project.configure({"corpora.msmarco": few}, "experiments/msmarco.yaml")
    resources = asked(project.plan(*MSMARCO, "--", VECTORS))
    assert resources["encode_shard"]["mem_mb"] == "8010" and resources["tokenize_passages"]["mem_mb"] == "2020"


def test_memory_is_that_of_the_index_unless_it_is_exact_and_read_in_blocks(project):
    indexes = {
        "graph": {"factory": "HNSW32"},
        "codes": {"factory": "PQ96"},
        "deeper": {"of": "graph", "ef_search": 2000},
    }
    project.configure({"indexes": {"exact": {}, **indexes}}, "experiments/msmarco.yaml")
    runs = "results/msmarco/runs/dl19/bert_dot/seed-1"
    found = {}
    for index in ("exact", *indexes):
        resources = asked(project.plan(*MSMARCO, "--", f"{runs}/{index}.trec"))
        found[index] = [int(resources[rule]["mem_mb"]) for rule in ("build_index", "retrieve")]
    of_graph = round(1000 * 3.4 * 8.841823)
    assert found["exact"] == [500, 2_000]
    assert found["graph"] == found["deeper"] == [5_000 + of_graph, 1_000 + of_graph]
    assert found["codes"] == [5_884, 1_884]


def test_a_second_attempt_has_twice_the_memory_and_time(project):
    first, second = (asked(project.plan("--attempt", str(number), "--", "all"))["rerank"] for number in (1, 2))
    assert int(second["mem_mb"]) == 2 * int(first["mem_mb"]) and int(second["runtime"]) == 2 * int(first["runtime"])


def test_slurms_profile_keeps_a_training_one_process_on_one_machine_and_sites_cap_what_jobs_ask_for(project):
    caps = ["--resources", "runtime=1440", "mem_mb=0"]
    resources = asked(project.plan("--profile", "profiles/slurm", *caps, *MSMARCO, "--", TRAINING))
    training = resources["train_ranker"]
    assert (training["gpu"], training["tasks"], training["nodes"]) == ("1", "0", "1")
    assert training["runtime"] == "1440" and training["mem_mb"] == "0"
    plan = project.plan("--profile", "profiles/slurm", "--profile", "profiles/no_gpu", *MSMARCO, "--", TRAINING)
    assert asked(plan)["train_ranker"]["gpu"] == "0"
