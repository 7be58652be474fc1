"""The most memory that a call takes, in a process of its own: how it grows with the data shows what is kept of them.

Anonymous memory: pages of mapped files are not counted, since the system takes them back when it needs them.
"""

import importlib
import multiprocessing
import re
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

SECONDS_BETWEEN = 0.002
ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB$", re.MULTILINE)


def peak_memory(function: Callable, constants: dict[str, int] | None = None, **arguments) -> int:
    """Anonymous bytes at most while an importable function runs, more than before it was called (Linux only).

    `constants` are set in its process beforehand: `{"stillroom.runs.BLOCK_BYTES": 4096}`. Looked at every two
    milliseconds from outside, so shorter peaks are missed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=call, args=(theirs, constants or {}, function, arguments))
    process.start()
    theirs.close()
    try:
        ours.recv()  # everything is imported
        before = most = anonymous_bytes(process.pid)
        ours.send(None)
        while not ours.poll(SECONDS_BETWEEN):
            most = max(most, anonymous_bytes(process.pid))
        if error := ours.recv():
            raise RuntimeError(f"{function.__name__} failed: {error}")
    finally:
        process.join()
    return most - before


def call(connection: Connection, constants: dict[str, int], function: Callable, arguments: dict) -> None:
    """What the process does: call the function once it is told to, and tell how it ended."""
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    connection.send(None)
    connection.recv()
    try:
        function(**arguments)
    except Exception as error:
        connection.send(repr(error))
    else:
        connection.send(None)


def anonymous_bytes(process_id: int) -> int:
    """The anonymous memory of a process now; 0 when it has ended."""
    found = ANONYMOUS.search(Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace"))
    return int(found[1]) * 1024 if found else 0
