"""TK against NumPy, one pair at a time, and its words from a file."""

import numpy as np
import pyarrow.parquet as pq
import pytest

MEANS = [1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9]
WORDS = ["the", "list", "of", "a", "string", "return", "item", "café", "."]


@pytest.fixture
def vectors_path(tmp_path):
    """A file of nine words with vectors of six numbers."""
    path = tmp_path / "vectors.txt"
    numbers = np.random.default_rng(2).normal(0, 1, (len(WORDS), 6))
    lines = [f"{word} {' '.join(f'{n:.4f}' for n in row)}\n" for word, row in zip(WORDS, numbers, strict=True)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def make_word_tk(make_ranker, vectors_path):
    """A function from changes of settings to a TK on the words of the file."""

    def make(**changes):
        return make_ranker(**{"architecture": "tk", "encoder__weights": f"words:{vectors_path}"} | changes)

    return make


def weights_of(ranker):
    return {name: tensor.detach().double().numpy() for name, tensor in ranker.state_dict().items()}


def layer_norm(x, weight, bias):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * weight + bias


def softmax(x):
    exponents = np.exp(x - x.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def transformer_layer(x, w, heads):
    """Self-attention and feed-forward, each with a residual and a normalisation after it."""
    q, k, v = np.split(x @ w["self_attn.in_proj_weight"].T + w["self_attn.in_proj_bias"], 3, axis=1)
    size = x.shape[1] // heads
    parts = [slice(head * size, (head + 1) * size) for head in range(heads)]
    read = np.concatenate([softmax(q[:, p] @ k[:, p].T / np.sqrt(size)) @ v[:, p] for p in parts], axis=1)
    x = x + read @ w["self_attn.out_proj.weight"].T + w["self_attn.out_proj.bias"]
    x = layer_norm(x, w["norm1.weight"], w["norm1.bias"])
    inner = np.maximum(x @ w["linear1.weight"].T + w["linear1.bias"], 0)
    x = x + inner @ w["linear2.weight"].T + w["linear2.bias"]
    return layer_norm(x, w["norm2.weight"], w["norm2.bias"])


def contextualized(weights, ids, *, heads, layers=2):
    """α · word + (1 - α) · context of each word of one text."""
    words = weights["encoder.weight"][ids]
    half = words.shape[1] // 2
    rates = 10_000.0 ** (-np.arange(half) / (half - 1))
    angles = np.arange(len(ids))[:, None] * rates
    context = words + np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    for number in range(layers):
        start = f"contextual.{number}."
        own = {name.removeprefix(start): tensor for name, tensor in weights.items() if name.startswith(start)}
        context = transformer_layer(context, own, heads)
    return weights["mixing"] * words + (1 - weights["mixing"]) * context


def kernel_score(weights, query, passage):
    """The score of the token vectors of a query and a passage."""
    unit = [side / np.sqrt((side**2).sum(axis=1, keepdims=True)) for side in (query, passage)]
    cosines = unit[0] @ unit[1].T
    counts = np.array([np.exp(-((cosines - mean) ** 2) / (2 * 0.1**2)).sum(axis=1) for mean in MEANS])  # K, L
    logs = np.log(np.maximum(counts, 1e-10)).sum(axis=1) @ weights["log_weights.weight"][0]
    lengths = (counts / len(passage)).sum(axis=1) @ weights["length_weights.weight"][0]
    return float(weights["combination.weight"][0] @ [logs, lengths])


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_are_those_of_kernels_over_contextualised_words(layers, make_ranker, texts, torch):
    ranker, random = make_ranker(architecture="tk", contextual_layers=layers), np.random.default_rng(5)
    with torch.no_grad():  # as after a training: nothing is at its start
        ranker.mixing.fill_(0.3)
        for parameter in ranker.kernel_parameters():
            parameter.copy_(torch.from_numpy(random.normal(0, 1, parameter.shape)))
    weights, expected = weights_of(ranker), []
    queries = [texts.query_tokens[row][: 2 + row] for row in range(8)]
    passages = [texts.passage_tokens[row][: 4 * row + 1] for row in range(8)]
    for query, passage in zip(queries, passages, strict=True):
        sides = [
            contextualized(weights, ids[:limit].astype(int), heads=8, layers=layers)
            for ids, limit in ((query, 10), (passage, 30))  # 12 and 32, with two special tokens
        ]
        expected.append(kernel_score(weights, *sides))
    with torch.inference_mode():
        found = ranker.score(queries, passages).tolist()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert np.std(expected) > 1


def test_kernels_count_the_matches_of_each_strength(torch):
    from stillroom.architectures.tk import kernel_counts

    cosines = torch.tensor([[1.0, 0.9, 0.8, 1.0], [-0.9, 0.0, 0.3, 1.0]])  # the last passage word is padding
    counts = kernel_counts(cosines, torch.tensor([True, True, True, False])).double().numpy()
    expected = [
        [sum(np.exp(-((cosine - mean) ** 2) / 0.02) for cosine in row[:3]) for mean in MEANS]
        for row in cosines.tolist()
    ]
    assert counts == pytest.approx(np.array(expected), rel=1e-5, abs=1e-9)
    assert counts[0, 0] == pytest.approx(1 + np.exp(-0.5) + np.exp(-2), rel=1e-5)


def test_an_encoders_own_table_keeps_its_cosines_and_gets_the_length_of_contextualised_vectors(
    make_ranker, tiny_encoder
):
    from transformers import AutoModel

    own = AutoModel.from_pretrained(tiny_encoder).get_input_embeddings().weight.detach().numpy()
    table = make_ranker(architecture="tk").encoder.weight.detach().numpy()
    assert np.linalg.norm(table, axis=1).mean() == pytest.approx(np.sqrt(32), rel=1e-5)
    assert table == pytest.approx(own * (table[5, 0] / own[5, 0]), rel=1e-4)


@pytest.mark.parametrize(("dimensions", "heads"), [(300, 10), (384, 8), (50, 10), (7, 7), (13, 1), (25, 5)])
def test_heads_divide_the_dimensions(dimensions, heads, make_settings, torch):
    from stillroom.architectures.tk import Tk

    ranker = Tk(make_settings(architecture="tk"), torch.nn.Embedding(4, dimensions), None)
    assert [layer.self_attn.num_heads for layer in ranker.contextual] == [heads, heads]
    assert ranker.positions_LD.shape == (32, dimensions)


def test_the_layers_do_not_start_alike(make_ranker, torch):
    first, second = (layer.linear1.weight for layer in make_ranker(architecture="tk").contextual)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("dropout", "expected"), [(None, 0.0), (0.25, 0.25)])
def test_dropout_is_none_unless_it_is_set(dropout, expected, make_ranker, torch):
    ranker = make_ranker(architecture="tk", training__dropout=dropout)
    assert {module.p for module in ranker.modules() if isinstance(module, torch.nn.Dropout)} == {expected}


def test_words_come_from_the_file_in_lower_case(make_word_tk, vectors_path):
    ranker = make_word_tk()
    ids = ranker.tokenizer("The LIST.\tCAFÉ cafe\u0301 zzz", add_special_tokens=False)["input_ids"]
    assert ids == [2, 3, 10, 9, 9, 1]
    table = ranker.encoder.weight.detach().numpy()
    assert table.shape == (2 + len(WORDS), 6) and not table[:2].any()
    lines = vectors_path.read_text(encoding="utf-8").splitlines()
    for row, line in enumerate(lines, 2):
        assert table[row] == pytest.approx([float(number) for number in line.split()[1:]])
    assert ranker.encoder.weight.requires_grad


def test_words_that_the_file_does_not_have_match_nothing_and_are_read_by_none(make_word_tk, torch):
    ranker = make_word_tk()
    query, passage = np.array([3, 6]), np.array([2, 3, 1, 4, 1])
    weights, table = weights_of(ranker), ranker.encoder.weight
    sides = [contextualized(weights, ids, heads=6) for ids in (query, passage[:2])]
    with torch.inference_mode():
        found = ranker.score([query] * 2, [passage, passage[:2]]).tolist()
        assert found[1] == pytest.approx(kernel_score(weights, *sides), rel=1e-4)
        table[1] = 7.0  # the unknown words' own vector
        assert ranker.score([query], [passage]).item() == pytest.approx(found[0], rel=1e-6)
        unknown = np.array([1, 1])
        scores = ranker.score([unknown, query, np.array([], int), query], [passage, unknown, passage, unknown[:0]])
    assert torch.isfinite(scores).all()
    assert scores[0] == scores[2] == 0  # a query without a word matches all alike
    assert scores[1] == scores[3]


def test_a_saved_folder_of_words_needs_the_file_no_more(make_word_tk, vectors_path, tmp_path, torch):
    from stillroom.ranker import load_ranker

    ranker = make_word_tk()
    ranker.save(tmp_path / "model")
    vectors_path.unlink()
    loaded = load_ranker(tmp_path / "model")
    assert loaded.tokenizer.get_vocab() == ranker.tokenizer.get_vocab()
    for texts in (["the list of a string."], ["Return a CAFÉ, item zzz"]):
        ids = [np.array(model.tokenizer(texts)["input_ids"][0]) for model in (ranker, loaded)]
        assert ids[0].tolist() == ids[1].tolist()
        with torch.inference_mode():
            assert ranker.score([ids[0][:3]], ids[:1]).item() == loaded.score([ids[0][:3]], ids[:1]).item()
    assert "config.json" not in {file.name for file in (tmp_path / "model").iterdir()}


def test_a_training_on_words_goes_the_way_of_all_others(
    make_settings, collection, vectors_path, tmp_path, write_triples, torch
):
    from stillroom.encoding import open_tokens
    from stillroom.ranker import load_ranker
    from stillroom.tokenization import tokenize_passages
    from stillroom.training import train_ranker

    words = f"words:{vectors_path}"
    tokenize_passages(
        passages_path=collection / "passages.parquet", weights=words, revision=None, tokens_folder=tmp_path / "tokens"
    )
    stored = open_tokens(tmp_path / "tokens")
    first = pq.read_table(collection / "passages.parquet")["text"][0].as_py()
    settings = make_settings(architecture="tk", encoder__weights=words, training__steps=3)
    inputs = {
        "queries": collection / "queries.parquet",
        "triples": collection / "triples.parquet",
        "tokens": tmp_path / "tokens" / "ids.bin",
    }
    train_ranker(settings=settings, seed=1, code="abc", threads=1, inputs=inputs, model_folder=tmp_path / "model")
    torch.use_deterministic_algorithms(False)
    trained = load_ranker(tmp_path / "model")
    assert trained.tokenizer(first, add_special_tokens=False)["input_ids"] == stored[0].tolist()
    assert trained.mixing.item() != 0.5


BROKEN = {
    "a header": (
        "2 3\nthe 1 2 3\nlist 4 5 6\n",
        "line 2 has 3 numbers, but the first line has 1; expected a word ",
    ),
    "a missing number": ("the 1 2 3\nlist 4 5\n", "line 2 has 2 numbers, but the first line has 3; "),
    "a word of two": ("the 1 2 3\n. . 4 5 6\n", "line 2 has something else than a word and numbers."),
    "a word alone": ("the 1 2 3\nlist\n", "line 2 is not a word and its numbers, separated by spaces."),
    "an empty line": ("the 1 2 3\n\nlist 4 5 6\n", "line 2 is not a word and its numbers, separated by spaces."),
    "not a number": ("the 1 2 3\nlist 4 nan 6\n", "line 2 has a number that is not finite."),
    "nothing": ("", "the file is empty, expected a word and its numbers per line."),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_of_words_is_one_sentence_with_its_line(what, make_word_tk, vectors_path):
    content, sentence = BROKEN[what]
    vectors_path.write_text(content)
    with pytest.raises(ValueError) as error:
        make_word_tk()
    assert str(error.value).startswith(f"{vectors_path}: {sentence}")
    assert "\n" not in str(error.value)


def test_a_word_that_is_there_twice_stops(make_word_tk, vectors_path):
    vectors_path.write_text("the 1 2\nlist 3 4\nthe 5 6\n")
    with pytest.raises(ValueError, match=r"vectors\.txt: line 3 has the word 'the' again; take one of its"):
        make_word_tk()


def test_a_file_of_words_that_is_not_there_stops(make_word_tk, vectors_path):
    vectors_path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"^encoder words:{vectors_path}: there is no such file\.$"):
        make_word_tk()


def test_words_may_hold_white_space_that_is_no_space(vectors_path):
    from stillroom.word_vectors import read_word_vectors, word_tokenizer

    vectors_path.write_text("new\u00a0york 1 2\nnext\u0085line 3 4\r\nend 5 6", encoding="utf-8", newline="")
    assert word_tokenizer(vectors_path).get_vocab().keys() == {
        "[PAD]",
        "[UNK]",
        "new\u00a0york",
        "next\u0085line",
        "end",
    }
    assert read_word_vectors(vectors_path)[2:].tolist() == [[1, 2], [3, 4], [5, 6]]


def trainer_of(settings, model, texts, collection):
    from stillroom.training import Trainer
    from stillroom.triples import read_triples

    triples = read_triples(collection / "triples.parquet")
    return Trainer(model.train(), settings, 1, triples, texts.query_tokens, texts.passage_tokens)


def test_kernels_may_have_a_learning_rate_of_their_own(make_settings, make_ranker, texts, collection, torch):
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    moved = {}
    for rate in (None, 0.05):
        settings = make_settings(
            architecture="tk", training__kernel_learning_rate=rate, training__warmup_steps=1, training__steps=5
        )
        model = make_ranker(architecture="tk")
        before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
        trainer = trainer_of(settings, model, texts, collection)
        trainer.step()  # half of the peak rate: the first of one step of warm-up
        moved[rate] = {
            name: (tensor - before[name]).abs().max().item() for name, tensor in trainer.model.named_parameters()
        }
        assert sum(len(group["params"]) for group in trainer.optimizer.param_groups) == len(before)
    kernels = {"log_weights.weight", "length_weights.weight", "combination.weight"}
    for name in moved[None]:
        assert moved[None][name] == pytest.approx(0.5e-3, rel=0.02)
        assert moved[0.05][name] == pytest.approx(0.5 * (0.05 if name in kernels else 1e-3), rel=0.02)


def test_eight_triples_are_learnt(make_settings, make_ranker, texts, collection, write_triples, tmp_path):
    from stillroom.training import Trainer
    from stillroom.triples import read_triples

    query = np.arange(8)
    triples = read_triples(write_triples(tmp_path / "triples.parquet", query, query, query + 40))
    settings = make_settings(architecture="tk", training__learning_rate=5e-3, training__kernel_learning_rate=5e-2)
    model = make_ranker(architecture="tk").train()
    trainer, losses = Trainer(model, settings, 1, triples, texts.query_tokens, texts.passage_tokens), []
    for _ in range(20):
        losses.append(trainer.step())
        trainer.progress.step += 1
    assert losses[-1] < 0.5 * losses[0]
