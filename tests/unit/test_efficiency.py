"""What rankers cost, against counts by hand, a clock of our own and the rankers' own scores."""

import json
import mmap
from types import SimpleNamespace

import numpy as np
import pytest

TINY_BERT = {  # 900 pieces, 128 positions, 2 segments, 2 layers of 32 dimensions with 64 in between
    "embeddings": (900 + 128 + 2) * 32 + 2 * 32,
    "layers": 2 * (4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 2 * 2 * 32),
    "pooler": 32 * 32 + 32,
}
BERT = sum(TINY_BERT.values())
# TK: words; 2 layers (attention, feed-forward 32 wide, two layer norms); α; v, w; β, γ
TK = 900 * 32 + 2 * ((3 * 32 * 32 + 3 * 32) + 3 * (32 * 32 + 32) + 2 * 2 * 32) + 1 + 2 * 11 + 2
PARAMETERS = [
    ({"architecture": "bert_dot"}, BERT),
    ({"architecture": "bert_cat"}, BERT + 32 + 1),
    ({"architecture": "colbert"}, BERT),
    ({"architecture": "colbert", "dimensions": 8}, BERT + 8 * 32),
    ({"architecture": "dpr"}, 2 * BERT),
    ({"architecture": "prettr", "join_layer": 1}, BERT + 32),
    ({"architecture": "tk"}, TK),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch, request):
    """Nothing is timed again, but where the clock is ours."""
    if "clock" not in request.fixturenames:
        monkeypatch.setattr("stillroom.efficiency.ENOUGH_SECONDS", 0.0)


@pytest.fixture
def measure(collection, tmp_path):
    """A function that measures a model folder and reads the file."""
    from stillroom.efficiency import measure_efficiency

    def measure(model_folder, passages=20, queries=2):
        measure_efficiency(
            model_folder=model_folder,
            queries_path=collection / "queries.parquet",
            tokens_folder=collection / "tokens",
            passages=passages,
            queries=queries,
            threads=1,
            system="it/seed-1/rerank",
            test_set="dev",
            efficiency_path=tmp_path / "rerank.json",
        )
        return json.loads((tmp_path / "rerank.json").read_text())

    return measure


@pytest.fixture
def clock(monkeypatch):
    """The clock of the measuring, which stands still unless a test moves `now`."""
    from stillroom import efficiency

    state = SimpleNamespace(now=100.0)
    monkeypatch.setattr(efficiency.time, "perf_counter", lambda: state.now)
    return state


@pytest.mark.parametrize("architecture", ["bert_cat", "bert_dot"])
def test_a_ranker_is_measured_on_the_collection(measure, save_ranker, architecture, torch):
    cost = measure(save_ranker(architecture=architecture))
    assert list(cost) == [
        *("system", "test_set", "passages", "queries", "device", "threads"),
        *("parameters", "milliseconds", "uncached_milliseconds", "kept_bytes", "peak_bytes"),
    ]
    assert (cost["system"], cost["test_set"], cost["passages"], cost["queries"]) == ("it/seed-1/rerank", "dev", 20, 2)
    assert cost["threads"] == 1 and cost["device"]
    assert 0 < cost["milliseconds"] < 60_000
    if architecture == "bert_cat":
        assert cost["kept_bytes"] is None
        assert cost["uncached_milliseconds"] == cost["milliseconds"]
    else:
        assert cost["kept_bytes"] == 32 * 4
        assert cost["uncached_milliseconds"] > cost["milliseconds"]


def test_where_there_are_fewer_passages_or_queries_all_are_taken_and_counted(measure, save_ranker):
    cost = measure(save_ranker(), passages=1000, queries=100)
    assert (cost["passages"], cost["queries"]) == (120, 24)


def test_rows_are_drawn_evenly():
    from stillroom.efficiency import evenly

    assert list(evenly(5, 9)) == [0, 2, 4, 6, 8]
    assert list(evenly(3, 3)) == list(evenly(9, 3)) == [0, 1, 2]
    assert list(evenly(1, 7)) == [0]
    for count, among in [(2, 100), (99, 100), (1000, 8_841_823)]:
        rows = evenly(count, among)
        assert len(set(rows)) == count and rows[0] == 0 and rows[-1] == among - 1
        assert np.ptp(np.diff(rows)) <= 1


@pytest.mark.parametrize(("changes", "parameters"), PARAMETERS, ids=str)
def test_parameters_are_those_of_the_whole_model_counted_by_hand(changes, parameters, make_ranker, texts, torch):
    from stillroom.efficiency import costs
    from stillroom.memory import PeakMemory

    ranker = make_ranker(**changes)
    cost = costs(ranker, texts.query_tokens.take([0]), texts.passage_tokens.take([0]), PeakMemory(ranker.device))
    assert cost["parameters"] == parameters


def test_kept_representations_give_the_scores_of_the_ranker(variant, make_ranker, texts, torch):
    from stillroom.efficiency import score_passages
    from stillroom.scoring import score_pairs
    from stillroom.split_ranker import SplitRanker

    ranker, queries, rows = make_ranker(**variant), texts.query_tokens, [3, 50, 7, 119]
    passages = texts.passage_tokens.take(rows)
    with torch.inference_mode():
        kept = ranker.encode_passages(passages) if isinstance(ranker, SplitRanker) else None
        scores = score_passages(ranker, queries[5], passages, kept)
    expected = score_pairs(ranker, queries, texts.passage_tokens, np.full(4, 5), np.array(rows))
    assert scores.shape == (4,)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-4, atol=1e-5)


def short_and_long(passages):
    """The six shortest and the six longest passages: some are padded, others cut."""
    by_length = np.argsort(passages.lengths, kind="stable")
    chosen = passages.take([*by_length[:6], *by_length[-6:]])
    assert len(chosen[0]) < 30 < len(chosen[-1])
    return chosen


def test_kept_bytes_count_every_vector_in_float32_and_no_padding(dual_variant, make_ranker, texts, torch):
    from stillroom.efficiency import bytes_of

    ranker, passages = make_ranker(**dual_variant), short_and_long(texts.passage_tokens)
    architecture = dual_variant["architecture"]
    tokens = [min(len(passage), 30) for passage in passages]  # 32 with [CLS] and [SEP]
    if architecture == "colbert":
        expected = sum(count + 2 for count in tokens) * dual_variant.get("dimensions", 32) * 4
    elif architecture == "tk":
        known = [passage[:30] != ranker.tokenizer.unk_token_id for passage in passages]
        expected = sum(int(row.sum()) for row in known) * 32 * 4
    else:
        expected = 12 * 32 * 4
    with torch.inference_mode():
        assert bytes_of(ranker.encode_passages(passages)) == expected


def test_prettr_keeps_the_hidden_states_of_a_passage_but_not_its_cls(make_ranker, texts, torch):
    from stillroom.efficiency import bytes_of

    ranker, passages = make_ranker(architecture="prettr", join_layer=1), short_and_long(texts.passage_tokens)
    with torch.inference_mode():
        kept = bytes_of(ranker.encode_passages(passages))
    assert kept == sum(min(len(passage), 30) + 1 for passage in passages) * 32 * 4


def test_the_first_call_is_not_timed_and_the_median_counts(clock, torch):
    from stillroom.efficiency import timed

    calls = []

    def run(seconds):
        calls.append(seconds)
        clock.now += 50 if len(calls) == 1 else seconds
        return f"result {seconds}"

    assert timed(run, [3, 1, 9], torch.device("cpu")) == (3, "result 9")
    assert calls == [3, 3, 1, 9]


def test_what_is_quick_is_timed_again_for_two_seconds(clock, torch):
    from stillroom.efficiency import timed

    calls = []

    def run(seconds):
        calls.append(seconds)
        clock.now += seconds

    assert timed(run, [0.25, 0.75], torch.device("cpu")) == (0.5, None)
    assert calls == [0.25, 0.25, 0.75, 0.25, 0.75]


def test_what_is_kept_is_not_timed_but_counts_when_nothing_is_kept(make_ranker, texts, clock, monkeypatch):
    from stillroom.efficiency import costs
    from stillroom.memory import PeakMemory

    ranker = make_ranker()
    encode_passages, encode_queries = ranker.encode_passages, ranker.encode_queries

    def slow_passages(passages):
        clock.now += 4
        return encode_passages(passages)

    def slow_queries(queries):
        clock.now += 0.5
        return encode_queries(queries)

    monkeypatch.setattr(ranker, "encode_passages", slow_passages)
    monkeypatch.setattr(ranker, "encode_queries", slow_queries)
    queries, passages = texts.query_tokens.take(range(3)), texts.passage_tokens.take(range(6))
    cost = costs(ranker, queries, passages, PeakMemory(ranker.device))
    assert (cost["milliseconds"], cost["uncached_milliseconds"]) == (500, 4500)


def test_peak_memory_is_what_was_resident_since_the_restart_beyond_the_start(torch):
    from stillroom.memory import PeakMemory

    before, kept, passing = (megabytes * 2**20 for megabytes in (64, 48, 96))
    memory = PeakMemory(torch.device("cpu"))
    if not memory.is_known:
        pytest.skip("the system does not tell")
    resident(before).close()
    held = resident(kept)
    memory.restart()
    assert memory.peak() == pytest.approx(kept, abs=8 * 2**20)
    resident(passing).close()
    assert memory.peak() == pytest.approx(kept + passing, abs=8 * 2**20)
    held.close()


def resident(size):
    """So many bytes of memory that are in use until `close`, whatever an allocator keeps."""
    memory = mmap.mmap(-1, size)
    for start in range(0, size, mmap.PAGESIZE):
        memory[start] = 1
    return memory


def test_peak_memory_is_unknown_where_the_system_does_not_tell(torch, monkeypatch, tmp_path):
    from stillroom import memory

    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "none")
    peak = memory.PeakMemory(torch.device("cpu"))
    peak.restart()
    assert peak.peak() is None
