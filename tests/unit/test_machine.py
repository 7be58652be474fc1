"""What a job ran on is noted beside its log, with the GPUs that it has taken."""

import json
import os
import stat
import subprocess
import sys

from stillroom.machine import facts_path, machine_facts

SMI = """#!/bin/sh
echo '0, GPU-1f2e, Card of Ours'
echo '1, GPU-3d4c, Card of Theirs, large'
"""


def noted(tmp_path, script=""):
    """What a process with a log leaves beside it."""
    log = tmp_path / "logs" / "rule.log"
    preamble = f"import os\nfrom stillroom.log import start_log\nstart_log({str(log)!r})\n"
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(stat.S_IRWXU)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": path}
    done = subprocess.run([sys.executable, "-c", preamble + script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(facts_path(log).read_text(encoding="utf-8"))


def test_a_job_notes_its_machine_and_versions(tmp_path):
    facts = noted(tmp_path)
    assert facts == machine_facts()
    assert facts["cores"] == os.cpu_count() and facts["gpus"] == []
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["libraries"]["torch"] and facts["processor"]


def test_gpus_that_were_taken_later_are_noted_by_their_kinds(tmp_path):
    facts = noted(tmp_path, "os.environ['STILLROOM_CLAIMED_GPUS'] = 'GPU-3d4c,0,MIG-9'\n")
    assert facts["gpus"] == ["Card of Theirs, large", "Card of Ours", "MIG-9"]


def test_the_name_of_the_variable_is_that_of_whoever_takes_gpus():
    from stillroom import devices, machine

    assert machine.CLAIMED == devices.CLAIMED
