"""Token stores."""

import json

import numpy as np
import pytest


def test_a_store_holds_every_text_whole_and_without_special_tokens(collection, texts, tiny_encoder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    assert len(texts.passage_tokens) == len(texts.passages) == 120
    for row in (0, 60, 119, int(np.argmax(texts.passage_tokens.lengths))):
        expected = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(texts.passages[row]))
        assert texts.passage_tokens[row].tolist() == expected
    assert texts.passage_tokens.lengths.max() > 100
    assert [len(ids) for ids in texts.passage_tokens.take([3, 3, 0])] == texts.passage_tokens.lengths[
        [3, 3, 0]
    ].tolist()
    facts = json.loads((collection / "tokens" / "tokens.json").read_text())
    assert facts["passages"] == 120 and facts["tokens"] == texts.passage_tokens.lengths.sum()


def test_texts_without_tokens_have_their_place(tmp_path, write_texts, tiny_encoder, torch):
    from stillroom.encoders import load_tokenizer
    from stillroom.token_store import open_tokens
    from stillroom.tokenization import tokenize_passages, tokenize_queries

    for name, contents in {"some": ["", "a list", " \n"], "none": [""]}.items():
        path = write_texts(
            tmp_path / f"{name}.parquet", "passage_id", {f"p{n}": text for n, text in enumerate(contents)}
        )
        tokenize_passages(passages_path=path, weights=str(tiny_encoder), revision=None, tokens_folder=tmp_path / name)
        stored, lengths = open_tokens(tmp_path / name), [2 if text == "a list" else 0 for text in contents]
        assert stored.lengths.tolist() == lengths
        assert [len(stored[row]) for row in range(len(stored))] == lengths
        assert tokenize_queries(load_tokenizer(str(tiny_encoder), None), path).lengths.tolist() == lengths


def test_a_store_that_was_cut_off_stops_with_both_counts(collection, tmp_path):
    from stillroom.token_store import open_tokens

    for name in ("tokens.json", "offsets.npy", "ids.bin"):
        (tmp_path / name).write_bytes((collection / "tokens" / name).read_bytes())
    whole = len(open_tokens(tmp_path).ids)
    (tmp_path / "ids.bin").write_bytes((tmp_path / "ids.bin").read_bytes()[:-20])
    sentence = rf"^{tmp_path}/ids\.bin: expected {whole:,} token ids, found {whole - 10:,}; delete the folder\.$"
    with pytest.raises(ValueError, match=sentence):
        open_tokens(tmp_path)
