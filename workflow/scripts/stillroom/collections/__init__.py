"""Passages, queries, judgements and training triples of any ir_datasets id, the embedded `pydocs` among them."""
