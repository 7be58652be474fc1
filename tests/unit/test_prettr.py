"""PreTTR against the layers of transformers, one pair at a time."""

import numpy as np
import pytest

CLS, SEP = 2, 3  # in the vocabulary of the tiny encoder
QUERY_TOKENS = 12  # the length limit, where passages' positions start
LAYERS = {"bert": "encoder", "distilbert": "transformer", "electra": "encoder", "roberta": "encoder"}
WITH_SEGMENTS = ("bert", "electra")


@pytest.fixture(params=LAYERS)
def family(request):
    return request.param


@pytest.fixture
def make_prettr(make_ranker, family_encoder):
    """A function from a family and a join layer to a PreTTR."""

    def make(family="bert", join_layer=1, **changes):
        weights = str(family_encoder(family))
        return make_ranker(architecture="prettr", encoder__weights=weights, join_layer=join_layer, **changes)

    return make


@pytest.fixture
def plain_input(family, torch):
    """A function from the token ids of a query and a passage to the inputs of a plain encoder, for each of the two."""

    def inputs(query, passage):
        ids = [[CLS, *query[:10].tolist(), SEP], [*passage[:30].tolist(), SEP]]
        made = []
        for segment, (start, row) in enumerate(zip((0, QUERY_TOKENS), ids, strict=True)):
            first = start + (family == "roberta")  # whose position 0 is the padding's here
            one = {"input_ids": row, "position_ids": list(range(first, first + len(row)))}
            if family in WITH_SEGMENTS:
                one["token_type_ids"] = [segment] * len(row)
            made.append({name: torch.tensor([values]) for name, values in one.items()})
        return made

    return inputs


@pytest.fixture
def plain_encoder(family, family_encoder):
    from transformers import AutoModel

    return AutoModel.from_pretrained(family_encoder(family)).eval()


@pytest.fixture
def pairs(texts):
    """Queries and passages of many lengths."""
    queries = [texts.query_tokens[row][: 3 + row] for row in range(8)]
    return queries, [texts.passage_tokens[row][: 5 * row] for row in range(8)]


@pytest.mark.parametrize("join_layer", [0, 1, 2])
def test_the_first_layers_read_the_texts_apart_and_the_others_together(
    join_layer, family, make_prettr, plain_encoder, plain_input, pairs, torch
):
    ranker, expected = make_prettr(family, join_layer), []
    upper = getattr(plain_encoder, LAYERS[family]).layer[join_layer:]
    (weight,) = (tensor.detach().double().numpy() for tensor in ranker.classifier.parameters())  # and no bias
    for query, passage in zip(*pairs, strict=True):
        with torch.no_grad():
            parts = [plain_encoder(**one, output_hidden_states=True) for one in plain_input(query, passage)]
            hidden = torch.cat([output.hidden_states[join_layer] for output in parts], dim=1)
            for layer in upper:
                hidden = layer(hidden, None)
        expected.append(float(weight[0] @ hidden[0, 0].double().numpy()))
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert np.std(expected) > 1e-2


@pytest.mark.parametrize("bias", [0, -1.5])
def test_with_max_sim_it_sums_the_largest_cosine_of_every_query_token_after_the_joined_layers(
    bias, family, make_prettr, plain_encoder, plain_input, pairs, torch
):
    ranker, expected = make_prettr(family, 1, pooling="max_sim", cross_attention_bias=bias, temperature=0.5), []
    assert set(ranker.weights()) == {
        f"{ranker.encoder.base_model_prefix}.{name}" for name in ranker.encoder.state_dict()
    }
    upper = getattr(plain_encoder, LAYERS[family]).layer[1:]
    for query, passage in zip(*pairs, strict=True):
        with torch.no_grad():
            parts = [
                plain_encoder(**one, output_hidden_states=True).hidden_states[1] for one in plain_input(query, passage)
            ]
            count, hidden = parts[0].shape[1], torch.cat(parts, dim=1)
            across = torch.full((hidden.shape[1],) * 2, float(bias))
            across[:count, :count] = across[count:, count:] = 0
            for layer in upper:
                hidden = layer(hidden, across[None, None])
        vectors = hidden[0].double().numpy()
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        expected.append((vectors[:count] @ vectors[count:].T).max(axis=1).sum() / 0.5)
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5)


def test_joined_before_the_first_layer_it_is_the_plain_encoder_on_the_same_input_and_positions(
    family, make_prettr, plain_encoder, plain_input, pairs, torch
):
    ranker, expected = make_prettr(family, 0), []
    for query, passage in zip(*pairs, strict=True):
        first, second = plain_input(query, passage)
        with torch.no_grad():
            output = plain_encoder(**{name: torch.cat([first[name], second[name]], dim=1) for name in first})
            expected.append(ranker.classifier(output.last_hidden_state[0, 0]).item())
    with torch.inference_mode():
        assert ranker.score(*pairs).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_what_the_first_layers_make_of_a_passage_serves_every_query(make_prettr, texts, torch):
    ranker = make_prettr(join_layer=2)
    queries, passages = texts.query_tokens.take(range(4)), texts.passage_tokens.take(range(5))
    with torch.inference_mode():
        kept = ranker.encode_passages(passages)
        for query in queries:
            (query_side,) = ranker.encode_queries([query])
            found = ranker.paired_similarity([query_side] * 5, kept).tolist()
            assert found == pytest.approx(ranker.score([query] * 5, passages).tolist(), rel=1e-5)


def test_each_distinct_text_goes_through_the_first_layers_once(make_prettr, texts):
    from stillroom.scoring import score_pairs

    ranker, seen = make_prettr(join_layer=2), []
    ranker.encoder.embeddings.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    query_rows, passage_rows = np.repeat([3, 5], 30), np.tile([7, 8, 9], 20)
    score_pairs(ranker, texts.query_tokens, texts.passage_tokens, query_rows, passage_rows)
    assert sum(seen) == 2 + 3


def test_scores_depend_on_the_passage_and_on_the_positions_of_its_words(make_prettr, texts, torch):
    query, passage = texts.query_tokens[0], texts.passage_tokens[3][:20]
    for join_layer in (0, 1, 2):
        ranker = make_prettr(join_layer=join_layer)
        with torch.inference_mode():
            scores = ranker.score([query] * 3, [passage, passage[::-1], texts.passage_tokens[4][:20]])
        assert len({round(score, 4) for score in scores.tolist()}) == 3


def test_a_join_layer_after_the_last_layer_but_one_stops(make_prettr, make_ranker):
    for join_layer in (3, 9):
        sentence = rf"^prettr: join_layer is {join_layer}, but the encoder .* has 3 layers; expected at most 2, so that"
        with pytest.raises(ValueError, match=sentence):
            make_prettr(join_layer=join_layer)
    with pytest.raises(ValueError, match=r"join_layer is 1, but .* has 1 layers; expected at most 0,"):
        make_prettr(join_layer=1, encoder__layers=1)


def test_more_tokens_than_positions_stop(make_prettr):
    make_prettr(encoder__passage_tokens=53)  # 12 + 53, less the passage's [CLS]: all 64 positions
    sentence = r"^prettr: query_tokens 12 and passage_tokens 54 need 65 positions, but the encoder .* has 64\.$"
    with pytest.raises(ValueError, match=sentence):
        make_prettr(encoder__passage_tokens=54)
    with pytest.raises(ValueError, match=r"need 65 positions"):
        make_prettr("roberta", encoder__passage_tokens=53)


def test_a_family_whose_layers_are_not_a_list_stops(make_prettr):
    with pytest.raises(ValueError, match=r"^encoder: its layers cannot be run apart in a albert, only in bert, "):
        make_prettr("albert")


def test_the_folder_has_the_names_of_the_encoder_and_one_linear_head(make_prettr, tmp_path):
    from safetensors.torch import load_file
    from transformers import AutoModel

    make_prettr("distilbert").save(tmp_path)
    names = load_file(tmp_path / "model.safetensors")
    assert {name.split(".")[0] for name in names} == {"distilbert", "classifier"}
    assert tuple(names["classifier.weight"].shape) == (1, 32) and "classifier.bias" not in names
    _, told = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"] and not told["mismatched_keys"]
