"""Steps of Margin-MSE, beside the SentenceTransformerTrainer with its MarginMSELoss.

Both train the embedded encoder on the same triples with AdamW, without dropout, so that the losses can be compared;
the peer takes batches in their order, and so does ours here.
"""

import time
from pathlib import Path

import made_up
import models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
STEPS, BATCH, WARM_UP = {"cpu": (8, 32, 2), "cuda": (100, 32, 20)}[DEVICE]
LEARNING_RATE = 1e-5
TRAINING = {
    "batch_size": BATCH,
    "learning_rate": LEARNING_RATE,
    "dropout": 0.0,
    "optimizer": "adamw",
    "weight_decay": 0.0,
}


def prepare(folder: Path, scale: float) -> None:
    from stillroom.tokenization import tokenize_passages

    triples = steps_of(scale) * BATCH
    queries = made_up.write_triples(folder / "triples.parquet", triples)
    made_up.write_passages(folder / "passages.parquet", triples + queries)
    made_up.write_queries(folder / "queries.parquet", queries)
    scores = np.random.default_rng(5).normal(0, 3, (2, triples)).astype(np.float32)
    pq.write_table(pa.table(dict(zip(["pos_score", "neg_score"], scores, strict=True))), folder / "scores.parquet")
    tokenize_passages(
        passages_path=folder / "passages.parquet",
        weights=models.WEIGHTS,
        revision=None,
        tokens_folder=folder / "tokens",
    )
    settings = models.settings_of(
        {"architecture": "bert_dot", "pooling": "mean", "loss": "margin_mse", "teacher": "it"},
        {**TRAINING, "steps": steps_of(scale)},
    )
    models.save_new(settings, folder / "model")


def steps_of(scale: float) -> int:
    return max(WARM_UP + 2, round(STEPS * scale))


def in_order(rows: int):
    """Batches in the order of the triples."""
    return lambda number: np.arange(number * BATCH, (number + 1) * BATCH) % rows


def train(folder: Path) -> tuple[int, float]:
    """Steps after the first ones, and their seconds."""
    from stillroom.ranker import load_ranker
    from stillroom.token_store import open_tokens
    from stillroom.tokenization import tokenize_queries
    from stillroom.training import Trainer
    from stillroom.triples import read_triples

    model = load_ranker(folder / "model").train()
    triples = read_triples(folder / "triples.parquet", teacher_scores_path=folder / "scores.parquet")
    queries, passages = tokenize_queries(model.tokenizer, folder / "queries.parquet"), open_tokens(folder / "tokens")
    trainer = Trainer(model, model.settings, 1, triples, queries, passages)
    trainer.batch = in_order(len(triples.query))
    times, losses = [], []
    for step in range(len(triples.query) // BATCH):
        trainer.progress.step = step
        times.append(time.perf_counter())
        losses.append(trainer.step())
    times.append(time.perf_counter())
    np.save(folder / "ours.npy", losses)
    return len(losses) - WARM_UP, times[-1] - times[WARM_UP]


def train_with_peer(folder: Path) -> tuple[int, float]:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.sentence_transformer.losses import MarginMSELoss
    from transformers import TrainerCallback

    times = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            times.append(time.perf_counter())

    queries, passages = (made_up.read_texts(folder / f"{name}.parquet") for name in ("queries", "passages"))
    triples, scores = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("triples", "scores"))
    margins = np.array(scores["pos_score"]) - np.array(scores["neg_score"])
    columns = {
        "query": [queries[row] for row in triples["query"]],
        "positive": [passages[row] for row in triples["positive"]],
        "negative": [passages[row] for row in triples["negative"]],
        "label": margins.astype(np.float64).tolist(),
    }
    model = SentenceTransformer(str(folder / "model"), device=DEVICE)
    arguments = Arguments(
        output_dir=str(folder / "peer"),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=0.0,
        logging_steps=1,
        save_strategy="no",
        batch_sampler=in_order_for_peer,
        report_to=[],
        disable_tqdm=True,
        use_cpu=DEVICE == "cpu",
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=MarginMSELoss(model),
        callbacks=[Clock()],
    )
    trainer.train()
    np.save(folder / "peer.npy", [line["loss"] for line in trainer.state.log_history if "loss" in line])
    return len(times) - WARM_UP, times[-1] - times[WARM_UP - 1]


def in_order_for_peer(dataset, batch_size: int, drop_last: bool, **_):
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)


def difference(folder: Path, scale: float) -> dict:
    """The largest relative difference of a step's loss; both print about four digits."""
    ours, peer = np.load(folder / "ours.npy"), np.load(folder / "peer.npy")
    return {"difference": float(np.abs(ours / peer - 1).max())}


STAGES = {
    "train step": {
        "prepare": prepare,
        "ours": train,
        "peer": train_with_peer,
        "difference": difference,
        "tolerance": 1e-3,
        "peer_name": "SentenceTransformerTrainer",
        "unit": "steps/s",
    },
}
