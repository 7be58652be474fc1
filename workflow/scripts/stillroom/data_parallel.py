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
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait

import numpy as np
import torch
import torch.distributed as dist

# A new interpreter would run Snakemake's script once more. Until the fork nothing may touch a GPU.
CONTEXT = multiprocessing.get_context("fork")


def run_in_processes(count: int, function: Callable[[], None]) -> None:
    """Call the function in so many processes that are one group, or in this one if one is enough.

    The first failure ends all of them, and is raised here.
    """
    if count == 1:
        function()
        return
    failures = CONTEXT.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [(number, count, f"file://{folder}/meeting", function, failures) for number in range(count)]
        members = [CONTEXT.Process(target=be_member, args=these) for these in arguments]
        for member in members:
            member.start()
        try:
            codes = wait_for(members)
        finally:
            for member in members:
                member.kill()
                member.join()
    ended_badly = [code for code in codes if code]
    if ended_badly and min(ended_badly) > 0 and not failures.empty():
        raise failures.get()
    if ended_badly:  # below 0 by a signal: what the others then complain of is no cause
        raise RuntimeError(
            f"one of the {count} processes was killed; look for what ended it, such as a lack of memory."
        )


def wait_for(members: list) -> list[int | None]:
    """The exit codes when all have ended, or as soon as one has failed; None for those that still run."""
    while True:
        codes = [member.exitcode for member in members]
        if any(codes) or None not in codes:
            return codes
        wait([member.sentinel for member, code in zip(members, codes, strict=True) if code is None])


def be_member(number: int, count: int, meeting: str, function: Callable[[], None], failures) -> None:
    """What each process does. Only the main one logs; what goes wrong is sent to the parent, with its traceback."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    if number > 0:
        logging.disable()
    try:
        join_group(number, count, meeting)
        function()
        dist.destroy_process_group()
    except Exception as error:
        error.add_note(f"In process {number} of {count}:\n{traceback.format_exc()}")
        failures.put(error)
        raise SystemExit(1) from None


def end_with_parent() -> None:
    """No orphan trains on: a job that was killed is run again, and two would write the same files."""
    multiprocessing.parent_process().join()
    os._exit(1)


def join_group(number: int, count: int, meeting: str) -> None:
    """Become one of the group; on a machine with GPUs, with one of them."""
    has_gpus = torch.cuda.is_available()
    if has_gpus:
        if torch.cuda.device_count() < count:
            raise ValueError(
                f"training: {count} processes need as many GPUs, but there are {torch.cuda.device_count()}; "
                "lower the gpu resource of train_ranker."
            )
        torch.cuda.set_device(number)
    dist.init_process_group("nccl" if has_gpus else "gloo", init_method=meeting, rank=number, world_size=count)


def process_count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def process_number() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this process writes logs and files."""
    return process_number() == 0


def share(rows_G: np.ndarray) -> np.ndarray:
    """The rows of a batch that this process represents."""
    return np.split(rows_G, process_count())[process_number()]


def gather(own_B):
    """The rows of all processes: a tensor, or a tuple of tensors. Gradients flow to this process's own rows only.

    Other dimensions are filled up with zeros to the largest of all processes.
    """
    if process_count() == 1:
        return own_B
    if isinstance(own_B, tuple):
        return type(own_B)(*map(gather, own_B))
    shape = torch.tensor(own_B.shape, device=own_B.device)
    dist.all_reduce(shape, dist.ReduceOp.MAX)
    filled_B = own_B.new_zeros(shape.tolist())
    filled_B[tuple(slice(length) for length in own_B.shape)] = own_B
    rows_G = [torch.empty_like(filled_B) for _ in range(process_count())]
    dist.all_gather(rows_G, filled_B.detach())
    rows_G[process_number()] = filled_B
    return torch.cat(rows_G)


def sum_gradients(model: torch.nn.Module, whole: Iterable[torch.nn.Parameter] = ()) -> None:
    """Replace every gradient by its sum over the processes; the same bits in all of them.

    The parameters in `whole` have in each process the gradient of the whole batch, so theirs is the mean.
    """
    if process_count() == 1:
        return
    for parameter in whole:
        parameter.grad /= process_count()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    for work in [dist.all_reduce(gradient, async_op=True) for gradient in gradients]:
        work.wait()


def total(values: np.ndarray, device: torch.device) -> np.ndarray:
    """The sum over the processes."""
    if process_count() == 1:
        return values
    summed = torch.as_tensor(values, device=device)
    dist.all_reduce(summed)
    return summed.cpu().numpy()
