"""A real Slurm on this machine alone, for as long as it is needed: as root, with Debian's slurm-wlm and munge.

`python tests/cluster/one_node_slurm.py <command>` runs a command while there is one. Without systemd and cgroups.
All of its files are in a folder of its own, except for the configuration: inside a job the executor's plugin clears the
variables that could name another place.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
CONFIGURATION = Path("/etc/slurm")
GPUS = ("/dev/null", "/dev/zero")  # files that every machine has: Slurm hands them out and looks no closer
CPUS = max(2, os.cpu_count())
MEMORY = 64_000  # MB that may be asked for, not what is there
PATIENCE = 120  # seconds

SLURM_CONF = """
ClusterName=stillroom
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=free Nodes={host} Default=YES MaxTime=INFINITE
PartitionName=members Nodes={host} MaxTime=INFINITE
JobSubmitPlugins=lua
"""
# Without accounting, Slurm asks nobody for an account; this partition does, with Slurm's own error.
JOB_SUBMIT_LUA = """
function slurm_job_submit(job, partitions, user)
  if job.partition == "members" and job.account ~= "research" then
    return slurm.ESLURM_INVALID_ACCOUNT
  end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, user)
  return slurm.SUCCESS
end

return slurm.SUCCESS
"""


def missing() -> str:
    """What this machine lacks, for a sentence; empty if nothing."""
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"programs {', '.join(absent)}"
    if os.geteuid() != 0:
        return "the rights of root"
    return ""


@contextmanager
def running_slurm() -> Iterator[Path]:
    """Start munge, the controller and one node, and end all of them afterwards; yields the folder of their logs."""
    if (CONFIGURATION / "slurm.conf").exists():
        raise FileExistsError(f"{CONFIGURATION}/slurm.conf: this machine has a Slurm already.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", dir="/var/tmp")))
        folder.chmod(0o755)  # munge wants its socket where everyone can reach it
        stack.callback(remove_configuration)
        configure(folder)
        key, munge_socket = folder / "munge.key", folder / "munge.socket"
        start_munge = ["munged", "--foreground", f"--socket={munge_socket}", f"--key-file={key}"]
        start_munge += [f"--{kind}-file={folder}/munge.{kind}" for kind in ("log", "pid", "seed")]
        stack.enter_context(daemon(*start_munge))
        wait_until(munge_socket.exists, folder)
        stack.enter_context(daemon("slurmctld", "-D"))
        stack.enter_context(daemon("slurmd", "-D"))
        wait_until(lambda: answer("sinfo", "--noheader", "--format=%T", "--partition=free") == "idle", folder)
        stack.callback(cancel_jobs, folder)
        yield folder


def configure(folder: Path) -> None:
    """Write the configuration, a key, and the folders that the daemons expect."""
    values = {"host": socket.gethostname().partition(".")[0], "cpus": CPUS, "memory": MEMORY, "gpus": len(GPUS)}
    ports = {"controller_port": free_port(), "node_port": free_port()}
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    CONFIGURATION.mkdir(exist_ok=True)
    (CONFIGURATION / "slurm.conf").write_text(SLURM_CONF.format(folder=folder, **values, **ports))
    (CONFIGURATION / "gres.conf").write_text("".join(f"Name=gpu File={file}\n" for file in GPUS))
    (CONFIGURATION / "job_submit.lua").write_text(JOB_SUBMIT_LUA)


def remove_configuration() -> None:
    for name in ("slurm.conf", "gres.conf", "job_submit.lua"):
        (CONFIGURATION / name).unlink(missing_ok=True)


@contextmanager
def daemon(*command: str) -> Iterator[None]:
    """A program that runs until the context is left."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cancel_jobs(folder: Path) -> None:
    """No job outlives its Slurm."""
    subprocess.run(["scancel", "--partition=free,members"], check=False)
    wait_until(lambda: answer("squeue", "--noheader") == "", folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(*command: str) -> str | None:
    """What a program prints; None if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def wait_until(is_so: Callable[[], bool], folder: Path) -> None:
    """Ask once a second; give the ends of the daemons' logs if it takes too long."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            logs = [f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in sorted(folder.glob("*.log"))]
            raise TimeoutError("\n".join(["Slurm is not ready.", *logs]))
        time.sleep(1)


def main() -> int:
    if lacking := missing():
        print(f"A Slurm of one node needs {lacking}.", file=sys.stderr)
        return 1
    with running_slurm():
        return subprocess.run(sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
