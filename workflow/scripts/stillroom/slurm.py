"""What every job of a Slurm cluster would fail of, in one sentence each, before the first is submitted."""

import re
import shutil
import subprocess
from collections.abc import Iterable

PROFILE = "profiles/slurm/config.yaml"


class SlurmError(RuntimeError):
    """A cluster that would take no job, or say nothing of those that it took: what to set."""


def check_slurm(asked: Iterable[tuple[str, str]], status_command: str, seconds: int) -> None:
    """Stop if there is no Slurm, if it refuses an account, or if nothing would tell which jobs have ended.

    `asked` holds the accounts and partitions of the jobs, "" where the profile names none; `seconds` pass before the
    executor first asks for them.
    """
    if shutil.which("sbatch") is None:
        raise SlurmError("slurm: there is no program sbatch here; start the workflow on a login node of the cluster.")
    for accounts, partition in asked:
        check_account(re.split(r"[,\s]+", accounts)[0], partition)
    if status_command == "sacct" and shutil.which("sacct"):  # where there is none, the executor asks squeue
        check_accounting()
    else:
        check_memory_of_jobs(seconds)


def check_account(account: str, partition: str) -> None:
    """Have Slurm look at a job without submitting it; what it says of other things than accounts is left to jobs."""
    options = [f"--account={account}"] * bool(account) + [f"--partition={partition}"] * bool(partition)
    asked = run("sbatch", "--test-only", "--ntasks=1", "--time=1", "--output=/dev/null", *options, "--wrap=true")
    if asked.returncode == 0 or not re.search(r"\baccount\b", asked.stderr, re.IGNORECASE):
        return
    place = f"partition {partition}" if partition else "cluster"
    found = f"does not take the account {account}" if account else "takes no job without an account, and none is set"
    raise SlurmError(
        f"slurm: the {place} {found}; set slurm_account, under default-resources in {PROFILE}, to one of yours "
        "(`sacctmgr show associations user=$USER format=account` lists them)."
    )


def check_accounting() -> None:
    """Where Slurm keeps no accounts, sacct fails, and the workflow would wait for ever."""
    listed = sacct_of_no_jobs()
    if listed.returncode != 0:
        raise SlurmError(
            f"slurm: sacct does not tell which jobs have ended ({last_line(listed.stderr)}); "
            f"set slurm-status-command: squeue in {PROFILE}."
        )


def check_memory_of_jobs(seconds: int) -> None:
    """The executor trusts squeue only where jobs are remembered for three times `seconds`; else it asks sacct."""
    found = re.search(r"^MinJobAge\s*=\s*(\d+)", run("scontrol", "show", "config").stdout, re.MULTILINE)
    if not found or int(found[1]) >= 3 * seconds or shutil.which("sacct") is None:
        return
    if sacct_of_no_jobs().returncode != 0:
        raise SlurmError(
            f"slurm: squeue tells of jobs for {found[1]} s after their end, too short for the executor, and sacct "
            f"does not work; set slurm-init-seconds-before-status-checks: {max(1, int(found[1]) // 3)} in {PROFILE}."
        )


def sacct_of_no_jobs() -> subprocess.CompletedProcess:
    """What sacct says of jobs that do not exist."""
    return run("sacct", "--allocations", "--noheader", "--starttime=now", "--name=none")


def run(*command: str) -> subprocess.CompletedProcess:
    """What a program of Slurm answers."""
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def last_line(text: str) -> str:
    """What a program said last, without a full stop."""
    return (text.strip().splitlines() or ["no reason given"])[-1].rstrip(".")
