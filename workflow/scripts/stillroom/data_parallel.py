"""Training in several processes, one per GPU, or on a CPU: each represents its share of every batch.

All processes hold the same weights. They gather what they have represented, so each computes the scores and the loss of
the whole batch, but the gradient flows through its own texts only: summed over the processes it is the gradient of one
process with the whole batch, for every loss, in-batch losses included. Without a group of processes the functions here
give back what they are given.
Shape suffixes: B = rows of one process's share, G = rows of all processes, one share after the other.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import accelerate.utils
import numpy as np
import torch
from accelerate import PartialState
from torch.distributed import is_initialized
from torch.multiprocessing import ProcessExitedException, start_processes


def run_in_processes(count: int, function: Callable[[], None]) -> None:
    """Call the function in so many processes that are one group, or in this one if one is enough.

    The first failure ends all of them, and is raised here. A new interpreter would run Snakemake's script once more, so
    they are forked, and until then nothing may touch a GPU. Of accelerate's launchers, which fork too, one is for CPUs
    only, and the other needs a free port and raises a report in place of the failure.
    """
    if count == 1:
        function()
        return
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # it warns of each that it ends
    with tempfile.TemporaryDirectory() as folder:
        failure, arguments = Path(folder, "failure"), (count, Path(folder), function)
        group = start_processes(be_member, arguments, count, join=False, daemon=True, start_method="fork")
        try:
            while not group.join():
                pass
        except ProcessExitedException:
            was_killed = any(member.exitcode == -signal.SIGKILL for member in group.processes)
            if failure.exists() and not was_killed:  # what the others then complain of is no cause
                raise pickle.loads(failure.read_bytes()) from None
            raise RuntimeError(
                f"one of the {count} processes was killed; look for what ended it, such as a lack of memory."
            ) from None


def be_member(number: int, count: int, folder: Path, function: Callable[[], None]) -> None:
    """What each process does. Only the main one logs; what goes wrong first is left to the parent in a file."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    if number > 0:
        logging.disable()
    try:
        join_group(number, count, folder / "meeting")
        function()
        PartialState().destroy_process_group()
    except Exception as error:
        error.add_note(f"In process {number} of {count}:\n{traceback.format_exc()}")
        own = folder / str(number)
        own.write_bytes(pickled(error))
        with suppress(FileExistsError):
            (folder / "failure").hardlink_to(own)
        raise SystemExit(1) from None


def pickled(error: Exception) -> bytes:
    """The error, or, if it is of a kind that cannot travel, one that says the same."""
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:  # its own way of travelling may raise anything; what it says has to arrive
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content


def end_with_parent() -> None:
    """No orphan trains on: a job that was killed is run again, and two would write the same files.

    torch interrupts orphans, but one that waits for a GPU does not notice.
    """
    multiprocessing.parent_process().join()
    os._exit(1)


def join_group(number: int, count: int, meeting: Path) -> None:
    """Become one of the group; on a machine with GPUs, with one of them."""
    has_gpus = torch.cuda.is_available()
    if has_gpus and torch.cuda.device_count() < count:
        raise ValueError(
            f"training: {count} processes need as many GPUs, but there are {torch.cuda.device_count()}; "
            "lower the gpu resource of train_ranker."
        )
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    threads = {"OMP_NUM_THREADS": torch.get_num_threads()}  # else accelerate changes them
    os.environ |= {name: str(value) for name, value in (place | threads).items()}
    PartialState(cpu=not has_gpus, init_method=f"file://{meeting}", rank=number, world_size=count)


def process_count() -> int:
    """How many processes share every batch; 1 without a group."""
    return PartialState().num_processes if is_initialized() else 1


def process_number() -> int:
    """This process's place among them, from 0."""
    return PartialState().process_index if is_initialized() else 0


def is_main() -> bool:
    """Whether this process writes logs and files."""
    return process_number() == 0


def share(rows_G: np.ndarray) -> np.ndarray:
    """The rows of a batch that this process represents."""
    return np.split(rows_G, process_count())[process_number()]


def gather(own_B):
    """The rows of all processes: a tensor, or a tuple of tensors. Gradients flow to this process's own rows only.

    The second dimension is filled up with zeros to the largest of all processes.
    """
    if process_count() == 1:
        return own_B
    filled_B = accelerate.utils.pad_across_processes(own_B, dim=1, pad_index=False)  # 0 makes numbers of a mask
    return accelerate.utils.recursively_apply(gather_tensor, filled_B)


def gather_tensor(own_B: torch.Tensor) -> torch.Tensor:
    """The rows of all processes, whose other dimensions are the same."""
    shares = list(accelerate.utils.gather(own_B.detach()).chunk(process_count()))
    shares[process_number()] = own_B
    return torch.cat(shares)


def sum_gradients(model: torch.nn.Module, whole: Iterable[torch.nn.Parameter] = ()) -> None:
    """Replace every gradient by its sum over the processes; the same bits in all of them.

    The parameters in `whole` have in each process the gradient of the whole batch, so theirs is the mean.
    """
    if process_count() == 1:
        return
    for parameter in whole:
        parameter.grad /= process_count()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad = accelerate.utils.reduce(parameter.grad, reduction="sum")


def total(values: np.ndarray, device: torch.device) -> np.ndarray:
    """The sum over the processes."""
    if process_count() == 1:
        return values
    return accelerate.utils.reduce(torch.as_tensor(values, device=device), reduction="sum").cpu().numpy()
