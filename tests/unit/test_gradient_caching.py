"""Gradient caching: the gradients of the whole batch, from one chunk after the other."""

import numpy as np
import pytest

from stillroom import batches

IN_BATCH_DISTILLATION = {
    "loss": "margin_mse",
    "teacher": "cross",
    "in_batch": {"loss": "margin_mse", "teacher": "tokens", "weight": 0.75},
}
SETUPS = {
    "bert_dot": {"loss": "in_batch_nll"},
    "bert_dot of cosines": {"loss": "in_batch_nll", "pooling": "mean", "normalize": True, "temperature": 0.05},
    "bert_dot in-batch distillation": IN_BATCH_DISTILLATION,
    "bert_dot pairs": {"loss": "ranknet"},
    "dpr": {"loss": "in_batch_nll", "architecture": "dpr"},
    "colbert": {"loss": "in_batch_nll", "architecture": "colbert", "dimensions": 8},
    "tk": {"loss": "in_batch_nll", "architecture": "tk"},
    "bert_cat": {"loss": "ranknet", "architecture": "bert_cat"},
    "prettr": {"loss": "ranknet", "architecture": "prettr", "join_layer": 1},
}
VARIANTS = {
    "bert_dot cls": {"pooling": "cls"},
    "bert_dot mean": {"pooling": "mean"},
    "dpr": {"architecture": "dpr"},
}
TOKENS = 70  # of two passages or five queries of the small collection


def gradients(trainer, torch):
    """The loss and the gradients of the first batch, with the random numbers of the first step."""
    torch.manual_seed(4)
    loss = trainer.batch_loss(trainer.batch(0))
    loss.backward()
    parts = trainer.model.named_parameters()
    return {"loss": loss.detach()} | {name: part.grad for name, part in parts if part.grad is not None}


def largest_difference(found, expected):
    """The largest relative difference; of keys' biases, which are 0 but for rounding, beside all others."""
    assert found.keys() == expected.keys()
    smallest = 1e-2 * max(gradient.norm() for gradient in expected.values())
    return max(
        ((found[name] - gradient).norm() / gradient.norm().clamp(min=smallest)).item()
        for name, gradient in expected.items()
    )


@pytest.fixture
def in_float64(monkeypatch, torch):
    """A function that has a trainer compute in float64, so that nothing but an error makes a difference."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # what upholds float32 elsewhere

    def convert(trainer):
        for model in (trainer.model, trainer.in_batch_teacher):
            if model is not None:
                model.double()
        return trainer

    return convert


@pytest.mark.parametrize("name", SETUPS)
def test_gradients_are_those_of_the_whole_batch_at_once(name, make_trainer, in_float64, torch):
    changes = {**SETUPS[name], "training__dropout": 0.0}
    expected = gradients(in_float64(make_trainer(**changes)), torch)
    assert expected["loss"].dtype == torch.float64
    found = gradients(in_float64(make_trainer(**changes, training__chunk_tokens=TOKENS)), torch)
    assert largest_difference(found, expected) < 1e-10


@pytest.mark.parametrize("name", ["bert_dot in-batch distillation", "dpr", "tk", "prettr"])
def test_the_same_dropout_masks_come_back(name, make_trainer, in_float64, monkeypatch, torch):
    """Against the same chunks, but with all that was computed kept."""
    changes = {**SETUPS[name], "training__dropout": 0.3}
    found = gradients(in_float64(make_trainer(**changes, training__chunk_tokens=TOKENS)), torch)
    after = torch.rand(3)
    monkeypatch.setitem(batches.CHUNK_TOKENS, "cpu", TOKENS)
    assert largest_difference(found, gradients(in_float64(make_trainer(**changes)), torch)) < 1e-10
    assert torch.equal(torch.rand(3), after)  # and the second time leaves no trace in the random numbers


def test_half_precision_comes_back(make_trainer, monkeypatch, torch):
    changes = {"loss": "in_batch_nll", "architecture": "dpr", "training__precision": "bf16"}
    found = gradients(make_trainer(**changes, training__chunk_tokens=TOKENS), torch)
    monkeypatch.setitem(batches.CHUNK_TOKENS, "cpu", TOKENS)
    assert largest_difference(found, gradients(make_trainer(**changes), torch)) < 1e-5


def events_of_backward(trainer):
    """What happens in an encoder's layer after the loss is known: chunks that are computed, and their gradients."""
    events = []

    def watch(module, given, found):
        events.append(len(found))
        if found.requires_grad:
            found.register_hook(lambda gradient: events.append("gradient"))

    trainer.model.encoder.encoder.layer[1].intermediate.dense.register_forward_hook(watch)
    loss = trainer.batch_loss(trainer.batch(0))
    before = events.copy()
    events.clear()
    loss.backward()
    return before, events


def test_chunks_are_computed_again_one_after_the_other(make_trainer):
    before, events = events_of_backward(make_trainer(loss="in_batch_nll", training__chunk_tokens=TOKENS))
    assert sum(before) == 8 + 16  # queries and passages
    assert len(before) >= 8
    assert events[1::2] == ["gradient"] * len(before)
    assert sorted(events[::2]) == sorted(before)


def test_nothing_is_computed_again_without_gradient_caching(make_trainer):
    before, events = events_of_backward(make_trainer(loss="in_batch_nll"))
    assert sum(before) == 8 + 16
    assert events == ["gradient"] * len(before)


def kept_bytes(trainer, torch):
    """What the forward pass keeps for the gradient, weights aside."""
    weights, kept = {part.untyped_storage().data_ptr() for part in trainer.model.parameters()}, {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = trainer.batch_loss(trainer.batch(0))
    assert loss.requires_grad  # and all that is kept is still there
    return sum(kept.values())


def test_of_the_forward_pass_little_more_than_the_representations_is_kept(make_trainer, torch):
    settings = {"loss": "in_batch_nll", "training__batch_size": 16}
    whole = kept_bytes(make_trainer(**settings), torch)
    chunked = kept_bytes(make_trainer(**settings, training__chunk_tokens=TOKENS), torch)
    assert chunked < 0.05 * whole
    assert chunked >= 4 * 32 * (16 + 32)  # the representations themselves


@pytest.mark.parametrize("chunk_tokens", [None, TOKENS])
@pytest.mark.parametrize("name", VARIANTS)
def test_representations_keep_nothing_else_in_memory(name, chunk_tokens, make_ranker, texts, monkeypatch, torch):
    """A view of a chunk's hidden states would keep the vectors of all tokens."""
    ranker, kept = make_ranker(**VARIANTS[name], training__chunk_tokens=chunk_tokens).train(), []
    chunk_results = ranker.chunk_results

    def watched(inputs, forward):
        results = chunk_results(inputs, forward)
        kept.extend(chunk for _, chunk in results)
        return results

    monkeypatch.setattr(ranker, "chunk_results", watched)
    ranker.encode_passages(texts.passage_tokens.take(np.arange(12)))
    storages = {storage.data_ptr(): storage.nbytes() for storage in (vector.untyped_storage() for vector in kept)}
    assert sum(map(len, kept)) == 12
    assert sum(storages.values()) == sum(vector.numel() * vector.element_size() for vector in kept) == 12 * 32 * 4


def test_with_gradient_checkpoints_too_the_gradients_are_the_same(make_trainer, in_float64, torch):
    changes = {"loss": "in_batch_nll", "architecture": "dpr", "training__dropout": 0.0}
    expected = gradients(in_float64(make_trainer(**changes)), torch)
    both = make_trainer(**changes, training__chunk_tokens=TOKENS, training__gradient_checkpointing=True)
    assert largest_difference(gradients(in_float64(both), torch), expected) < 1e-10


def test_steps_of_several_batches_are_clipped_and_taken_as_without(make_trainer, torch):
    changes = {
        "loss": "in_batch_nll",
        "training__dropout": 0.0,
        "training__batch_size": 4,
        "training__accumulate": 2,
        "training__gradient_clipping": 0.5,
    }
    losses = {}
    for chunk_tokens in (None, TOKENS):
        trainer = make_trainer(**changes, training__chunk_tokens=chunk_tokens)
        losses[chunk_tokens] = []
        for _ in range(4):
            losses[chunk_tokens].append(trainer.step())
            trainer.progress.step += 1
    assert losses[TOKENS] == pytest.approx(losses[None], rel=1e-4)


def test_validation_and_teachers_are_computed_once(make_trainer, torch):
    trainer = make_trainer(**IN_BATCH_DISTILLATION, training__chunk_tokens=TOKENS)
    assert trainer.model.cached_tokens == TOKENS
    assert trainer.in_batch_teacher.cached_tokens is None
    with torch.no_grad():
        assert trainer.model.cached_tokens is None
    assert trainer.model.eval().cached_tokens is None


def test_dropout_masks_come_back_on_a_gpu(make_trainer, monkeypatch, torch):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    changes = {"loss": "in_batch_nll", "training__dropout": 0.3}
    chunked, whole = make_trainer(**changes, training__chunk_tokens=TOKENS), make_trainer(**changes)
    for trainer in (chunked, whole):
        trainer.model.cuda()
    found = gradients(chunked, torch)
    monkeypatch.setitem(batches.CHUNK_TOKENS, "cuda", TOKENS)
    assert largest_difference(found, gradients(whole, torch)) < 1e-5


def test_a_text_longer_than_a_chunk_is_a_chunk_of_its_own(make_trainer, in_float64, torch):
    changes = {"loss": "in_batch_nll", "training__dropout": 0.0}
    expected = gradients(in_float64(make_trainer(**changes)), torch)
    found = gradients(in_float64(make_trainer(**changes, training__chunk_tokens=1)), torch)
    assert largest_difference(found, expected) < 1e-10
