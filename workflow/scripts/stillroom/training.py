"""The training loop: any ranker, any loss, any sampler; resumable, with validation and early stopping.

Every random choice is a function of (seed, step), so an interrupted training that is resumed ends with bit-identical
weights on a CPU at the same number of threads.
Shape suffixes: B = triples of the batch, Q = its queries.
"""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stillroom.dual_encoder import DualEncoder
from stillroom.learning_rate import parameter_groups, schedule
from stillroom.log import ProgressMeter
from stillroom.losses._in_batch import in_batch
from stillroom.model_folder import write_model
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
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Train a ranker on triples and write its folder: weights, config, tokenizer, training.jsonl.

    `inputs` are paths: queries, triples and tokens (a file of the token store); where the settings ask for them,
    teacher_scores, clusters, in_batch_teacher (its weights), and validation_queries, validation_qrels,
    validation_run with passages. Settings, seed, threads, `code` (a digest) and the contents of the inputs decide
    whether an interrupted training may be resumed.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads memory before it is written
    inputs = {name: Path(path) for name, path in inputs.items()}
    model_folder = Path(model_folder)
    seed_step(seed, 0)
    model = named("architectures", settings.architecture).new(settings).to(best_device()).train()
    identity = {"code": code, "seed": seed, "threads": threads, **settings_to_dict(settings)}
    resume = ResumeFolder(model_folder / "resume", identity=identity, inputs=inputs)
    trainer = Trainer(model, settings, seed, **read_inputs(inputs, model.tokenizer))
    log_cut_passages(trainer.passages.lengths + 2, model.passage_tokens)  # [CLS] and [SEP]
    trainer.run(resume, save_seconds)
    write_model(model, model_folder, trainer.progress.curve)
    resume.remove()


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
        in_batch_teacher = load_ranker(inputs["in_batch_teacher"].parent)
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
        self.triples, self.queries, self.passages = triples, queries, passages
        self.validation, self.in_batch_teacher = validation, in_batch_teacher
        self.loss = named("losses", settings.loss)
        self.in_batch_loss = named("losses", settings.in_batch.loss) if settings.in_batch else None
        self.batch = named("samplers", settings.sampler)(triples, batch_size=training.batch_size, seed=seed)
        self.factor = schedule(training.schedule, steps=training.steps, warmup_steps=training.warmup_steps)
        groups = parameter_groups(model, training)
        self.optimizer = torch.optim.AdamW(
            groups, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        self.best_weights: dict[str, torch.Tensor] = {}
        self.progress = Progress()

    def run(self, resume: ResumeFolder, save_seconds: float) -> None:
        """Train from the start or from the resumable state to the last step, and take the best weights."""
        resume.restore(self)
        training = self.settings.training
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
            if time.monotonic() - saved >= save_seconds:
                resume.save(self)
                saved = time.monotonic()
        meter.finish()
        if self.best_weights:
            logger.info("best nDCG@10 %.4f at step %d", self.progress.best_ndcg, self.progress.best_step)
            self.model.load_state_dict(self.best_weights)

    def step(self) -> float:
        """One optimizer step; the loss."""
        training, step = self.settings.training, self.progress.step
        seed_step(self.seed, step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self.factor(step)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.batch_loss(self.batch(step))
        if not math.isfinite(loss.item()):
            raise ValueError(
                f"training: the loss is {loss.item()} at step {step + 1} (learning rate "
                f"{self.optimizer.param_groups[0]['lr']:.1e}); lower the learning rate or set gradient_clipping."
            )
        loss.backward()
        if training.gradient_clipping is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.gradient_clipping)
        self.optimizer.step()
        return loss.item()

    def batch_loss(self, rows: np.ndarray) -> torch.Tensor:
        """The pairwise loss of the triples in these rows, and the weighted in-batch loss where there is one."""
        queries = self.queries.take(self.triples.query[rows])
        positives = self.passages.take(self.triples.positive[rows])
        negatives = self.passages.take(self.triples.negative[rows])
        teacher_B2 = None
        if self.triples.teacher_scores is not None:
            teacher_B2 = torch.as_tensor(self.triples.teacher_scores[rows], device=self.model.device).float()
        if self.in_batch_loss is None:
            return self.loss(self.model.score_triples(queries, positives, negatives), teacher_B2)
        student = self.model.score_all(queries, [*positives, *negatives]).chunk(2, dim=1)
        with torch.no_grad():
            teacher = self.in_batch_teacher.score_all(queries, [*positives, *negatives]).chunk(2, dim=1)
        pairwise = self.loss(torch.stack([scores_QQ.diagonal() for scores_QQ in student], dim=1), teacher_B2)
        return pairwise + self.settings.in_batch.weight * in_batch(self.in_batch_loss, student, teacher)

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


def seed_step(seed: int, step: int) -> None:
    """Make torch's random numbers (new layers, dropout) a function of seed and step."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1))
