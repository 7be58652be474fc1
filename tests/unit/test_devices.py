"""GPUs that no two jobs take; the machine's are made up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stillroom import devices

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that gives the machine so many GPUs; locks lie in a folder of their own."""
    monkeypatch.setattr(devices, "LOCKS", tmp_path)
    monkeypatch.setattr(devices, "WAIT_SECONDS", 0.01)
    for name in (devices.VISIBLE, devices.CLAIMED, "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    return lambda count: monkeypatch.setattr(devices, "gpus_of_machine", lambda: [f"GPU-{n}" for n in range(count)])


@pytest.fixture
def other_job(tmp_path):
    """A function that takes GPUs in another process, and returns what ends it."""
    started = []

    def take(*gpus):
        code = (
            f"import sys, time; sys.path.insert(0, {str(SCRIPTS)!r}); from pathlib import Path; "
            f"from stillroom import devices; devices.LOCKS = Path({str(tmp_path)!r}); "
            f"print([devices.locked(gpu) is not None for gpu in {gpus!r}], flush=True); time.sleep(60)"
        )
        job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(job)
        assert job.stdout.readline() == f"{[True] * len(gpus)}\n"
        return lambda: (job.kill(), job.wait())

    yield take
    for job in started:
        job.kill()
        job.wait()
        job.stdout.close()


def test_without_a_gpu_nothing_is_taken(machine, monkeypatch):
    machine(0)
    monkeypatch.setenv(devices.VISIBLE, "0")  # as some leave it set on machines without one
    assert devices.claim_gpus() == []
    assert os.environ[devices.VISIBLE] == "0"


def test_a_job_takes_the_first_gpu_that_no_other_has_and_sees_no_other(machine, other_job):
    machine(3)
    other_job("GPU-0")
    assert devices.claim_gpus() == ["GPU-1"]
    assert os.environ[devices.VISIBLE] == "GPU-1"
    assert devices.claim_gpus(2) == ["GPU-1"]  # once is enough


def test_only_visible_gpus_are_taken_in_their_order(machine, monkeypatch):
    machine(4)
    monkeypatch.setenv(devices.VISIBLE, "3, 1")
    assert devices.claim_gpus(2) == ["GPU-3", "GPU-1"]


@pytest.mark.parametrize(("visible", "expected"), [("", []), ("-1", []), ("GPU-1", ["GPU-1"]), ("MIG-a", ["MIG-a"])])
def test_visible_gpus_may_be_none_or_have_names(visible, expected, machine, monkeypatch):
    machine(2)
    monkeypatch.setenv(devices.VISIBLE, visible)
    assert devices.claim_gpus() == expected


def test_further_gpus_are_taken_only_if_they_are_free(machine, other_job):
    machine(3)
    other_job("GPU-1", "GPU-2")
    assert devices.claim_gpus(1, more=1) == ["GPU-0"]


def test_a_job_waits_until_another_ends_and_takes_nothing_meanwhile(machine, other_job, monkeypatch, caplog):
    machine(2)
    end = other_job("GPU-1")
    waits = []

    def wait(seconds):
        waits.append(devices.locked("GPU-0"))  # free: another job may have it in the meantime
        os.close(waits[-1])
        end()

    monkeypatch.setattr(devices.time, "sleep", wait)
    caplog.set_level("INFO")
    assert devices.claim_gpus(2) == ["GPU-0", "GPU-1"]
    assert len(waits) == 1 and "waiting for a free GPU: 2 wanted, 1 of 2 free" in caplog.text


def test_the_driver_tells_the_names(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU-8932f937\necho GPU-1234abcd\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert devices.gpus_of_machine() == ["GPU-8932f937", "GPU-1234abcd"]
    program.write_text("#!/bin/sh\nexit 9\n")  # as where it finds none
    assert devices.gpus_of_machine() == []
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert devices.gpus_of_machine() == []
