"""Batch samplers, one file each.

Every sampler has the signature `sampler(triples, *, batch_size, seed) → batch`, and `batch(step)` are the rows of the
triples of that step. A batch is a function of (seed, step) alone: a resumed training needs no sampler state.
"""
