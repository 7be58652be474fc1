"""Vectors of passages and queries."""

import numpy as np
import pytest

from stillroom.vectors import open_vectors


@pytest.fixture
def encoding(monkeypatch, torch):
    """The module with windows of 32 passages: the 120 of the collection make four."""
    from stillroom import batches, encoding

    monkeypatch.setitem(batches.WINDOW_TEXTS, "cpu", 32)
    return encoding


@pytest.fixture
def model_folder(save_ranker):
    return save_ranker(pooling="mean")


@pytest.fixture
def encode(encoding, collection):
    """A function that encodes the passages and reads the vectors."""

    def encode(model_folder, path):
        encoding.encode_passages(
            model_folder=model_folder, tokens_folder=collection / "tokens", vectors_path=path, threads=1, code="code"
        )
        return open_vectors(path)

    return encode


@pytest.fixture
def interrupt(encode, watched_encoder):
    """A function that encodes until the third window has begun."""

    def interrupt(model_folder, path):
        with watched_encoder(stop_after=64), pytest.raises(KeyboardInterrupt):
            encode(model_folder, path)
        assert not path.exists()

    return interrupt


def test_vectors_are_those_of_single_texts(
    encode, encoding, model_folder, make_ranker, collection, texts, tmp_path, torch
):
    ranker = make_ranker(pooling="mean")
    vectors = encode(model_folder, tmp_path / "passages.faiss")
    encoding.encode_queries(
        model_folder=model_folder,
        queries_path=collection / "queries.parquet",
        vectors_path=tmp_path / "queries.npy",
        threads=1,
    )
    with torch.inference_mode():
        passages = [ranker.encode_passages([texts.passage_tokens[row]])[0].numpy() for row in range(120)]
        queries = [ranker.encode_queries([texts.query_tokens[row]])[0].numpy() for row in range(24)]
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array(passages), rel=1e-4, abs=1e-5)
    assert np.load(tmp_path / "queries.npy") == pytest.approx(np.array(queries), rel=1e-4, abs=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "passages.faiss", "queries.npy"}


def test_an_interrupted_encoding_goes_on_at_the_last_finished_window(
    encode, interrupt, watched_encoder, model_folder, tmp_path, caplog
):
    expected = encode(model_folder, tmp_path / "whole.faiss")
    interrupt(model_folder, tmp_path / "vectors.faiss")
    caplog.set_level("INFO")
    with watched_encoder() as seen:
        resumed = encode(model_folder, tmp_path / "vectors.faiss")
    assert np.array_equal(resumed, expected)
    assert sum(seen) == 120 - 64
    assert "64 passages were encoded before" in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {"model", "whole.faiss", "vectors.faiss"}


def test_vectors_of_another_model_are_not_gone_on_with(encode, interrupt, model_folder, make_ranker, tmp_path, torch):
    interrupt(model_folder, tmp_path / "vectors.faiss")
    other = make_ranker(pooling="mean")
    with torch.no_grad():
        other.encoder.embeddings.LayerNorm.weight.mul_(1.1)
    other.save(model_folder)
    found = encode(model_folder, tmp_path / "vectors.faiss")
    assert np.array_equal(found, encode(model_folder, tmp_path / "fresh.faiss"))


def test_vectors_of_the_same_weights_with_another_pooling_are_not_gone_on_with(
    encode, interrupt, model_folder, save_ranker, tmp_path
):
    """An exported ranker keeps its weights when its pooling or length limit changes in the config."""
    interrupt(model_folder, tmp_path / "vectors.faiss")
    save_ranker(pooling="cls")
    found = encode(model_folder, tmp_path / "vectors.faiss")
    assert np.array_equal(found, encode(model_folder, tmp_path / "fresh.faiss"))


def test_a_job_killed_between_its_last_two_steps_can_run_again(encode, interrupt, model_folder, tmp_path):
    expected = encode(model_folder, tmp_path / "whole.faiss")
    interrupt(model_folder, tmp_path / "vectors.faiss")
    (unfinished,) = tmp_path.glob(".vectors.faiss-*/vectors.faiss")
    unfinished.unlink()  # moved to its place, and removed from there by the workflow manager as incomplete
    assert np.array_equal(encode(model_folder, tmp_path / "vectors.faiss"), expected)


def test_what_was_begun_by_other_code_is_removed_in_the_end(
    encode, interrupt, encoding, collection, model_folder, tmp_path
):
    """27 GB for MS MARCO."""
    interrupt(model_folder, tmp_path / "vectors.faiss")
    encoding.encode_passages(
        model_folder=model_folder,
        tokens_folder=collection / "tokens",
        vectors_path=tmp_path / "vectors.faiss",
        threads=1,
        code="another",
    )
    assert {path.name for path in tmp_path.iterdir()} == {"model", "vectors.faiss"}


def test_vectors_that_are_not_numbers_stop(encode, encoding, model_folder, make_ranker, collection, tmp_path, torch):
    broken = make_ranker(pooling="mean")
    with torch.no_grad():
        broken.encoder.embeddings.LayerNorm.bias[3] = float("nan")
    broken.save(model_folder)
    with pytest.raises(
        ValueError,
        match=r"vectors\.faiss: vector 0 is not finite; set precision to bf16 .* else train the ranker again\.$",
    ):
        encode(model_folder, tmp_path / "vectors.faiss")
    with pytest.raises(ValueError, match=r"queries\.npy: vector 0 is not finite"):
        encoding.encode_queries(
            model_folder=model_folder,
            queries_path=collection / "queries.parquet",
            vectors_path=tmp_path / "queries.npy",
            threads=1,
        )
    assert not (tmp_path / "vectors.faiss").exists() and not (tmp_path / "queries.npy").exists()


def test_the_first_broken_vector_is_named(encoding):
    vectors = np.ones((100, 4), np.float32)
    vectors[70, 2] = np.inf
    with pytest.raises(ValueError, match=r"^v\.npy: vector 1,070 is not finite"):
        encoding.check_finite(vectors, "v.npy", 1_000)


@pytest.fixture
def encode_shards(encoding, collection, model_folder, tmp_path):
    """A function that encodes some of three shards as the rule does, and returns their stamps."""

    def encode_shards(*numbers, **changes):
        stamps = [tmp_path / "shards" / f"{number}.json" for number in numbers]
        for number, stamp in zip(numbers, stamps, strict=True):
            settings = {"model_folder": model_folder, "tokens_folder": collection / "tokens", "threads": 1}
            settings |= {"vectors_path": tmp_path / "vectors.faiss", "stamp_path": stamp, "code": "code"}
            encoding.encode_shard(shard=number, shards=3, **{**settings, **changes})
        return stamps

    return encode_shards


@pytest.fixture
def join(encoding, collection, tmp_path):
    """A function that joins shards and reads the vectors."""

    def join(stamps):
        encoding.join_vectors(
            stamp_paths=stamps, tokens_folder=collection / "tokens", vectors_path=tmp_path / "vectors.faiss"
        )
        return open_vectors(tmp_path / "vectors.faiss")

    return join


def test_shards_in_any_order_make_the_vectors_of_one_and_are_not_copied(
    encode, encode_shards, join, model_folder, tmp_path
):
    expected = encode(model_folder, tmp_path / "whole.faiss")
    stamps = encode_shards(3, 1, 2)
    (shared,) = tmp_path.glob(".vectors.faiss-*/vectors.faiss")
    number = shared.stat().st_ino
    assert join(stamps) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert (tmp_path / "vectors.faiss").stat().st_ino == number
    assert {path.name for path in tmp_path.iterdir()} == {"model", "whole.faiss", "shards", "vectors.faiss"}


def test_an_interrupted_shard_goes_on_where_it_was_and_the_others_stay(
    encode_shards, join, watched_encoder, tmp_path, caplog
):
    first = encode_shards(1)
    with watched_encoder(stop_after=32), pytest.raises(KeyboardInterrupt):
        encode_shards(2)
    caplog.set_level("INFO")
    with watched_encoder() as seen:
        rest = encode_shards(2, 3)
    assert sum(seen) == 8 + 40
    assert "32 passages were encoded before" in caplog.text
    assert np.abs(join([*first, *rest])).sum(axis=1).min() > 0


@pytest.mark.parametrize("kept", [[1, 2], [1, 3], []])
def test_shards_that_are_not_all_there_stop(kept, encode_shards, join, tmp_path):
    """Or whose file is gone, as after a kill at the very end."""
    stamps = encode_shards(*(kept or [1, 2, 3]))
    if not kept:
        join(stamps)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/shards: the shards do not make one file .*run again\.$"):
        join(stamps)


def test_shards_of_different_code_stop(encode_shards, join):
    with pytest.raises(ValueError, match="the shards do not make one file"):
        join([*encode_shards(1, 2), *encode_shards(3, code="another")])
