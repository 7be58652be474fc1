"""Logs: a failure's traceback is in the file and its sentence on the terminal; progress has rate and time left."""

import logging
import os
import re
import subprocess
import sys
import time

import pytest

from stillroom import log
from stillroom.log import ProgressMeter, duration, progress


def run(script, tmp_path):
    """Run a script that starts its log in a folder that does not exist yet; its result and the log."""
    path = tmp_path / "logs" / "rule.log"
    preamble = f"import logging, warnings\nfrom stillroom.log import start_log\nstart_log({str(path)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", preamble + script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    return done, path.read_text("utf-8")


def test_a_failing_scripts_traceback_is_in_the_log_and_one_sentence_on_the_terminal(tmp_path):
    script = "logging.info('reading')\ndef read():\n    raise ValueError('run.trec, line 3: broken – α.')\nread()"
    done, content = run(script, tmp_path)
    assert done.returncode == 1
    assert done.stderr == "reading\nValueError: run.trec, line 3: broken – α.\n"
    assert done.stdout == ""
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO reading$", content, re.M)
    assert "Traceback (most recent call last):" in content
    assert "in read" in content
    assert content.rstrip().endswith("ValueError: run.trec, line 3: broken – α.")


def test_warnings_and_causes_are_in_the_log(tmp_path):
    failing = "try:\n    {}['x']\nexcept KeyError as error:\n    raise ValueError('y') from error"
    script = f"warnings.warn('old weights')\n{failing}"
    done, content = run(script, tmp_path)
    assert "old weights" in content
    assert "KeyError: 'x'" in content and "direct cause" in content
    assert "KeyError" not in done.stderr


def test_chatter_of_libraries_is_left_out_and_a_rerun_starts_a_new_log(tmp_path):
    run("logging.info('the first run')", tmp_path)
    done, content = run("logging.getLogger('httpx').info('GET'); logging.getLogger('ours').info('work')", tmp_path)
    assert "GET" not in content + done.stderr
    assert "work" in content and "the first run" not in content


def test_a_progress_line_has_count_rate_and_time_left(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    meter = ProgressMeter(total=100_000, unit="pairs scored", start=20_000)
    for _ in range(4):
        clock[0] += 4
        meter.advance(1_000, "loss 0.5")
    assert caplog.messages == ["23,000 of 100,000 pairs scored (250.0/s, 5 min 8 s left) loss 0.5"]
    clock[0] += 4
    meter.finish()
    assert caplog.messages[1:] == ["24,000 pairs scored in 20 s (200.0/s)"]


def test_what_an_earlier_run_had_done_does_not_enter_the_rate(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    meter = ProgressMeter(total=1_010, unit="passages encoded", start=1_000)
    clock[0] += 10
    meter.advance(0)
    meter.advance(10)
    clock[0] += 10
    meter.finish()
    assert caplog.messages == [
        "1,000 of 1,010 passages encoded (0.0/s, unknown time left)",
        "1,010 passages encoded in 20 s (0.5/s)",
    ]


def test_progress_yields_every_item(caplog):
    caplog.set_level(logging.INFO)
    assert list(progress(range(7), total=7, unit="items")) == list(range(7))
    assert re.fullmatch(r"7 items in 0 s \([\d,.]+/s\)", caplog.messages[-1])
    assert list(progress([], total=0, unit="items")) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (11_520, "3 h 12 min"),
        (float("inf"), "unknown time"),
    ],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
    assert log.PROGRESS_SECONDS == 10
