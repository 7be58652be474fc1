"""Batches as the samplers draw them, without a training: what the margins of their triples are."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.groups import grouped
from stillroom.samplers.random import random
from stillroom.samplers.tas import tas
from stillroom.samplers.tas_balanced import tas_balanced
from stillroom.triples import read_triples

logger = logging.getLogger(__name__)

SAMPLERS = {"random": random, "tas": tas, "tas_balanced": tas_balanced}
BATCHES = 200


def draw_batches(
    *,
    settings: dict,
    seed: int,
    triples_path: str | Path,
    teacher_scores_path: str | Path,
    clusters_path: str | Path,
    batches_path: str | Path,
) -> None:
    """Write sampler, batch and margin of every triple, or group of such, in each sampler's first batches.

    With the seed of a training these are the batches of that training, where it has the sampler.
    """
    triples = read_triples(triples_path, teacher_scores_path=teacher_scores_path, clusters_path=clusters_path)
    groups = grouped(triples, settings["positives"], settings["negatives"])
    margins, parts = groups.margins, []
    for name, sampler in SAMPLERS.items():
        batch = sampler(groups, batch_size=settings["batch_size"], seed=seed)
        rows = [batch(step) for step in range(BATCHES)]
        parts.append(batch_table(name, [margins[each] for each in rows]))
        logger.info("%s: mean margin %.3f in %d batches", name, np.mean(parts[-1]["margin"].to_numpy()), BATCHES)
    with atomic_path(batches_path) as path:
        pq.write_table(pa.concat_tables(parts), path)


def batch_table(sampler: str, margins: list[np.ndarray]) -> pa.Table:
    """The rows of one sampler's batches."""
    batch = np.repeat(np.arange(len(margins), dtype=np.int32), [len(each) for each in margins])
    columns = {"sampler": [sampler] * len(batch), "batch": batch, "margin": np.concatenate(margins).astype(np.float32)}
    return pa.table(columns)
