"""Rankers at work: half precision, and what a GPU with too little memory says."""

import re

import numpy as np
import pytest


def test_vectors_and_scores_of_half_precision_are_close(variant, make_ranker, texts, torch):
    """On a CPU, which computes bfloat16 as a GPU does, only slower."""
    from stillroom.inference import lowered

    queries, passages = texts.query_tokens.take(range(24)), texts.passage_tokens.take(range(24))
    with torch.inference_mode():
        expected = make_ranker(**variant).score(queries, passages)
        ranker = lowered(make_ranker(**variant), torch.bfloat16)
        found = ranker.score(queries, passages)
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    assert np.corrcoef(found, expected)[0, 1] > 0.98


def test_prepacked_layers_compute_the_same(variant, make_ranker, texts, torch):
    from stillroom.inference import encoders_of
    from stillroom.prepacked_layers import PrepackedLinear, prepack_layers

    queries, passages = texts.query_tokens.take(range(24)), texts.passage_tokens.take(range(24))
    ranker = make_ranker(**variant)
    with torch.inference_mode():
        expected = ranker.score(queries, passages)
        for encoder in encoders_of(ranker):
            linear = sum(type(part) is torch.nn.Linear for part in encoder.modules())
            prepack_layers(encoder)
            packed = [type(part) for part in encoder.modules()]
            assert (packed.count(PrepackedLinear), packed.count(torch.nn.Linear)) == (linear, 0)
        found = ranker.score(queries, passages)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_layers_that_parts_share_are_prepacked_once(torch):
    from stillroom.prepacked_layers import prepack_layers

    layer = torch.nn.Linear(8, 8, bias=False)
    model = torch.nn.Sequential(layer, torch.nn.Sequential(layer, torch.nn.Linear(8, 2)))
    inputs = torch.randn(3, 5, 8)
    with torch.inference_mode():
        expected = model(inputs)
        prepack_layers(model)
        torch.testing.assert_close(model(inputs), expected)
    assert model[0] is model[1][0]


def test_half_precision_without_a_gpu_stops(save_ranker, torch):
    from stillroom.inference import Inference, ranker_at_work

    with pytest.raises(ValueError, match=r"^inference: precision is fp16, but there is no GPU, .* to fp32\.$"):
        ranker_at_work(save_ranker(), threads=1, inference=Inference(precision="fp16"))


def test_too_little_memory_on_a_gpu_ends_in_one_sentence_that_names_the_setting(
    save_ranker, collection, monkeypatch, tmp_path, torch
):
    from stillroom import encoding

    def fail(model, passages, rows):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(encoding, "encode_window", fail)
    with pytest.raises(RuntimeError) as failure:
        encoding.encode_passages(
            model_folder=save_ranker(),
            tokens_folder=collection / "tokens",
            vectors_path=tmp_path / "vectors.npy",
            threads=1,
            code="code",
        )
    sentence = r"the memory of the GPU is too small; lower the resource gpu_tokens, .*\(65,536 unless .* profiles/gpu\."
    assert re.fullmatch(sentence, str(failure.value))


def test_too_little_memory_in_a_training_names_the_settings_of_trainings(
    make_settings, collection, monkeypatch, tmp_path, torch
):
    from stillroom import training

    def fail(trainer):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(training.Trainer, "step", fail)
    files = {"queries": "queries.parquet", "triples": "triples.parquet", "tokens": "tokens/tokens.json"}
    inputs = {name: collection / file for name, file in files.items()}
    with pytest.raises(RuntimeError, match=r"too small; set gradient_checkpointing .* raise accumulate\.$"):
        training.train_ranker(
            settings=make_settings(), seed=1, code="code", threads=1, inputs=inputs, model_folder=tmp_path
        )


@pytest.mark.parametrize("gpu_tokens", [None, 100])
def test_on_a_gpu_the_longest_texts_are_tried_first(gpu_tokens, make_ranker, monkeypatch, torch):
    """The device is made up: what is computed is the CPU's."""
    from stillroom import batches, encoding, scoring

    ranker, seen = make_ranker(architecture="bert_cat"), []
    tokens = gpu_tokens or batches.USE_TOKENS["cpu"]
    monkeypatch.setattr(type(ranker), "tokens_in_use", tokens)

    def watch(model, queries, passages, query_rows, passage_rows):
        lengths = [[len(text) for text in texts.take(query_rows)] for texts in (queries, passages)]
        seen.append(lengths)

    monkeypatch.setattr(scoring, "score_window", watch)
    scoring.try_longest(ranker)
    assert seen == [[[limit - 1, *[limit] * (tokens // 44 - 1)] for limit in (12, 32)]]

    monkeypatch.setattr(encoding, "encode_window", lambda _, passages, rows: seen.append(passages.take(rows)))
    encoding.try_longest(ranker)
    assert [len(text) for text in seen[1]] == [31, *[32] * (tokens // 32 - 1)]


def test_the_longest_texts_can_be_scored(variant, make_ranker, monkeypatch, torch):
    from stillroom import scoring

    ranker = make_ranker(**variant)
    monkeypatch.setattr(type(ranker), "window", 10)
    scoring.try_longest(ranker)


@pytest.mark.parametrize("changes", [{}, {"loss": "in_batch_nll"}, {"training__passage_tokens": 20}])
def test_a_training_tries_its_longest_batch_and_learns_nothing_from_it(
    changes, make_trainer, watched_encoder, monkeypatch, torch
):
    from stillroom.training import Ranker

    trainer, lengths = make_trainer(**changes), set()
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    texts = trainer.queries, trainer.passages
    in_chunks = Ranker.chunk_results

    def watch(model, inputs, forward):
        lengths.update(map(len, inputs))
        return in_chunks(model, inputs, forward)

    monkeypatch.setattr(Ranker, "chunk_results", watch)
    trainer.try_longest()
    assert lengths == {12, changes.get("training__passage_tokens", 32)}
    assert all(parameter.grad is None for parameter in trainer.model.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in trainer.model.state_dict().items())
    assert (trainer.queries, trainer.passages) == texts


def test_scores_are_the_same_for_any_number_of_threads(variant, make_ranker, texts, torch):
    ranker = make_ranker(**variant)
    queries, passages = texts.query_tokens.take(range(24)), texts.passage_tokens.take(range(24))
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                found.append(ranker.score(queries, passages))
        finally:
            torch.set_num_threads(1)
    assert torch.equal(*found)
