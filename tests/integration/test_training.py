"""Training: it learns, it resumes bit by bit, and what goes wrong ends in one sentence."""

import json
import logging
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

RECORDED = Path(__file__).parents[1] / "data" / "losses_seed_1.json"
TAS_BALANCED = {
    "loss": "margin_mse",
    "teacher": "cross",
    "sampler": "tas_balanced",
    "clustering": "topics",
    "in_batch": {"loss": "margin_mse", "teacher": "tokens", "weight": 0.75},
}


@pytest.fixture(scope="module")
def inputs(collection, in_batch_teacher):
    """A function from what a training needs besides triples to its input paths."""
    validation = {
        "validation_queries": collection / "validation_queries.parquet",
        "validation_qrels": collection / "validation_qrels.txt",
        "validation_run": collection / "validation_run.trec",
        "passages": collection / "passages.parquet",
    }
    topics = {
        "teacher_scores": collection / "teacher_scores.parquet",
        "clusters": collection / "clusters.parquet",
        "in_batch_teacher": in_batch_teacher,
    }

    def paths(*, validates=False, topical=False):
        basic = {
            "queries": collection / "queries.parquet",
            "triples": collection / "triples.parquet",
            "tokens": collection / "tokens" / "ids.bin",
        }
        return basic | (validation if validates else {}) | (topics if topical else {})

    return paths


@pytest.fixture
def train(torch):
    """A function that trains as the rule does, on one thread."""
    from stillroom.training import train_ranker

    def train(settings, inputs, folder, *, seed=1, **options):
        train_ranker(
            **{
                "settings": settings,
                "seed": seed,
                "code": "abc",
                "threads": 1,
                "inputs": inputs,
                "model_folder": folder,
            }
            | options
        )
        return folder

    yield train
    torch.use_deterministic_algorithms(False)


def curve(folder):
    return [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]


def curve_without_seconds(folder):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in curve(folder)]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def train_and_kill(train, at_step, *arguments, **options):
    """Train in a child process that is killed, as by a cluster, right after the optimizer's step `at_step`."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    child = os.fork()
    if child == 0:
        steps = []

        def count(*_):
            steps.append(1)
            if len(steps) == at_step:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            register_optimizer_step_post_hook(count)
            train(*arguments, **options)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("architecture", ["bert_dot", "bert_cat", "colbert", "prettr", "dpr"])
def test_eight_triples_are_learnt_and_the_model_folder_is_complete(
    architecture, train, make_settings, inputs, tmp_path, write_triples
):
    query = np.arange(8)
    few = write_triples(tmp_path / "triples.parquet", query, query, query + 40)
    settings = make_settings(
        architecture=architecture,
        training__steps=40,
        training__learning_rate=5e-3,
        training__dropout=0.0,
        **({"join_layer": 1} if architecture == "prettr" else {}),
    )
    folder = train(settings, inputs() | {"triples": few}, tmp_path / "model")
    losses = [line["loss"] for line in curve(folder)]
    assert [line["step"] for line in curve(folder)] == [10, 20, 30, 40]
    assert losses[-1] < 0.5 * losses[0]
    expected = {"model.safetensors", "ranker.json", "tokenizer.json", "training.jsonl"}
    expected |= {"query", "passage"} if architecture == "dpr" else {"config.json"}
    assert expected <= {file.name for file in folder.iterdir()}


def test_nothing_but_the_model_is_left_after_a_training(train, make_settings, inputs, tmp_path):
    folder = train(make_settings(training__steps=3), inputs(), tmp_path / "model", save_seconds=0.0)
    assert not (folder / "resume").exists()
    empty = [path.name for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())]
    assert empty in ([], ["2_Normalize"])  # the latter is sentence-transformers', and empty there too
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_the_curve_has_the_scheduled_learning_rates_and_seconds_that_grow(train, make_settings, inputs, tmp_path):
    settings = make_settings(training__steps=25, training__warmup_steps=4, training__schedule="cosine")
    lines = curve(train(settings, inputs(), tmp_path / "model"))
    assert [line["step"] for line in lines] == [10, 20, 25]
    expected = [1e-3 * 0.5 * (1 + np.cos(np.pi * (step - 1 - 4) / 21)) for step in (10, 20, 25)]
    assert [line["learning_rate"] for line in lines] == pytest.approx(expected, rel=1e-9)
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"] <= lines[2]["seconds"] < 60


SETUPS = {
    "bert_dot with random batches": ({}, False),
    "in-batch TAS-Balanced with a ColBERT teacher": (TAS_BALANCED, True),
    "Adam on two batches per step with gradient checkpoints": (
        {
            "training__optimizer": "adam",
            "training__weight_decay": 0.1,
            "training__batch_size": 4,
            "training__accumulate": 2,
            "training__gradient_checkpointing": True,
            "training__schedule": "cosine",
            "training__minimum_learning_rate": 1e-4,
        },
        False,
    ),
    "dpr": ({"architecture": "dpr"}, False),
    "dpr with in-batch negatives and gradient caching": (
        {"architecture": "dpr", "loss": "in_batch_nll", "training__chunk_tokens": 200},
        False,
    ),
    "prettr": ({"architecture": "prettr", "join_layer": 1}, False),
    "tk": ({"architecture": "tk", "training__kernel_learning_rate": 1e-2, "training__optimizer": "adam"}, False),
    "colbert compressed": ({"architecture": "colbert", "dimensions": 8}, False),
    "CKL on groups of three, in-batch too": (
        {
            **TAS_BALANCED,
            "loss": "ckl",
            "loss_settings": {"gamma": 2.0, "beta": 0.5},
            "contrastive": 0.5,
            "in_batch": {"loss": "kl_div", "teacher": "tokens"},
            "training__negatives": 3,
        },
        True,
    ),
}


@pytest.mark.parametrize("name", SETUPS)
def test_a_training_killed_twice_ends_as_if_it_had_not_been(name, train, make_settings, inputs, tmp_path, caplog):
    changes, topical = SETUPS[name]
    settings = make_settings(**changes, training__steps=12, training__validate_every=5, training__gradient_clipping=1.0)
    paths = inputs(validates=True, topical=topical)
    whole = train(settings, paths, tmp_path / "whole")
    killed = tmp_path / "killed"
    train_and_kill(train, 4, settings, paths, killed, save_seconds=0.0)
    assert not (killed / "model.safetensors").exists()
    train_and_kill(train, 5, settings, paths, killed, save_seconds=0.0)
    caplog.set_level(logging.INFO)
    train(settings, paths, killed)
    assert "resuming after step 7" in caplog.text  # 3 steps, then 4 more, were saved
    assert weights(killed) == weights(whole)
    assert curve_without_seconds(killed) == curve_without_seconds(whole)
    assert [line["step"] for line in curve(killed)] == [5, 10, 12]
    assert not (killed / "resume").exists()


def test_the_seed_and_dropout_decide_what_a_training_ends_with(train, make_settings, inputs, tmp_path):
    few = {"training__steps": 4}
    one, same, other = (
        train(make_settings(**few), inputs(), tmp_path / str(place), seed=seed) for place, seed in enumerate([1, 1, 2])
    )
    assert weights(one) == weights(same)
    assert weights(one) != weights(other)
    without = train(make_settings(**few, training__dropout=0.0), inputs(), tmp_path / "without")
    assert weights(one) != weights(without)


CHANGES = {
    "a setting": ({"training__learning_rate": 2e-3}, {}, r"training\.learning_rate \(0\.001 → 0\.002\)"),
    "the seed": ({}, {"seed": 2}, r"seed \(1 → 2\)"),
    "the code": ({}, {"code": "def"}, r"code \(abc → def\)"),
    "a length limit": ({"encoder__passage_tokens": 31}, {}, r"encoder\.passage_tokens \(32 → 31\)"),
    "gradient caching": ({"training__chunk_tokens": 200}, {}, r"training\.chunk_tokens \(None → 200\)"),
    "the optimizer and the batches per step": (
        {"training__optimizer": "adam", "training__accumulate": 2},
        {},
        r"training\.accumulate \(1 → 2\), training\.optimizer \(adamw → adam\)",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_starts_anew_and_the_log_names_it(name, train, make_settings, inputs, tmp_path, caplog):
    changes, options, named = CHANGES[name]
    folder = tmp_path / "model"
    shorter = {"training__steps": 5}
    train_and_kill(train, 4, make_settings(**shorter), inputs(), folder, save_seconds=0.0)
    assert (folder / "resume").exists()
    settings = make_settings(**shorter, **changes)
    train(settings, inputs(), folder, **options)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert re.fullmatch(f"starting anew: the interrupted training had another {named}", warnings[0])
    assert weights(folder) == weights(train(settings, inputs(), tmp_path / "fresh", **options))


def test_other_triples_start_anew(train, make_settings, inputs, tmp_path, caplog, write_triples):
    folder, paths, settings = tmp_path / "model", inputs(), make_settings(training__steps=5)
    train_and_kill(train, 3, settings, paths, folder, save_seconds=0.0)
    query = np.repeat(np.arange(24), 4)
    others = write_triples(tmp_path / "triples.parquet", query, query, query + 40)
    train(settings, paths | {"triples": others}, folder)
    assert "starting anew: the interrupted training had another triples (" in caplog.text


def test_other_settings_of_the_in_batch_teacher_start_anew(train, make_settings, inputs, tmp_path, caplog):
    folder, settings, paths = tmp_path / "model", make_settings(**TAS_BALANCED, training__steps=5), inputs(topical=True)
    teacher = shutil.copytree(Path(paths["in_batch_teacher"]).parent, tmp_path / "teacher")
    paths |= {"in_batch_teacher": teacher / "model.safetensors"}
    train_and_kill(train, 3, settings, paths, folder, save_seconds=0.0)
    with_others = json.loads((teacher / "ranker.json").read_text()) | {"temperature": 3.0}
    (teacher / "ranker.json").write_text(json.dumps(with_others))
    train(settings, paths, folder)
    assert "starting anew: the interrupted training had another settings of the in-batch teacher (" in caplog.text


def test_another_number_of_threads_goes_on_and_the_log_says_so(train, make_settings, inputs, tmp_path, caplog, torch):
    folder, settings = tmp_path / "model", make_settings(training__steps=2, training__batch_size=2)
    train_and_kill(train, 2, settings, inputs(), folder, save_seconds=0.0)
    caplog.set_level(logging.INFO)
    train(settings, inputs(), folder, threads=2)  # not in the child: a fork has no threads
    torch.set_num_threads(1)
    assert (
        "resuming with another number of threads (1 → 2): the weights will not be, bit by bit, those of" in caplog.text
    )
    assert "resuming after step 1" in caplog.text


def test_a_loss_that_is_not_a_number_stops_with_one_sentence_and_writes_no_model(
    train, make_settings, inputs, tmp_path
):
    settings = make_settings(training__learning_rate=1e18, training__schedule="constant", training__warmup_steps=0)
    sentence = r"^training: the loss is (nan|inf) at step \d+ \(learning rate 1\.0e\+18\); lower the learning rate"
    with pytest.raises(ValueError, match=sentence):
        train(settings, inputs(), tmp_path / "model")
    assert not (tmp_path / "model" / "model.safetensors").exists()


def gradients(trainer):
    """The gradients of the last step, before the optimizer changed the weights."""
    parts = trainer.model.named_parameters()
    return {name: part.grad.numpy().copy() for name, part in parts if part.grad is not None}


def distance(found, expected, *, among):
    """The relative difference of two gradients; those of keys' biases are 0 but for rounding, beside all others."""
    smallest = 1e-2 * max(np.linalg.norm(gradient) for gradient in among.values())
    return np.linalg.norm(found - expected) / max(np.linalg.norm(expected), smallest)


def steps(trainer, count):
    """So many steps; the losses."""
    losses = []
    for _ in range(count):
        losses.append(trainer.step())
        trainer.progress.step += 1
    return losses


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gradient_of_the_whole_step_is_clipped_without_the_loss_scale(precision, accumulate, make_trainer, torch):
    found = {}
    for bound in (None, 1e9, 0.25):
        trainer = make_trainer(
            training__gradient_clipping=bound,
            training__precision=precision,
            training__batch_size=8 // accumulate,
            training__accumulate=accumulate,
        )
        trainer.scaler = torch.amp.GradScaler("cpu", init_scale=16.0, enabled=precision == "fp16")
        steps(trainer, 1)
        found[bound] = np.concatenate([gradient.ravel() for gradient in gradients(trainer).values()]).astype(float)
    norm = np.linalg.norm(found[None])
    assert norm > 0.25
    assert np.array_equal(found[1e9], found[None])
    assert found[0.25] == pytest.approx(found[None] * 0.25 / norm, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_optimizers_step_by_their_formulas(optimizer, decay, make_trainer):
    """Kingma and Ba 2015, Algorithm 1; weight decay in the gradient, or beside it (Loshchilov and Hutter 2019)."""
    trainer = make_trainer(training__optimizer=optimizer, training__weight_decay=decay, training__schedule="cosine")
    name = "encoder.encoder.layer.0.intermediate.dense.weight"
    weight = dict(trainer.model.named_parameters())[name]
    expected, mean, square = weight.detach().double().numpy().copy(), 0.0, 0.0
    for step in range(1, 4):
        steps(trainer, 1)
        gradient, rate = gradients(trainer)[name].astype(float), trainer.optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(1e-3 * trainer.factor(step - 1))
        if optimizer == "adam":
            gradient = gradient + decay * expected
        else:
            expected = expected - rate * decay * expected
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        expected = expected - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        assert weight.detach().numpy() == pytest.approx(expected, rel=1e-3, abs=2e-6)


def test_two_batches_per_step_have_the_gradient_of_the_joint_batch(make_trainer):
    for step in range(2):
        joint = make_trainer(training__batch_size=8, training__dropout=0.0)
        two = make_trainer(training__batch_size=4, training__dropout=0.0, training__accumulate=2)
        joint.progress.step = two.progress.step = step
        assert np.array_equal(joint.batch(step), np.concatenate([two.batch(2 * step), two.batch(2 * step + 1)]))
        assert steps(two, 1) == pytest.approx(steps(joint, 1), rel=1e-5)
        expected, found = gradients(joint), gradients(two)
        assert expected.keys() == found.keys()
        for name in expected:
            assert distance(found[name], expected[name], among=expected) < 1e-5, name


def test_in_batch_losses_of_two_batches_per_step_are_their_mean(make_trainer):
    trainer = make_trainer(**TAS_BALANCED, training__batch_size=4, training__dropout=0.0, training__accumulate=2)
    expected = np.mean([trainer.batch_loss(trainer.batch(number)).item() for number in range(2)])
    assert steps(trainer, 1) == pytest.approx([expected], rel=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_without_a_gpu_stops_with_one_sentence(precision, train, make_settings, inputs, tmp_path, torch):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    sentence = rf"^training: precision is {precision}, but there is no GPU, .*; set precision to fp32\.$"
    with pytest.raises(ValueError, match=sentence):
        train(make_settings(training__precision=precision), inputs(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("architecture", ["bert_dot", "bert_cat", "colbert", "prettr", "dpr"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_only_the_encoder_computes_in_half_precision(precision, architecture, make_trainer, torch):
    """On a CPU by way of the trainer, which does not ask for a GPU."""
    seen, head_types = [], set()
    changes = {"architecture": architecture, "join_layer": 1, "training__dropout": 0.0}
    changes |= {"dimensions": 8} if architecture == "colbert" else {}
    exact, trainer = make_trainer(**changes), make_trainer(**changes, training__precision=precision)
    inner = trainer.model.encoder.encoder.layer[0].intermediate.dense
    inner.register_forward_hook(lambda module, given, found: seen.append(found.dtype))
    heads = [part for name in ("classifier", "linear") if (part := getattr(trainer.model, name, None)) is not None]
    for head in heads:
        head.register_forward_hook(lambda module, given, found: head_types.update({given[0].dtype, found.dtype}))
    rows = trainer.batch(0)
    texts = trainer.queries.take(trainer.triples.query[rows]), trainer.passages.take(trainer.triples.positive[rows, 0])
    with torch.no_grad():
        scores, expected = trainer.model.score(*texts), exact.model.score(*texts)
    assert set(seen) == {{"bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    assert scores.dtype == torch.float32
    assert head_types == ({torch.float32} if architecture in ("bert_cat", "colbert", "prettr") else set())
    assert scores.numpy() == pytest.approx(expected.numpy(), rel=0.05, abs=0.1)
    assert not torch.equal(scores, expected)
    assert steps(trainer, 1) == pytest.approx(steps(exact, 1), rel=0.05, abs=0.01)
    assert all(part.dtype == torch.float32 for part in trainer.model.parameters())


def test_the_in_batch_teacher_computes_as_its_student_and_validation_exactly(make_trainer, collection, texts, torch):
    from stillroom.validation import read_validation

    trainer = make_trainer(**TAS_BALANCED, training__precision="bf16")
    assert trainer.in_batch_teacher.precision == trainer.model.precision == torch.bfloat16
    validation = read_validation(
        trainer.model.tokenizer,
        queries_path=collection / "validation_queries.parquet",
        qrels_path=collection / "validation_qrels.txt",
        run_path=collection / "validation_run.trec",
        passages_path=collection / "passages.parquet",
    )
    seen = []
    dense = trainer.model.encoder.encoder.layer[0].intermediate.dense
    dense.register_forward_hook(lambda module, given, found: seen.append(found.dtype))
    validation.measure(trainer.model, texts.passage_tokens)
    assert set(seen) == {torch.float32}
    assert trainer.model.precision == torch.bfloat16


def test_fp16_resumes_with_its_loss_scale(make_trainer, tmp_path, torch):
    from stillroom.resume import ResumeFolder

    folder = ResumeFolder(tmp_path / "resume", identity={"seed": 1}, inputs={}, machine={"threads": 1})
    whole = make_trainer(training__precision="fp16")
    whole.scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=3)
    steps(whole, 4)
    assert whole.scaler.get_scale() == 32
    folder.save(whole)
    resumed = make_trainer(training__precision="fp16")
    folder.restore(resumed)
    assert resumed.scaler.state_dict() == whole.scaler.state_dict()
    assert resumed.progress.step == 4
    assert steps(resumed, 3) == steps(whole, 3)
    found, expected = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert resumed.scaler.get_scale() == whole.scaler.get_scale() == 64


def test_gradients_beyond_fp16_skip_the_step_and_the_log_says_so(make_trainer, torch, caplog):
    caplog.set_level(logging.INFO)
    trainer = make_trainer(training__precision="fp16", training__gradient_clipping=1.0)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    steps(trainer, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())
    assert "step 1 is skipped: gradients beyond fp16 at a loss scale of 1.26765e+30, now 6.33825e+29" in caplog.text
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    for part in trainer.model.parameters():
        part.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(
        ValueError, match=r"^training: the gradients at step 2 are beyond fp16 even without a loss scale"
    ):
        steps(trainer, 1)


@pytest.mark.parametrize("architecture", ["bert_dot", "bert_cat", "prettr", "dpr"])
def test_gradient_checkpointing_computes_twice_and_finds_the_same_gradients(architecture, make_trainer):
    found, computed = {}, {}
    for checkpoints in (False, True):
        trainer = make_trainer(
            architecture=architecture,
            join_layer=1,  # of prettr
            training__gradient_checkpointing=checkpoints,
            training__dropout=0.2,
        )
        passes = []
        inner = trainer.model.encoder.encoder.layer[0].intermediate.dense
        inner.register_forward_hook(lambda *_, passes=passes: passes.append(1))
        losses = steps(trainer, 1)
        found[checkpoints], computed[checkpoints] = gradients(trainer) | {"loss": np.array(losses)}, len(passes)
    assert computed[True] == 2 * computed[False] > 0
    assert found[True].keys() == found[False].keys()
    for name, expected in found[False].items():
        assert distance(found[True][name], expected, among=found[False]) < 1e-5, name


def test_gradient_checkpointing_without_transformer_layers_stops(make_ranker, torch):
    from stillroom.training import checkpoint_gradients

    ranker = make_ranker()
    ranker.encoder = torch.nn.Embedding(2, 2)
    with pytest.raises(
        ValueError, match=r"^training: gradient_checkpointing has no effect on a bert_dot; set it to fal"
    ):
        checkpoint_gradients(ranker)


def test_early_stopping_stops_and_keeps_the_best_weights(train, make_settings, inputs, collection, tmp_path, caplog):
    from stillroom.ranker import load_ranker
    from stillroom.token_store import open_tokens
    from stillroom.validation import read_validation

    caplog.set_level(logging.INFO)
    settings = make_settings(training__steps=400, training__validate_every=3, training__patience=2)
    paths = inputs(validates=True)
    folder = train(settings, paths, tmp_path / "model")
    measured = [line["nDCG@10"] for line in curve(folder) if "nDCG@10" in line]
    best = int(np.argmax(measured))  # the first of equals
    assert len(measured) == best + 1 + 2 < 133
    assert curve(folder)[-1]["step"] == 3 * len(measured)
    assert f"best nDCG@10 {max(measured):.4f} at step {3 * (best + 1)}" in caplog.text
    kept = load_ranker(folder)
    validation = read_validation(
        kept.tokenizer,
        queries_path=paths["validation_queries"],
        qrels_path=paths["validation_qrels"],
        run_path=paths["validation_run"],
        passages_path=paths["passages"],
    )
    again = validation.measure(kept, open_tokens(collection / "tokens"))
    assert again["nDCG@10"] == pytest.approx(max(measured), abs=1e-12)
    assert not kept.training


def test_best_weights_survive_an_interruption(train, make_settings, inputs, tmp_path):
    settings = make_settings(training__steps=400, training__validate_every=3, training__patience=2)
    paths = inputs(validates=True)
    whole = train(settings, paths, tmp_path / "whole")
    last = curve(whole)[-1]["step"]
    train_and_kill(train, last, settings, paths, tmp_path / "killed", save_seconds=0.0)  # the best ones are long gone
    assert weights(train(settings, paths, tmp_path / "killed")) == weights(whole)


def test_a_training_that_had_stopped_early_stays_stopped(train, make_settings, inputs, tmp_path):
    """Killed between the last validation and the model folder, it takes no further step."""
    settings = make_settings(training__steps=400, training__validate_every=3, training__patience=2)
    paths, killed = inputs(validates=True), tmp_path / "killed"
    whole = train(settings, paths, tmp_path / "whole")
    child = os.fork()
    if child == 0:
        import stillroom.training

        stillroom.training.write_model = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        train(settings, paths, killed, save_seconds=0.0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert weights(train(settings, paths, killed)) == weights(whole)
    assert curve_without_seconds(killed) == curve_without_seconds(whole)


def test_validation_measures_are_those_of_the_reranked_candidates(collection, make_ranker, texts, torch):
    from stillroom.runs import read_run
    from stillroom.validation import read_validation

    ranker = make_ranker(architecture="colbert").train()
    validation = read_validation(
        ranker.tokenizer,
        queries_path=collection / "validation_queries.parquet",
        qrels_path=collection / "validation_qrels.txt",
        run_path=collection / "validation_run.trec",
        passages_path=collection / "passages.parquet",
    )
    found = validation.measure(ranker, texts.passage_tokens)
    assert ranker.training  # measured without dropout, and back
    queries = texts.validation_query_tokens
    gains, reciprocals = [], []
    ranker.eval()
    for number, (_, candidates) in enumerate(
        read_run(collection / "validation_run.trec").groupby("query_id", sort=False)
    ):
        rows = [texts.passage_ids.index(passage_id) for passage_id in candidates["passage_id"]]
        with torch.inference_mode():
            scores = [ranker.score([queries[number]], [texts.passage_tokens[row]]).item() for row in rows]
        rank = 1 + sum(score > scores[4] for score in scores)  # the relevant passage is the fifth candidate
        gains.append(1 / np.log2(1 + rank))
        reciprocals.append(1 / rank)
    assert found == pytest.approx({"nDCG@10": np.mean(gains), "RR@10": np.mean(reciprocals)})


@pytest.mark.parametrize(("column", "row"), [("query", 24), ("positive", 120), ("negative", -1)])
def test_a_triple_with_an_unknown_row_stops(column, row, train, make_settings, inputs, tmp_path, write_triples):
    columns = {name: list(range(16)) for name in ("query", "positive", "negative")}
    columns[column][5] = row
    path = write_triples(tmp_path / "triples.parquet", **columns)
    sentence = (
        rf"^{path}: 1 triples have an unknown {column}; the first is triple 5 with row {row}, expected a row below"
    )
    with pytest.raises(ValueError, match=sentence):
        train(make_settings(), inputs() | {"triples": path}, tmp_path / "model")


def test_teacher_scores_of_other_triples_stop(train, make_settings, inputs, tmp_path, write_triples):
    path = write_triples(tmp_path / "triples.parquet", *[list(range(20))] * 3)
    with pytest.raises(ValueError, match=r"teacher_scores\.parquet: expected 20 rows \(triples\), found 96\.$"):
        train(make_settings(**TAS_BALANCED), inputs(topical=True) | {"triples": path}, tmp_path / "model")


def test_the_total_loss_is_the_pairwise_plus_the_weighted_in_batch_loss(make_trainer, texts, torch):
    trainer = make_trainer(**TAS_BALANCED, training__dropout=0.0)
    student, teacher, triples = trainer.model, trainer.in_batch_teacher, trainer.triples
    rows = [0, 9, 21, 42]

    def score(model, query, passage):
        with torch.no_grad():
            return model.score([texts.query_tokens[query]], [texts.passage_tokens[passage]]).item()

    query, positive, negative = triples.query[rows], triples.positive[rows, 0], triples.negative[rows, 0]
    pairwise, with_relevant, with_other = [], [], []
    for i in range(4):
        own = score(student, query[i], positive[i])
        margin = triples.teacher_scores[rows[i], 0] - triples.teacher_scores[rows[i], 1]
        pairwise.append((own - score(student, query[i], negative[i]) - margin) ** 2)
        for j in range(4):
            for terms, passages in [(with_relevant, positive), (with_other, negative)]:
                if i != j:
                    margin = score(teacher, query[i], positive[i]) - score(teacher, query[i], passages[j])
                    terms.append((own - score(student, query[i], passages[j]) - margin) ** 2)
    expected = np.mean(pairwise) + 0.75 * 0.5 * (np.mean(with_relevant) + np.mean(with_other))
    assert trainer.batch_loss(np.array(rows)).item() == pytest.approx(expected, rel=1e-4)


def test_without_a_pairwise_loss_the_weighted_in_batch_loss_is_all(make_trainer):
    """In-batch of two: whatever the pairwise loss adds to it, it adds to both weights."""
    alone = {**TAS_BALANCED, "loss": None}
    losses = {}
    for name, changes in {"both": TAS_BALANCED, "alone": alone}.items():
        for weight in (1.0, 2.0):
            in_batch = {**TAS_BALANCED["in_batch"], "weight": weight}
            trainer = make_trainer(**{**changes, "in_batch": in_batch}, training__dropout=0.0)
            losses[name, weight] = trainer.batch_loss(trainer.batch(0)).item()
    assert losses["alone", 2.0] == pytest.approx(2 * losses["alone", 1.0])
    assert losses["both", 2.0] - losses["both", 1.0] == pytest.approx(losses["alone", 1.0], rel=1e-5)
    assert losses["both", 1.0] > losses["alone", 1.0]


@pytest.mark.parametrize("loss", ["kl_div", "listnet", "lambdarank", "margin_mse"])
def test_a_student_learns_from_its_batches_alone(loss, train, make_settings, inputs, tmp_path):
    settings = make_settings(
        sampler="tas",
        clustering="topics",
        loss=None,
        in_batch={"loss": loss, "teacher": "tokens", "weight": 0.75},
        training__steps=20,
        training__dropout=0.0,
    )
    paths = {name: path for name, path in inputs(topical=True).items() if name != "teacher_scores"}
    lines = curve(train(settings, paths, tmp_path / "model"))
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_the_in_batch_teacher_has_a_second_gpu_to_itself_unless_another_process_has_it(monkeypatch, torch):
    from stillroom import training

    def device(gpus, processes=1):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(training, "process_count", lambda: processes)
        return str(training.teacher_device())

    assert [device(gpus) for gpus in (0, 1, 2, 4)] == ["cpu", "cuda", "cuda:1", "cuda:1"]
    assert device(2, processes=2) == "cuda"


def test_a_teacher_on_another_device_teaches_the_same(make_trainer, torch):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    losses = {}
    for device in ("cpu", "cuda"):
        trainer = make_trainer(**TAS_BALANCED, training__dropout=0.0)
        trainer.in_batch_teacher.to(device)
        losses[device] = steps(trainer, 3)
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-4)


def test_the_in_batch_teacher_is_neither_trained_nor_in_training_mode(make_settings, inputs, in_batch_teacher, torch):
    from stillroom.registry import named
    from stillroom.training import Trainer, read_inputs

    settings = make_settings(**TAS_BALANCED)
    model = named("architectures", "bert_dot").new(settings).train()
    trainer = Trainer(model, settings, 1, **read_inputs(inputs(topical=True), model.tokenizer))
    teacher = trainer.in_batch_teacher
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    trainer.step()
    assert not teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_an_in_batch_teacher_with_another_vocabulary_stops(make_settings, inputs, make_ranker, train, tmp_path):
    teacher = make_ranker(architecture="colbert")
    teacher.tokenizer.add_tokens(["unheard"])
    teacher.save(tmp_path / "teacher")
    paths = inputs(topical=True) | {"in_batch_teacher": tmp_path / "teacher" / "model.safetensors"}
    with pytest.raises(ValueError, match=r"in-batch teacher .* another vocabulary"):
        train(make_settings(**TAS_BALANCED), paths, tmp_path / "model")


def test_an_exported_ranker_is_the_encoder_as_it_is(make_settings, tiny_encoder, tmp_path, torch):
    from safetensors.torch import load_file

    from stillroom.checkpoints import export_ranker

    export_ranker(settings=make_settings(loss=None, training=None), model_folder=tmp_path / "model")
    exported = load_file(tmp_path / "model" / "model.safetensors")
    own = load_file(tiny_encoder / "model.safetensors")
    assert exported.keys() == own.keys()
    assert all(torch.equal(exported[name], own[name]) for name in own)
    assert not (tmp_path / "model" / "training.jsonl").exists()


def recorded_setup(make_settings, make_ranker):
    """A trainer of texts that are random numbers: nothing here depends on a Python version's docstrings."""
    from stillroom.token_store import Tokens
    from stillroom.training import Trainer
    from stillroom.triples import Triples

    random = np.random.default_rng(1)

    def tokens(count, longest):
        lengths = random.integers(3, longest, count)
        ids = random.integers(5, 900, int(lengths.sum()))
        return Tokens(ids.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]))

    queries, passages = tokens(24, 12), tokens(60, 40)
    query = np.repeat(np.arange(24), 4)
    triples = Triples(
        query,
        query,
        random.integers(24, 60, 96),
        random.normal(0, 2, (96, 2)).astype(np.float32),
        np.arange(24) % 3,
    )
    changes = {**TAS_BALANCED, "training__batch_size": 6, "training__dropout": 0.1}
    model = make_ranker(**changes).train()
    teacher = make_ranker(architecture="colbert")
    return Trainer(model, make_settings(**changes), 1, triples, queries, passages, None, teacher)


def test_twenty_losses_at_seed_1_are_those_on_record(make_settings, make_ranker):
    """A refactoring keeps them; who changes the method on purpose writes the new ones: see the assertion."""
    trainer, losses = recorded_setup(make_settings, make_ranker), []
    for _ in range(20):
        losses.append(trainer.step())
        trainer.progress.step += 1
    recorded = json.loads(RECORDED.read_text())
    assert losses == pytest.approx(recorded, rel=1e-4), f"if this is meant, {RECORDED.name} becomes {losses}"
