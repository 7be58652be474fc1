def test_x(collection, texts, make_ranker, docstrings):
    print(len(docstrings), [len(t) for t in texts.query_tokens.take(range(5))], texts.passage_tokens.lengths)
    m = make_ranker()
    import torch

    with torch.inference_mode():
        print(m.score_all(texts.query_tokens.take(range(4)), texts.passage_tokens.take(range(4))))
    print(m.tokenizer.tokenize(texts.queries[0]), type(m.tokenizer))
