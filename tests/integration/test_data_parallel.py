"""Several processes: what they learn is what one learns, and none outlives a failure. On a CPU, by gloo."""

import json
import logging
import multiprocessing
import os
import signal
import time
from typing import NamedTuple

import numpy as np
import pytest

from stillroom import batches
from stillroom.data_parallel import gather, is_main, process_count, process_number, run_in_processes, share, total
from stillroom.training import seed_step

TAS_BALANCED = {
    "loss": "margin_mse",
    "teacher": "cross",
    "sampler": "tas_balanced",
    "clustering": "topics",
    "in_batch": {"loss": "margin_mse", "teacher": "tokens", "weight": 0.75},
}
SETUPS = {
    "bert_dot": {},
    "bert_cat": {"architecture": "bert_cat"},
    "bert_dot in-batch": TAS_BALANCED,
    "colbert in-batch": {**TAS_BALANCED, "architecture": "colbert"},
    "prettr": {"architecture": "prettr", "join_layer": 1},
    "dpr in-batch": {**TAS_BALANCED, "architecture": "dpr"},
    "dpr in-batch negatives": {"loss": "in_batch_nll", "architecture": "dpr"},
    "bert_dot on groups in-batch negatives": {
        "loss": "in_batch_nll",
        "temperature": 8.0,
        "training__negatives": 4,
        "training__batch_size": 24,  # all queries: other passages of some are relevant for others
    },
    "tk": {"architecture": "tk"},
    "tk in-batch negatives": {"loss": "in_batch_nll", "architecture": "tk"},
    "colbert in-batch negatives with gradient caching": {
        "loss": "in_batch_nll",
        "architecture": "colbert",
        "training__chunk_tokens": 70,
    },
    "tk in-batch": {**TAS_BALANCED, "architecture": "tk"},
    "bert_dot on groups in-batch": {
        **TAS_BALANCED,
        "loss": "ckl",
        "contrastive": 0.5,
        "in_batch": {"loss": "kl_div", "teacher": "tokens"},
        "training__negatives": 2,
    },
    "colbert on groups": {"architecture": "colbert", "loss": "ckl", "teacher": "cross", "training__negatives": 4},
}
LONGEST_SECONDS = 60


class Vectors(NamedTuple):
    """As ColBERT represents texts."""

    vectors: object
    mask: object


@pytest.fixture(autouse=True)
def no_child_is_left():
    """Whatever happens in a group of processes, none of it is there afterwards; one that hangs is killed."""
    previous = signal.signal(signal.SIGALRM, hanging)
    signal.alarm(LONGEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
    assert multiprocessing.active_children() == []


def hanging(*_):
    raise TimeoutError("a group of processes hangs")


@pytest.fixture
def inputs(collection, in_batch_teacher):
    """All that a training may read."""
    return {
        "queries": collection / "queries.parquet",
        "triples": collection / "triples.parquet",
        "tokens": collection / "tokens" / "ids.bin",
        "validation_queries": collection / "validation_queries.parquet",
        "validation_qrels": collection / "validation_qrels.txt",
        "validation_run": collection / "validation_run.trec",
        "passages": collection / "passages.parquet",
        "teacher_scores": collection / "teacher_scores.parquet",
        "clusters": collection / "clusters.parquet",
        "in_batch_teacher": in_batch_teacher,
    }


@pytest.fixture
def train(torch, inputs):
    """A function that trains as the rule does."""
    from stillroom.training import train_ranker

    def train(settings, folder, **options):
        options = {"seed": 1, "code": "abc", "threads": 1, "inputs": inputs, "model_folder": folder} | options
        train_ranker(settings=settings, **options)
        return folder

    yield train
    torch.use_deterministic_algorithms(False)


def curve(folder):
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_shares_and_sums_are_those_of_the_process(tmp_path, torch):
    def write():
        number = process_number()
        own = torch.full((2, 3 + number), float(number), requires_grad=True)
        rows, mask = gather(Vectors(own, own > -1))
        (rows * torch.arange(20.0).view(4, 5)[:, : rows.shape[1]]).sum().backward()
        found = {
            "count": process_count(),
            "is_main": is_main(),
            "share": share(np.arange(6)).tolist(),
            "total": total(np.array([1.0, number]), torch.device("cpu")).tolist(),
            "rows": rows.tolist(),
            "mask": mask.tolist(),
            "gradient": own.grad.tolist(),
        }
        (tmp_path / f"{number}.json").write_text(json.dumps(found))

    run_in_processes(2, write)
    main, other = (json.loads((tmp_path / f"{number}.json").read_text()) for number in range(2))
    assert (main["count"], main["is_main"], other["is_main"]) == (2, True, False)
    assert (main["share"], other["share"]) == ([0, 1, 2], [3, 4, 5])
    assert main["total"] == other["total"] == [2.0, 1.0]
    assert main["rows"] == other["rows"] == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert main["mask"] == [[True, True, True, False]] * 2 + [[True] * 4] * 2
    assert (main["gradient"], other["gradient"]) == ([[0, 1, 2], [5, 6, 7]], [[10, 11, 12, 13], [15, 16, 17, 18]])


def gradients_of(trainer):
    """The loss and the gradients of the first batch, with the random numbers of its step and process."""
    seed_step(trainer.seed, 1, process_number())
    loss = trainer.batch_loss(trainer.batch(0))
    loss.backward()
    trainer.join_gradients()
    named = trainer.model.named_parameters()
    return {"loss": loss.detach()} | {key: part.grad for key, part in named if part.grad is not None}


def assert_same_gradients(found, expected):
    smallest = 1e-2 * max(gradient.norm() for gradient in expected.values())  # keys' biases: 0 but for rounding
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        difference = (found[key] - gradient).norm() / gradient.norm().clamp(min=smallest)
        assert difference < 1e-5, (key, difference)


@pytest.mark.parametrize("name", SETUPS)
def test_two_processes_have_the_gradients_of_one(name, make_trainer, tmp_path, torch):
    trainer = make_trainer(**SETUPS[name], training__dropout=0.0)
    run_in_processes(2, lambda: torch.save(gradients_of(trainer), tmp_path / f"{process_number()}.pt"))
    alone = gradients_of(trainer)
    for number in range(2):
        assert_same_gradients(torch.load(tmp_path / f"{number}.pt"), alone)


def test_the_same_dropout_masks_come_back_in_each_of_two_processes(make_trainer, monkeypatch, tmp_path, torch):
    """Gradient caching against the same chunks, but with all that was computed kept."""
    settings = {"loss": "in_batch_nll", "training__dropout": 0.3}
    monkeypatch.setitem(batches.CHUNK_TOKENS, "cpu", 70)
    trainers = {tokens: make_trainer(**settings, training__chunk_tokens=tokens) for tokens in (None, 70)}

    def write():
        found = {tokens: gradients_of(trainer) for tokens, trainer in trainers.items()}
        torch.save(found, tmp_path / f"{process_number()}.pt")

    run_in_processes(2, write)
    for number in range(2):
        found = torch.load(tmp_path / f"{number}.pt")
        assert_same_gradients(found[70], found[None])


def test_two_processes_train_validate_and_stop_early_as_one(make_settings, train, tmp_path):
    settings = make_settings(
        **TAS_BALANCED,
        training__steps=400,
        training__dropout=0.0,
        training__validate_every=2,
        training__patience=1,
        training__accumulate=2,
        training__gradient_clipping=1.0,
    )
    one = curve(train(settings, tmp_path / "one"))
    two = curve(train(settings, tmp_path / "two", processes=2))
    assert one[-1]["step"] < 400
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, rel=1e-4)
    assert sorted(file.name for file in (tmp_path / "two").iterdir()) == sorted(
        file.name for file in (tmp_path / "one").iterdir()
    )


def test_two_processes_drop_out_differently_but_the_same_in_every_run(
    make_settings, make_trainer, train, tmp_path, torch
):
    few = {"training__steps": 3, "training__dropout": 0.3}
    folders = [train(make_settings(**few), tmp_path / str(place), processes=2) for place in range(2)]
    assert weights(folders[0]) == weights(folders[1])

    def write_seed():
        make_trainer(training__dropout=0.3).step()
        (tmp_path / f"seed-{process_number()}").write_text(str(torch.initial_seed()))

    run_in_processes(2, write_seed)
    assert (tmp_path / "seed-0").read_text() != (tmp_path / "seed-1").read_text()


class OddError(Exception):
    """Can be pickled, but not brought back: it needs two arguments."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def test_an_error_that_cannot_travel_arrives_as_one_that_says_the_same():
    def fail():
        raise OddError("this", "that")

    with pytest.raises(RuntimeError, match=r"^OddError: this and that$"):
        run_in_processes(2, fail)


def test_a_training_of_two_processes_whose_parent_is_killed_resumes_bit_by_bit(make_settings, train, tmp_path, torch):
    """The orphans end themselves, or they would go on and write beside the next run."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    settings = make_settings(training__steps=8, training__validate_every=2, training__patience=3)
    whole = train(settings, tmp_path / "whole", processes=2)
    killed = tmp_path / "killed"
    parent = os.fork()
    if parent == 0:
        steps = []

        def kill_parent_at_step_4(*_):
            steps.append(1)
            if len(steps) == 4 and is_main():
                (tmp_path / "main").write_text(str(os.getpid()))
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(LONGEST_SECONDS)

        register_optimizer_step_post_hook(kill_parent_at_step_4)
        train(settings, killed, processes=2, save_seconds=0.0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == -signal.SIGKILL
    ends = time.monotonic() + 10
    while is_running(int((tmp_path / "main").read_text())) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not is_running(int((tmp_path / "main").read_text()))
    assert not (killed / "model.safetensors").exists()
    log = logging.FileHandler(tmp_path / "log.txt")
    logging.getLogger().addHandler(log)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        train(settings, killed, processes=2)
    finally:
        logging.getLogger().removeHandler(log)
        logging.getLogger().setLevel(level)
    assert (tmp_path / "log.txt").read_text().count("resuming after step 3") == 1  # only the main process logs
    assert weights(killed) == weights(whole)
    assert curve(killed) == curve(whole)
    assert not (killed / "resume").exists()


def is_running(process):
    """Whether there is such a process, and no mere remains of one that its new parent has not yet noticed."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_in_vain():
    time.sleep(LONGEST_SECONDS)


def gather_in_vain():
    total(np.zeros(1), "cpu")


@pytest.mark.parametrize("other", [wait_in_vain, gather_in_vain])
def test_a_failure_in_one_process_ends_all_with_its_own_error_and_traceback(other):
    sentence = "the second has no more" + 100_000 * "!"  # more than a pipe holds

    def fail_in_the_second():
        if process_number() == 1:
            raise ValueError(sentence)
        other()

    with pytest.raises(ValueError, match="the second has no more") as caught:
        run_in_processes(2, fail_in_the_second)
    assert str(caught.value) == sentence
    assert "In process 1 of 2:" in caught.value.__notes__[0]
    assert "fail_in_the_second" in caught.value.__notes__[0]


@pytest.mark.parametrize("other", [wait_in_vain, gather_in_vain])
def test_a_process_that_is_killed_ends_all_with_one_sentence(other):
    def die():
        if process_number() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        other()

    with pytest.raises(RuntimeError, match=r"^one of the 2 processes was killed; .*memory\.$"):
        run_in_processes(2, die)


def test_a_loss_that_is_not_a_number_stops_both_with_one_sentence(make_settings, train, tmp_path):
    settings = make_settings(training__learning_rate=1e18, training__schedule="constant", training__warmup_steps=0)
    with pytest.raises(ValueError, match=r"^training: the loss is (nan|inf) at step \d+ \(learning rate 1\.0e\+18\)"):
        train(settings, tmp_path / "model", processes=2)
    assert not (tmp_path / "model" / "model.safetensors").exists()


def test_only_the_processes_look_for_gpus_and_too_few_stop_with_one_sentence(
    make_settings, train, tmp_path, monkeypatch, torch
):
    """A process that has touched a GPU cannot be forked."""
    parent = os.getpid()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: os.getpid() != parent or pytest.fail("before the fork"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"^training: 2 processes need as many GPUs, but there are 1; lower the gpu "):
        train(make_settings(), tmp_path / "model", processes=2)
    assert not (tmp_path / "model").exists()


def test_a_training_of_one_process_is_resumed_by_two(make_settings, train, tmp_path):
    from stillroom.training import Trainer

    settings = make_settings(training__steps=6, training__dropout=0.0, training__validate_every=2)
    whole = train(settings, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "is_stopped", property(lambda trainer: trainer.progress.step == 3 and stop()))
        with pytest.raises(KeyboardInterrupt):
            train(settings, tmp_path / "model", save_seconds=0.0)
    train(settings, tmp_path / "model", processes=2)
    for expected, found in zip(curve(whole), curve(tmp_path / "model"), strict=True):
        assert found == pytest.approx(expected, rel=1e-4)


def stop():
    raise KeyboardInterrupt


def test_batches_that_cannot_be_shared_evenly_stop_before_anything_is_read(make_settings, train, tmp_path):
    with pytest.raises(ValueError, match=r"^training: 3 processes cannot share batches of 8 evenly; change batch_size"):
        train(make_settings(), tmp_path / "model", processes=3, inputs={})
    assert not (tmp_path / "model").exists()
