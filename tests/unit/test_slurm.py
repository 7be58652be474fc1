"""What is asked of a Slurm cluster before the first job, of stand-ins for its programs."""

import pytest

from stillroom.slurm import SlurmError, check_slurm

INVALID = "allocation failure: Invalid account or account/partition combination specified"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function from a name and a few lines of shell to a program; there are no others."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    write("scontrol", "echo 'MinJobAge               = 300 sec'")
    return write


def test_every_account_and_partition_is_tried_without_a_job(programs, tmp_path):
    programs("sbatch", f'echo "$@" >> {tmp_path}/asked')
    check_slurm([("", ""), ("mine", "long"), ("mine, other", "")], "squeue", 40)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert all("--test-only" in line and "--wrap=true" in line for line in asked)
    assert [[word for word in line.split() if "--account" in word or "--partition" in word] for line in asked] == [
        [],
        ["--account=mine", "--partition=long"],
        ["--account=mine"],
    ]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("", ""), "slurm: the cluster takes no job without an account, and none is set; set slurm_account, "),
        (
            ("", "long"),
            "slurm: the partition long takes no job without an account, and none is set; set slurm_account, ",
        ),
        (("mine", ""), "slurm: the cluster does not take the account mine; set slurm_account, "),
    ],
)
def test_a_refused_account_is_one_sentence(programs, asked, message):
    programs("sbatch", f"echo '{INVALID}' >&2; exit 1")
    with pytest.raises(SlurmError) as error:
        check_slurm([asked], "squeue", 40)
    assert str(error.value).startswith(message) and "profiles/slurm/config.yaml" in str(error.value)


def test_what_slurm_says_of_other_things_than_accounts_is_left_to_the_jobs(programs):
    programs("sbatch", "echo 'allocation failure: Requested node configuration is not available' >&2; exit 1")
    check_slurm([("mine", "")], "squeue", 40)


def test_an_sacct_that_does_not_work_is_one_sentence_and_another_status_command_does_not_need_it(programs):
    programs("sbatch", "exit 0")
    programs("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    check_slurm([], "squeue", 40)
    with pytest.raises(
        SlurmError, match=r"^slurm: sacct .*\(Slurm accounting storage is disabled\); set slurm-status-c"
    ):
        check_slurm([], "sacct", 40)
    programs("sacct", "exit 0")
    check_slurm([], "sacct", 40)


def test_a_cluster_without_sacct_is_left_to_the_executor_which_asks_squeue(programs):
    programs("sbatch", "exit 0")
    check_slurm([], "sacct", 40)


def test_a_slurm_that_forgets_jobs_soon_is_asked_sooner(programs):
    programs("sbatch", "exit 0")
    programs("scontrol", "echo 'MinJobAge               = 60 sec'")
    check_slurm([], "squeue", 40)  # no sacct, which the executor would prefer
    programs("sacct", "exit 1")
    check_slurm([], "squeue", 20)
    with pytest.raises(SlurmError, match=r"for 60 s .*; set slurm-init-seconds-before-status-checks: 20 in"):
        check_slurm([], "squeue", 40)


def test_a_machine_without_slurm_is_one_sentence(programs):
    with pytest.raises(SlurmError, match=r"^slurm: there is no program sbatch here; "):
        check_slurm([], "squeue", 40)
