"""Processes that each hold one of the libraries that clash in one process: Java, torch and faiss bring OpenMPs of their
own. They are spawned, not forked, and asked through pipes.

A kind of worker is a module beside this one, with a function `prepare(threads)` and functions that answer.
"""

import logging
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from typing import NamedTuple

logger = logging.getLogger(__name__)

SPAWN = multiprocessing.get_context("spawn")
SECONDS_TO_END = 5.0


class Failure(NamedTuple):
    """What a worker answers where it has no answer."""

    sentence: str


class Worker:
    """A process of one kind, started at once; what it needs is imported when it is first asked."""

    def __init__(self, kind: str, threads: int):
        self.kind = kind
        self.connection, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(kind, threads, theirs), name=kind, daemon=True)
        with interrupts_ignored():
            self.process.start()
        theirs.close()  # the process has its own: reading ends when that does

    def ask(self, function: str, **details):
        """What a function of the worker's module returns; one question at a time."""
        try:
            self.connection.send((function, details))
            answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(
                f"the process of {self.kind} has ended; what it said is on the terminal: start the demo again."
            ) from error
        if isinstance(answer, Failure):
            raise ValueError(answer.sentence)
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(SECONDS_TO_END)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """What is started here never sees Ctrl-C, which a terminal sends to all: who started it ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(kind: str, threads: int, connection: Connection) -> None:
    """Answer until the other end is closed, by whom or whatever."""
    module = None
    while True:
        try:
            function, details = connection.recv()
        except EOFError:
            return
        try:
            if module is None:
                module = import_module(f"stillroom.demo.{kind}")
                module.prepare(threads)
            answer = getattr(module, function)(**details)
        except (OSError, RuntimeError, ValueError) as error:
            answer = Failure(str(error))
        except Exception as error:  # of Java, say: the next query may be answered all the same
            logger.exception("%s failed", kind)
            answer = Failure(f"{kind}: {type(error).__name__}: {error}; more is on the terminal.")
        connection.send(answer)
