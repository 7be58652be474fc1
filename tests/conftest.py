"""What unit tests share: a tiny encoder with random weights and a small collection of real English.

Texts are docstrings of the standard library as it is at hand, so no test may depend on their exact wording.
"""

import builtins
import inspect
import json
import os
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: no test may ask a hub
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # tests fork

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Every kind of ranker, by what tells it apart.
VARIANTS = {
    "bert_dot cls": {"architecture": "bert_dot", "pooling": "cls"},
    "bert_dot mean": {"architecture": "bert_dot", "pooling": "mean"},
    "bert_dot mean normalised": {"architecture": "bert_dot", "pooling": "mean", "normalize": True},
    "bert_cat cls": {"architecture": "bert_cat", "pooling": "cls"},
    "bert_cat mean": {"architecture": "bert_cat", "pooling": "mean"},
    "bert_cat mean biased": {"architecture": "bert_cat", "pooling": "mean", "cross_attention_bias": -1.5},
    "bert_cat max_sim": {"architecture": "bert_cat", "pooling": "max_sim", "temperature": 0.05},
    "bert_cat max_sim biased": {"architecture": "bert_cat", "pooling": "max_sim", "cross_attention_bias": -1.5},
    "bert_cat dense": {"architecture": "bert_cat", "pre_classifier": True},
    "colbert": {"architecture": "colbert"},
    "colbert normalised": {"architecture": "colbert", "normalize": True},
    "colbert compressed": {"architecture": "colbert", "normalize": True, "dimensions": 8},
    "colbert augmented": {"architecture": "colbert", "dimensions": 8, "linear_bias": True, "query_augmentation": 3},
    "dpr": {"architecture": "dpr"},
    "prettr": {"architecture": "prettr", "join_layer": 1},
    "prettr joined at once": {"architecture": "prettr", "join_layer": 0},
    "prettr max_sim biased": {
        "architecture": "prettr",
        "join_layer": 1,
        "pooling": "max_sim",
        "cross_attention_bias": -1.5,
    },
    "tk": {"architecture": "tk"},
}
DUAL_VARIANTS = [name for name in VARIANTS if not name.startswith(("bert_cat", "prettr"))]
BERT_DOT_VARIANTS = [name for name in VARIANTS if name.startswith("bert_dot")]
VOCABULARY_SIZE = 900  # exactly, so that random weights do not depend on the texts
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: several seconds; leave out with `-m 'not slow'`")


@pytest.fixture(scope="session")
def torch():
    """torch on one thread: bit-identical results, and no threads that a fork would lose."""
    import torch

    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def docstrings():
    """At least 120 docstrings, as one line each."""
    import math
    import random
    import shutil
    import textwrap

    owners = [str, bytes, list, dict, set, float, int, tuple, math, os, shutil, textwrap, random, builtins]
    texts = {}
    for owner in owners:
        for name in sorted(vars(owner)):
            text = " ".join((inspect.getdoc(getattr(owner, name)) or "").split())
            if not name.startswith("_") and len(text.split()) >= 12 and text not in texts.values():
                texts[f"{owner.__name__}.{name}"] = text
    assert len(texts) >= 120
    return texts


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory, docstrings, torch):
    """The folder of a BERT of 2 layers and 32 dimensions with a WordPiece tokenizer."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_encoder")
    words = Counter(word for text in docstrings.values() for word in text.lower().split() if word.isalpha())
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters)]
    common = [word for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0])) if len(word) > 1]
    pieces = [*pieces, *common][:VOCABULARY_SIZE]
    assert len(pieces) == VOCABULARY_SIZE
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,  # with the usual .02 all texts of so small a model are nearly equal
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def family_encoder(tmp_path_factory, tiny_encoder, torch):
    """A function from a family (transformers' model type) to the folder of an encoder of 3 layers and 32 dimensions."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    own = {
        "albert": sizes | {"embedding_size": 16},
        "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
        "electra": sizes | {"embedding_size": 16},
        "roberta": sizes | {"type_vocab_size": 1},
    }
    folders = {}

    def make(family):
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            torch.manual_seed(7)
            shared = {"vocab_size": VOCABULARY_SIZE, "pad_token_id": 0, "max_position_embeddings": 64}
            config = AutoConfig.for_model(family, **shared, **own.get(family, sizes), initializer_range=0.3)
            AutoModel.from_config(config).save_pretrained(folders[family])
            AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(folders[family])
        return folders[family]

    return make


@pytest.fixture(scope="session")
def make_settings(tiny_encoder):
    """A function from a few changes to RankerSettings, the rest by the schema; nested parts by `<part>__<name>`."""
    from stillroom.config import resolve_ranker
    from stillroom.config_schema import completed, read_schema
    from stillroom.settings import ranker_settings

    schema = read_schema(Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml")

    def make(**changes):
        ranker = {"architecture": "bert_dot", "encoder": "tiny", "loss": "ranknet", "training": "short"}
        encoder = {"weights": str(tiny_encoder), "query_tokens": 12, "passage_tokens": 32}
        training = {"steps": 20, "batch_size": 8, "learning_rate": 1e-3, "schedule": "linear", "warmup_steps": 2}
        for name, value in changes.items():
            part, _, key = name.rpartition("__")
            {"": ranker, "encoder": encoder, "training": training}[part][key] = value
        config = {"rankers": {"it": ranker}, "encoders": {"tiny": encoder}, "training": {"short": training}}
        return ranker_settings(resolve_ranker(completed(config, schema), "it"))

    return make


@pytest.fixture(scope="session")
def make_ranker(make_settings):
    """A function from settings' changes to an untrained ranker in evaluation mode; heads depend on the seed 3."""
    import torch

    from stillroom.registry import named

    def make(**changes):
        settings = make_settings(**changes)
        torch.manual_seed(3)
        return named("architectures", settings.architecture).new(settings).eval()

    return make


@pytest.fixture
def save_ranker(make_ranker, tmp_path):
    """A function that saves an untrained ranker, and returns its folder."""

    def save(name="model", **changes):
        make_ranker(**changes).save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def in_batch_teacher(tmp_path_factory, make_ranker):
    """The weights of a saved ColBERT, compressed, so that no student starts as its double."""
    folder = tmp_path_factory.mktemp("in_batch_teacher")
    make_ranker(architecture="colbert", dimensions=8).save(folder)
    return folder / "model.safetensors"


@pytest.fixture(params=VARIANTS)
def variant(request):
    """What `make_ranker` takes, for every kind of ranker."""
    return VARIANTS[request.param]


@pytest.fixture(params=DUAL_VARIANTS)
def dual_variant(request):
    """As `variant`, for rankers that represent query and passage apart."""
    return VARIANTS[request.param]


@pytest.fixture(params=BERT_DOT_VARIANTS)
def bert_dot_variant(request):
    """As `variant`, for rankers with one vector per text."""
    return VARIANTS[request.param]


@pytest.fixture(scope="session")
def watched_encoder(torch):
    """A context with a list of how many texts each forward pass of a BERT sees.

    With `stop_after` texts, it is interrupted.
    """
    from torch.nn.modules.module import register_module_forward_hook

    @contextmanager
    def watched(stop_after=None):
        seen = []

        def count(module, inputs, output):
            if type(module).__name__ == "BertModel":
                seen.append(len(output.last_hidden_state))
                if stop_after is not None and sum(seen) > stop_after:
                    raise KeyboardInterrupt

        handle = register_module_forward_hook(count)
        try:
            yield seen
        finally:
            handle.remove()

    return watched


@pytest.fixture(scope="session")
def write_texts():
    """A function that writes a parquet file of ids and texts."""

    def write(path, key, texts):
        table = pa.table({key: pa.array(list(texts), pa.string()), "text": pa.array(list(texts.values()), pa.string())})
        pq.write_table(table, path)
        return path

    return write


@pytest.fixture(scope="session")
def write_vectors(write_texts):
    """A function that writes vectors of passages or queries beside their ids, and names both files as a step does."""
    from stillroom.vectors import VectorWriter

    def write(folder, of, ids, vectors):
        if of == "passages":
            key, vectors_path = "passage_id", folder / "passages.faiss"
            with VectorWriter(vectors_path, *vectors.shape) as writer:
                writer.write(vectors)
        else:
            key, vectors_path = "query_id", folder / "queries.npy"
            np.save(vectors_path, vectors)
        write_texts(folder / f"{of}.parquet", key, dict.fromkeys(ids, "text"))
        return {"vectors_path": vectors_path, f"{of}_path": folder / f"{of}.parquet"}

    return write


@pytest.fixture(scope="session")
def write_triples():
    """A function that writes triples of row numbers."""

    def write(path, query, positive, negative):
        columns = {"query": query, "positive": positive, "negative": negative}
        pq.write_table(pa.table({name: pa.array(rows, pa.int32()) for name, rows in columns.items()}), path)
        return path

    return write


@pytest.fixture(scope="session")
def collection(tmp_path_factory, docstrings, tiny_encoder, write_texts, write_triples):
    """A folder of files as the workflow makes them: 120 passages, 24 training and 8 validation queries.

    A query is the end of the docstring that is relevant for it. A training query has 4 triples.
    """
    from stillroom.runs import Ranking, write_qrels, write_run
    from stillroom.tokenization import tokenize_passages

    folder = tmp_path_factory.mktemp("collection")
    passages = dict(list(docstrings.items())[:120])
    ids = list(passages)
    queries = {f"q{number}": " ".join(passages[ids[number]].split()[-8:]) for number in range(32)}
    training, validation = list(queries)[:24], list(queries)[24:]
    write_texts(folder / "passages.parquet", "passage_id", passages)
    write_texts(folder / "queries.parquet", "query_id", {name: queries[name] for name in training})
    write_texts(folder / "validation_queries.parquet", "query_id", {name: queries[name] for name in validation})
    write_qrels(folder / "qrels.txt", [(name, ids[place], 1) for place, name in enumerate(training)])
    write_qrels(folder / "validation_qrels.txt", [(name, ids[place], 1) for place, name in enumerate(validation, 24)])
    random = np.random.default_rng(11)
    candidates = []
    for place, name in enumerate(validation, 24):
        others = random.choice(np.delete(np.arange(120), place), 9, replace=False)
        rows = np.insert(others, 4, place)  # the relevant passage is fifth
        candidates.append(Ranking(name, np.array(ids)[rows], np.arange(10, 0, -1.0)))
    write_run(folder / "validation_run.trec", candidates, "first")
    query = np.repeat(np.arange(24), 4)
    negative = (query + random.integers(1, 120, len(query))) % 120
    write_triples(folder / "triples.parquet", query, query, negative)
    scores = {
        "pos_score": pa.array(random.normal(4, 1, len(query)), pa.float32()),
        "neg_score": pa.array(random.normal(0, 2, len(query)), pa.float32()),
    }
    pq.write_table(pa.table(scores), folder / "teacher_scores.parquet")
    clusters = pa.table({"query_id": training, "cluster": pa.array(np.arange(24) % 3, pa.int32())})
    pq.write_table(clusters, folder / "clusters.parquet")
    tokenize_passages(
        passages_path=folder / "passages.parquet",
        weights=str(tiny_encoder),
        revision=None,
        tokens_folder=folder / "tokens",
    )
    return folder


@pytest.fixture
def scoring_inputs(collection):
    """What every step that scores candidates takes, whatever they are."""
    return {
        "passages_path": collection / "passages.parquet",
        "tokens_folder": collection / "tokens",
        "threads": 1,
        "code": "code",
    }


@pytest.fixture(scope="session")
def texts(collection, tiny_encoder):
    """Queries and passages of the collection, as strings and as token ids; validation queries as token ids."""
    from stillroom.encoders import load_tokenizer
    from stillroom.token_store import open_tokens
    from stillroom.tokenization import tokenize_queries

    tokenizer = load_tokenizer(str(tiny_encoder), None)
    return SimpleNamespace(
        queries=pq.read_table(collection / "queries.parquet")["text"].to_pylist(),
        passages=pq.read_table(collection / "passages.parquet")["text"].to_pylist(),
        passage_ids=pq.read_table(collection / "passages.parquet")["passage_id"].to_pylist(),
        query_tokens=tokenize_queries(tokenizer, collection / "queries.parquet"),
        validation_query_tokens=tokenize_queries(tokenizer, collection / "validation_queries.parquet"),
        passage_tokens=open_tokens(collection / "tokens"),
    )


@pytest.fixture
def make_trainer(make_settings, make_ranker, texts, collection):
    """A function from settings' changes to a trainer, on the collection's triples if there are no others.

    It reads teacher scores and clusters where the settings say so; an in-batch teacher is a compressed ColBERT.
    """
    from stillroom.training import Trainer
    from stillroom.triples import read_triples

    def make(triples=None, **changes):
        settings, model = make_settings(**changes), make_ranker(**changes).train()
        triples = triples or read_triples(
            collection / "triples.parquet",
            teacher_scores_path=collection / "teacher_scores.parquet" if settings.teacher else None,
            clusters_path=collection / "clusters.parquet" if settings.clustering else None,
        )
        teacher = make_ranker(architecture="colbert", dimensions=8) if settings.in_batch else None
        return Trainer(model, settings, 1, triples, texts.query_tokens, texts.passage_tokens, None, teacher)

    return make


HOSTILE = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> & so on"


@pytest.fixture(scope="session")
def make_report_files(write_texts):
    """A function from a folder to the files of a made-up experiment, as the report takes them: two test sets, systems.

    One passage and one query have markup in them; the best system is the last. A table has all numbers, and a row with
    the mean of the first two systems.
    """
    from stillroom.measures import measure

    measures = ["RR@10", "nDCG@10", "Judged@10"]

    def make(folder, queries=12, systems=3, depth=20):
        random, names = np.random.default_rng(3), [f"dot_{number}/seed-1/exact" for number in range(systems)]
        files = {name: [] for name in ("tables", "figures", "metrics", "runs", "queries", "qrels", "passages")}
        passages = {f"p{row}": f"passage {row} about <b>sorting</b> arrays and word{row % 7}" for row in range(200)}
        passages["p0"] = HOSTILE
        passages_path = write_texts(folder / "passages.parquet", "passage_id", passages)
        for test_set, min_relevance in (("dev", 1), ("graded", 2)):
            asked = {f"{test_set}-q{row}": f"how to sort array word{row % 7}, number {row}" for row in range(queries)}
            asked[f"{test_set}-q0"] = HOSTILE
            texts = write_texts(folder / f"{test_set}-queries.parquet", "query_id", asked)
            qrels = write_made_up_qrels(
                folder / f"{test_set}-qrels.txt", asked, grades=range(4) if min_relevance > 1 else [1]
            )
            files["queries"].append(str(texts))
            files["qrels"].append(str(qrels))
            files["passages"].append(str(passages_path))
            for place, name in enumerate(names):
                run = write_made_up_run(folder / f"runs/{test_set}/{name}.trec", asked, place / systems, depth, random)
                metrics = folder / f"metrics/{test_set}/{name}.json"
                files["runs"].append(str(run))
                files["metrics"].append(str(metrics))
                measure(
                    run_path=run,
                    qrels_path=qrels,
                    queries_path=texts,
                    passages_path=passages_path,
                    system=name,
                    test_set=test_set,
                    measures=measures,
                    min_relevance=min_relevance,
                    metrics_path=metrics,
                )
        files["tables"].append(str(write_made_up_table(folder / "main.html", files["metrics"], measures, systems)))
        files["figures"].append(str(folder / "curves.svg"))
        (folder / "curves.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><title>Curves</title><desc>Two lines &amp; a dot'
            '</desc><style>path { stroke: red; }</style><path d="M0 0 L4 2" style="stroke-width: 0.1"/></svg>'
        )
        settings = {"experiment": "made_up", "megabytes": 15.0, "passages": 10}
        labels = {name: f"Dot {place} <i>&</i>" for place, name in enumerate(names)}
        return {**files, "settings": {**settings, "systems": labels}, "steps": made_up_steps(folder, files)}

    return make


def write_made_up_qrels(path, query_ids, grades):
    """Passages p1, p2 … are judged for the first, second … query, with as many grades as there are."""
    from stillroom.runs import write_qrels

    judged = [
        (query, f"p{row + 1 + 50 * k}", grade) for row, query in enumerate(query_ids) for k, grade in enumerate(grades)
    ]
    write_qrels(path, judged)
    return path


def write_made_up_run(path, query_ids, luck, depth, random):
    """Passages in any order; with luck the first judged one is among the first."""
    from stillroom.runs import Ranking, write_run

    rankings = []
    for row, query in enumerate(query_ids):
        rows = random.choice(200, depth, replace=False)
        if random.random() < luck and row + 1 not in rows:
            rows[random.integers(3)] = row + 1
        rankings.append(Ranking(query, np.array([f"p{number}" for number in rows]), np.linspace(9, 1, depth)))
    write_run(path, rankings, "made_up")
    return path


def write_made_up_table(path, metrics_paths, measures, systems):
    """A page with a table of every number, as the tables' steps write them."""
    found = [json.loads(Path(metrics).read_text()) for metrics in metrics_paths]

    def cells(places):
        for test_set in range(2):
            sources = [test_set * systems + place for place in places]
            for name in measures:
                value = float(np.mean([found[source]["measures"][name]["mean"] for source in sources]))
                named = " ".join(metrics_paths[source] for source in sources)
                yield f'<td data-value="{value!r}" data-source="{named}" data-measure="{name}">{value:.3f}</td>'

    rows = [(f"Dot {place}", [place]) for place in range(systems)] + [("Mean &amp; more", [0, 1])]
    header = "".join(f'<th scope="col">{test_set} {name}</th>' for test_set in ("dev", "graded") for name in measures)
    body = "\n".join(f'<tr><th scope="row">{label}</th>{"".join(cells(places))}</tr>' for label, places in rows)
    path.write_text(
        '<!doctype html>\n<title>x</title>\n<section class="table" id="table-main">\n<h2>All &amp; everything</h2>\n'
        f'<table>\n<thead><tr><th scope="col">system</th>{header}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n'
        "<ul><li>Made up.</li></ul>\n</section>\n"
    )
    return path


def made_up_steps(folder, files):
    """The steps behind the numbers, as the rules tell them: a search, which was timed, and what measured it."""
    (folder / "search.tsv").write_text("s\th:m:s\tmax_rss\tcpu_time\n90.5\t0:01:30\t1500.0\t-\n")
    facts = {"processor": "Abacus", "cores": 2, "memory_gb": 16.0, "gpus": ["Card", "Card"], "system": "Linux"}
    (folder / "search.json").write_text(json.dumps({**facts, "python": "3.11.7", "libraries": {"torch": "2.13.0"}}))
    steps = []
    for place, (metrics, run) in enumerate(zip(files["metrics"], files["runs"], strict=True)):
        test_set = place * 2 // len(files["runs"])
        data = {name: files[name][test_set] for name in ("queries", "qrels", "passages")}
        search = {"rule": "retrieve", "outputs": [run], "inputs": [data["passages"]], "named": {}}
        search |= {"settings": {"depth": 20}, "code": "c0de", "benchmark": str(folder / "search.tsv")}
        named = {**data, "run": run}
        measured = {"rule": "measure", "outputs": [metrics], "inputs": [*named.values()], "named": named}
        measured |= {"settings": {"min_relevance": 1}, "code": "c0de", "benchmark": None, "log": None}
        steps += [{**search, "log": str(folder / "search.log")}, measured]
    return steps


@pytest.fixture(scope="session")
def write_report():
    """A function from the files of an experiment to its report at a path."""
    from stillroom.report.page import make_report

    page = Path(__file__).parents[1] / "workflow" / "scripts" / "stillroom" / "report"
    shell = {"template": page / "page.html", "style": page / "page.css"}
    shell["scripts"] = [page / f"{name}.js" for name in ("words", "page", "explorer")]

    def write(path, files):
        make_report(**{**shell, **files}, report_path=path)
        return path

    return write
