"""The training loop: any ranker, any loss, any sampler; resumable, with validation and early stopping.

Every random choice is a function of (seed, step), dropout also of the process, so an interrupted training that is
resumed ends with bit-identical weights on a CPU at the same number of threads and processes.
Shape suffixes: B = groups of the batch, each a query with relevant passages and others; P = passages of a group, or of
all groups; Q = queries of the batch.
"""

import logging
import math
import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stillroom.batch_negatives import batch_negatives
from stillroom.data_parallel import (
    gather,
    is_main,
    process_count,
    process_number,
    run_in_processes,
    share,
    sum_gradients,
)
from stillroom.devices import claim_gpus
from stillroom.dual_encoder import DualEncoder
from stillroom.gpu_memory import memory_checked
from stillroom.groups import grouped
from stillroom.inference import OneText, encoders_of
from stillroom.learning_rate import parameter_groups, schedule
from stillroom.log import ProgressMeter
from stillroom.losses._choice import ranker_loss, with_settings
from stillroom.losses._in_batch import in_batch
from stillroom.model_folder import write_model
from stillroom.precision import PRECISIONS, check_precision
from stillroom.ranker import Ranker, best_device, load_ranker
from stillroom.registry import named
from stillroom.resume import ResumeFolder
from stillroom.settings import RankerSettings, settings_to_dict
from stillroom.token_store import Tokens, open_tokens
from stillroom.tokenization import tokenize_queries
from stillroom.triples import Triples, check_known, read_triples
from stillroom.validation import Validation, read_validation

logger = logging.getLogger(__name__)

CURVE_STEPS = 10  # steps per line of training.jsonl
SAVE_SECONDS = 60.0  # between two saves of the resumable state

LESS_MEMORY = (
    "set gradient_checkpointing in the training block or, where the batch is represented as a whole, chunk_tokens; or "
    "lower batch_size and raise accumulate"
)

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass
class Progress:
    """What a training remembers besides weights and optimizer: all of it goes into the resumable state."""

    step: int = 0
    curve: list[dict] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # since the last line of the curve
    best_ndcg: float = -1.0
    best_step: int = 0
    validations_without_gain: int = 0
    seconds: float = 0.0


def train_ranker(
    *,
    settings: RankerSettings,
    seed: int,
    code: str,
    threads: int,
    inputs: dict[str, str],
    model_folder: str | Path,
    processes: int = 1,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Train a ranker on triples and write its folder: weights, config, tokenizer, training.jsonl.

    `inputs` are paths: queries, triples and tokens (a file of the token store); where the settings ask for them,
    teacher_scores, clusters, in_batch_teacher (its weights), and validation_queries, validation_qrels,
    validation_run with passages. Settings, seed, `code` (a digest) and the contents of the inputs decide whether an
    interrupted training may be resumed. `threads` and `processes` are the machine's: several processes, one per GPU,
    share every batch, and what is learnt is the same but for rounding and dropout.
    """
    batch_size = settings.training.batch_size
    if batch_size % processes:
        raise ValueError(
            f"training: {processes} processes cannot share batches of {batch_size} evenly; change batch_size or the "
            "gpu resource of train_ranker."
        )
    inputs = {name: Path(path) for name, path in inputs.items()}
    claim_gpus(processes, more=int(processes == 1 and "in_batch_teacher" in inputs))
    run_in_processes(
        processes, partial(train_in_process, settings, seed, code, threads, inputs, Path(model_folder), save_seconds)
    )


def train_in_process(
    settings: RankerSettings,
    seed: int,
    code: str,
    threads: int,
    inputs: dict[str, Path],
    model_folder: Path,
    save_seconds: float,
) -> None:
    """What every process of a training does; the main one writes."""
    device = best_device()
    check_precision("training", settings.training.precision, device)
    torch.set_num_threads(max(1, threads // process_count()))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on a GPU need it
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads memory before it is written
    seed_step(seed, 0)
    model = named("architectures", settings.architecture).new(settings).to(device).train()
    resume = ResumeFolder(
        model_folder / "resume",
        identity={"code": code, "seed": seed, **settings_to_dict(settings)},
        inputs=inputs | files_beside(inputs),
        machine={"threads": threads, "processes": process_count()},
    )
    trainer = Trainer(model, settings, seed, **read_inputs(inputs, model.tokenizer))
    log_cut_passages(trainer.passages.lengths + 2, model.passage_tokens)  # [CLS] and [SEP]
    if process_count() > 1:
        share_size = settings.training.batch_size // process_count()
        logger.info("%d processes, each with %d groups of every batch", process_count(), share_size)
    with memory_checked(LESS_MEMORY):
        trainer.run(resume, save_seconds)
    if is_main():
        write_model(model, model_folder, trainer.progress.curve)
        resume.remove()


def files_beside(inputs: dict[str, Path]) -> dict[str, Path]:
    """What is read with an input that stands for a folder: token ids, and how the in-batch teacher scores."""
    files = {"token ids": inputs["tokens"].with_name("ids.bin")}
    if "in_batch_teacher" in inputs:
        files["settings of the in-batch teacher"] = inputs["in_batch_teacher"].with_name("ranker.json")
    return files


def read_inputs(inputs: dict[str, Path], tokenizer) -> dict:
    """What the trainer learns from, opened: triples, queries, passages, validation, in_batch_teacher."""
    triples = read_triples(
        inputs["triples"], teacher_scores_path=inputs.get("teacher_scores"), clusters_path=inputs.get("clusters")
    )
    queries, passages = tokenize_queries(tokenizer, inputs["queries"]), open_tokens(inputs["tokens"].parent)
    check_known(triples, len(queries), len(passages), inputs["triples"])
    validation = in_batch_teacher = None
    if "validation_run" in inputs:
        validation = read_validation(
            tokenizer,
            queries_path=inputs["validation_queries"],
            qrels_path=inputs["validation_qrels"],
            run_path=inputs["validation_run"],
            passages_path=inputs["passages"],
        )
    if "in_batch_teacher" in inputs:
        in_batch_teacher = load_ranker(inputs["in_batch_teacher"].parent, teacher_device())
        logger.info("the in-batch teacher computes on %s", in_batch_teacher.device)
        if in_batch_teacher.tokenizer.get_vocab() != tokenizer.get_vocab():
            raise ValueError(
                f"{inputs['in_batch_teacher'].parent}: the in-batch teacher reads the student's token ids, but has "
                "another vocabulary; give both the same encoder."
            )
    return {
        "triples": triples,
        "queries": queries,
        "passages": passages,
        "validation": validation,
        "in_batch_teacher": in_batch_teacher,
    }


def teacher_device() -> torch.device:
    """Where the in-batch teacher computes: on a second GPU where there is one, and no other process has it.

    Hofstätter et al. 2021 (arXiv:2104.06967): on a GPU of its own for batches of 96 and 256.
    """
    student = best_device()
    has_second = student.type == "cuda" and process_count() == 1 and torch.cuda.device_count() > 1
    return torch.device("cuda", 1) if has_second else student


def log_cut_passages(lengths: np.ndarray, limit: int) -> None:
    """Say how many passages of the collection are longer than what the ranker reads of them."""
    cut = int((lengths > limit).sum())
    logger.info("%s of %s passages are longer than %d tokens and are cut", f"{cut:,}", f"{len(lengths):,}", limit)


class Trainer:
    """One training run and its state."""

    def __init__(
        self,
        model: Ranker,
        settings: RankerSettings,
        seed: int,
        triples: Triples,
        queries: Tokens,
        passages: Tokens,
        validation: Validation | None = None,
        in_batch_teacher: DualEncoder | None = None,
    ):
        training = settings.training
        self.model, self.settings, self.seed = model, settings, seed
        self.queries, self.passages = queries, passages
        self.triples = grouped(triples, training.positives, training.negatives)
        self.validation, self.in_batch_teacher = validation, in_batch_teacher
        self.loss = ranker_loss(settings) if settings.loss else None
        self.batch_negatives = batch_negatives(settings.loss, self.triples, triples)
        self.in_batch_loss = with_settings(settings.in_batch.loss, settings) if settings.in_batch else None
        self.batch = named("samplers", settings.sampler)(self.triples, batch_size=training.batch_size, seed=seed)
        self.factor = schedule(
            training.schedule,
            steps=training.steps,
            warmup_steps=training.warmup_steps,
            minimum=training.minimum_learning_rate / training.learning_rate,
        )
        self.optimizer = OPTIMIZERS[training.optimizer](
            parameter_groups(model, training),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        )
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=training.precision == "fp16")
        for ranker in (model, in_batch_teacher) if in_batch_teacher else (model,):
            ranker.precision = PRECISIONS[training.precision]
        if training.gradient_checkpointing:
            checkpoint_gradients(model)
        self.best_weights: dict[str, torch.Tensor] = {}
        self.progress = Progress()

    def run(self, resume: ResumeFolder, save_seconds: float) -> None:
        """Train from the start or from the resumable state to the last step, and take the best weights."""
        resume.restore(self)
        training = self.settings.training
        if self.model.device.type == "cuda":
            self.try_longest()
        began = saved = time.monotonic()
        seconds_before = self.progress.seconds
        meter = ProgressMeter(total=training.steps, unit="steps", start=self.progress.step)
        while self.progress.step < training.steps and not self.is_stopped:
            loss = self.step()
            self.progress.losses.append(loss)
            self.progress.step += 1
            self.progress.seconds = seconds_before + time.monotonic() - began
            self.record()
            meter.advance(1, f"loss {loss:.4f}")
            if is_main() and time.monotonic() - saved >= save_seconds:
                resume.save(self)
                saved = time.monotonic()
        meter.finish()
        if self.best_weights:
            logger.info("best nDCG@10 %.4f at step %d", self.progress.best_ndcg, self.progress.best_step)
            self.model.load_state_dict(self.best_weights)

    def try_longest(self) -> None:
        """The gradient of a batch of the longest texts, which is thrown away: too little memory then shows at once."""
        queries, passages, limits = self.queries, self.passages, self.settings.encoder
        self.queries, self.passages = OneText(limits.query_tokens), OneText(self.model.passage_tokens)
        self.batch_loss(self.batch(0)).backward()
        self.optimizer.zero_grad(set_to_none=True)
        self.queries, self.passages = queries, passages

    def step(self) -> float:
        """One optimizer step; the mean loss of its batches.

        The mean of the gradients of several batches is the gradient of one joint batch, where the loss is a mean over
        groups. In-batch losses compare the texts of one batch with each other, and never those of two.
        """
        training, step = self.settings.training, self.progress.step
        seed_step(self.seed, step + 1, process_number())
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self.factor(step)
        self.optimizer.zero_grad(set_to_none=True)
        mean = 0.0
        for number in range(step * training.accumulate, (step + 1) * training.accumulate):
            loss = self.batch_loss(self.batch(number)) / training.accumulate
            self.check_finite(loss.item())
            self.scaler.scale(loss).backward()
            mean += loss.item()
        self.join_gradients()
        self.scaler.unscale_(self.optimizer)
        if training.gradient_clipping is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.gradient_clipping)
        self.scaler.step(self.optimizer)
        self.update_scale()
        return mean

    def join_gradients(self) -> None:
        """The gradients of all processes together. In-batch, each applies the kernels to the texts of all."""
        sum_gradients(self.model, whole=self.model.kernel_parameters() if self.compares_batch else ())

    @property
    def compares_batch(self) -> bool:
        """Whether queries are compared with the passages of the batch's other queries."""
        return self.in_batch_loss is not None or self.batch_negatives is not None

    def check_finite(self, loss: float) -> None:
        """Stop at a loss that is not a number."""
        if not math.isfinite(loss):
            fp16 = "set precision to bf16, " if self.scaler.is_enabled() else ""
            raise ValueError(
                f"training: the loss is {loss} at step {self.progress.step + 1} (learning rate "
                f"{self.optimizer.param_groups[0]['lr']:.1e}); {fp16}lower the learning rate or set gradient_clipping."
            )

    def update_scale(self) -> None:
        """fp16: the factor of the loss falls after gradients that overflowed, whose step was skipped, and rises later.

        Micikevicius et al. 2018 (arXiv:1710.03740), Sec. 3.2.
        """
        before = self.scaler.get_scale()
        self.scaler.update()
        now = self.scaler.get_scale()
        if now < before:
            step = self.progress.step + 1
            logger.info("step %d is skipped: gradients beyond fp16 at a loss scale of %g, now %g", step, before, now)
        if now < 1:
            raise ValueError(
                f"training: the gradients at step {self.progress.step + 1} are beyond fp16 even without a loss scale; "
                "set precision to bf16 or fp32."
            )

    def batch_loss(self, rows: np.ndarray) -> torch.Tensor:
        """The loss of the groups in these rows, the weighted in-batch loss, or the sum of both.

        With several processes too it is that of the whole batch: see `stillroom.data_parallel`.
        """
        own = share(rows)
        queries = self.queries.take(self.triples.query[own])
        passages = self.passages.take(np.concatenate([*self.triples.positive[own].T, *self.triples.negative[own].T]))
        teacher_BP = None
        if self.triples.teacher_scores is not None:
            teacher_BP = torch.as_tensor(self.triples.teacher_scores[rows], device=self.model.device).float()
        if not self.compares_batch:
            return self.loss(gather(self.model.score_groups(queries, passages)), teacher_BP)
        if self.in_batch_loss is not None:
            with torch.no_grad():  # first, so that a GPU of its own works while the student's does
                teacher_QP = self.in_batch_teacher.score_all(queries, passages, gather)
        student = by_kind(self.model.score_all(queries, passages, gather))
        terms = []
        if self.loss is not None:
            negatives = self.batch_negatives
            scores_BP = negatives.candidates(*student, rows) if negatives else own_scores(*student)
            terms.append(self.loss(scores_BP, teacher_BP))
        if self.in_batch_loss is not None:
            teacher = by_kind(teacher_QP.to(self.model.device))
            terms.append(self.settings.in_batch.weight * in_batch(self.in_batch_loss, student, teacher))
        return sum(terms)

    def record(self) -> None:
        """Every few steps a line of the curve, with the validation measures where they are due."""
        training, progress = self.settings.training, self.progress
        is_last = progress.step == training.steps
        is_due = training.validate_every and (progress.step % training.validate_every == 0 or is_last)
        if not (is_due or is_last or progress.step % CURVE_STEPS == 0):
            return
        line = {
            "step": progress.step,
            "loss": float(np.mean(progress.losses)),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": round(progress.seconds, 1),
        }
        progress.losses = []
        if is_due and self.validation:
            line |= self.validation.measure(self.model, self.passages)
            logger.info("step %d: loss %.4f, nDCG@10 %.4f", progress.step, line["loss"], line["nDCG@10"])
            self.keep_best(line["nDCG@10"])
        progress.curve.append(line)

    def keep_best(self, ndcg: float) -> None:
        """Remember the weights of the best validation, and count the validations since."""
        self.progress.validations_without_gain += 1
        if ndcg > self.progress.best_ndcg:
            self.progress.best_ndcg, self.progress.best_step = ndcg, self.progress.step
            self.progress.validations_without_gain = 0
            self.best_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    @property
    def is_stopped(self) -> bool:
        """Whether the patience is used up."""
        patience = self.settings.training.patience
        return patience is not None and self.progress.validations_without_gain >= patience


def by_kind(scores_QP: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(relevant_QQ, other_QP): of each process first come the relevant passages, then the first other ones, ….

    Among the other passages the first ones of all queries come before their second ones.
    """
    share_size = len(scores_QP) // process_count()
    kinds = scores_QP.unflatten(1, (process_count(), -1, share_size))
    return kinds[:, :, 0].flatten(1), kinds[:, :, 1:].transpose(1, 2).flatten(1)


def own_scores(relevant_QQ: torch.Tensor, other_QP: torch.Tensor) -> torch.Tensor:
    """scores_BP of each query's own passages, the relevant one first."""
    others_PB = other_QP.unflatten(1, (-1, len(other_QP))).diagonal(dim1=0, dim2=2)
    return torch.cat([relevant_QQ.diagonal()[:, None], others_PB.T], dim=1)


def checkpoint_gradients(model: Ranker) -> None:
    """Keep only what enters the layers of its encoders, and compute the rest once more for the gradient.

    Chen et al. 2016 (arXiv:1604.06174): less memory for about a third more time, and the same gradients.
    """
    encoders = encoders_of(model)
    if not encoders:
        raise ValueError(
            f"training: gradient_checkpointing has no effect on a {model.settings.architecture}; set it to false."
        )
    for encoder in encoders:
        encoder.activation_checkpointing_enable()


def seed_step(seed: int, step: int, process: int = 0) -> None:
    """Make torch's random numbers (new layers, dropout) a function of seed, step and process."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)[0] >> 1))
