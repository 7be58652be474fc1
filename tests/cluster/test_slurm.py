"""The workflow through a real Slurm: the same tables as without, and one sentence where the cluster takes no job."""

import json
import re
import subprocess

JOB = re.compile(r"^(?P<local>local)?rule (?P<rule>\w+):$", re.MULTILINE)
SUBMITTED = "has been submitted with SLURM jobid"


def test_the_tables_are_those_of_a_run_without_a_cluster(finished):
    alone, cluster, _ = finished
    tables = sorted((alone.results / "tables").iterdir())
    assert tables
    for table in tables:
        assert (cluster.results / "tables" / table.name).read_text() == table.read_text(), table.name


def test_what_computes_is_submitted_and_what_needs_the_network_is_not(finished):
    said = finished[2]
    jobs = [(found["rule"], bool(found["local"])) for found in JOB.finditer(said)]
    assert said.count(SUBMITTED) == len([rule for rule, is_local in jobs if not is_local])
    local = {rule for rule, is_local in jobs if is_local}
    assert {"fetch_collection", "fetch_queries", "make_table"} <= local
    assert not {"tokenize_passages", "index_bm25", "train_ranker", "encode_passages", "measure"} & local


def test_a_job_asks_for_the_cores_memory_time_and_gpu_of_its_rule(finished):
    lines = subprocess.run(
        ["scontrol", "--oneliner", "show", "jobs"], capture_output=True, text=True
    ).stdout.splitlines()
    asked = {line.split("Comment=")[1].split()[0]: line for line in lines if "Comment=rule_" in line}
    training, measuring = (
        next(line for comment, line in asked.items() if comment.startswith(f"rule_{rule}_"))
        for rule in ("train_ranker", "measure")
    )
    assert "CPUs/Task=2 " in training and "NumNodes=1 " in training and "TimeLimit=04:0" in training
    assert "gpu:1" in training and re.search(r"\bmem=5000M\b", training)
    assert "CPUs/Task=1 " in measuring and "gpu" not in measuring


def test_a_training_on_two_gpus_is_one_training_with_two_processes(make_project):
    project = make_project("two_gpus")
    target = "results/cut/rankers/bert_cat/seed-1/training.jsonl"
    done = project.run_on_cluster(target, set_resources=["train_ranker:gpu=2"])
    assert done.returncode == 0, done.stdout[-3000:]
    log = (project.results / "logs/rankers/bert_cat/seed-1.log").read_text()
    assert log.count("2 processes, each with 4 groups of every batch") == 1
    steps = [json.loads(line)["step"] for line in (project.folder / target).read_text().splitlines()]
    assert steps == [10, 20]


def test_a_missing_account_and_a_wrong_one_are_one_sentence_and_the_right_one_goes_on(make_project):
    project = make_project("account")
    target = "results/cut/corpora/pydocs/tokens/minilm/tokens.json"
    project.set_default_resource("slurm_partition", "members")
    done = project.run_on_cluster(target)
    assert done.returncode != 0 and SUBMITTED not in done.stdout
    assert (
        "slurm: the partition members takes no job without an account, and none is set; set slurm_account,"
        in done.stdout
    )
    assert not (project.folder / "results/cut/corpora").exists()

    project.set_default_resource("slurm_account", "nobody")
    done = project.run_on_cluster(target)
    assert done.returncode != 0 and SUBMITTED not in done.stdout
    assert "slurm: the partition members does not take the account nobody; set slurm_account," in done.stdout

    path = project.folder / "profiles/slurm/config.yaml"
    path.write_text(path.read_text().replace("slurm_account: nobody", "slurm_account: research"))
    done = project.run_on_cluster(target)
    assert done.returncode == 0 and SUBMITTED in done.stdout, done.stdout[-3000:]


def test_without_accounting_the_profile_needs_squeue_and_says_so(make_project):
    project = make_project("accounting")
    done = project.run_on_cluster("all", slurm_status_command=["sacct"])
    assert done.returncode != 0 and SUBMITTED not in done.stdout
    assert (
        "slurm: sacct does not tell which jobs have ended (Slurm accounting storage is disabled); "
        "set slurm-status-command: squeue in profiles/slurm/config.yaml." in done.stdout
    )
