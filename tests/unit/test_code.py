"""The digest of code: it changes with the code that a script runs, and with nothing else."""

from pathlib import Path

import pytest

from stillroom.code import code_of_script, modules_behind

LIBRARY = Path(__file__).parents[2] / "workflow" / "scripts" / "stillroom"

SCRIPT = """
from stillroom.log import start_log
from stillroom.training import train

start_log("x")
train(steps=1)
"""
FILES = {
    "__init__.py": "",
    "log.py": "from stillroom.clock import now\n",
    "clock.py": "now = 1\n",
    "training.py": """
from . import losses
from stillroom import files

def train(steps):
    return steps
""",
    "files.py": "from stillroom.deep.inner import helper as other\n",
    "losses/__init__.py": "",
    "losses/ranknet.py": "from .shared import scale\n\ndef ranknet():\n    return scale\n",
    "losses/ckl.py": "def ckl():\n    return 1\n",
    "losses/shared.py": "scale = 1\n",
    "deep/__init__.py": "",
    "deep/inner.py": "from ..units import second\n\ndef helper():\n    import stillroom.late\n",
    "units.py": "second = 1\n",
    "late.py": "value = 1\n",
    "unused.py": "value = 1\n",
}


@pytest.fixture
def digest(tmp_path):
    """A function: the digest of the script in a fresh copy of the small library, with some files changed."""
    copies = iter(range(100))

    def digest(changes=None, script=SCRIPT, modules=("losses.ranknet",)):
        folder = tmp_path / str(next(copies))
        for name, text in {**FILES, **(changes or {})}.items():
            path = folder / "stillroom" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "train_ranker.py").write_text(script)
        return code_of_script(folder / "train_ranker.py", folder / "stillroom", modules)

    return digest


def test_digest_is_short_and_does_not_depend_on_the_folder(digest):
    assert digest() == digest()
    assert len(digest()) == 16


def test_comments_docstrings_and_formatting_do_not_count(digest):
    reworded = '"""Train, in other words."""\n# a comment\nfrom . import losses\nfrom stillroom import files\n\n\n'
    reworded += 'def train(\n    steps,\n):\n    """Steps."""\n    return (steps)  # all\n'
    assert digest({"training.py": reworded}) == digest()
    assert digest(script=f'"""Rule train_ranker."""\n{SCRIPT}\n') == digest()


def test_docstrings_of_classes_and_async_functions_do_not_count(digest):
    bare = "class A:\n    x = 1\n\nasync def b():\n    return 1\n"
    documented = 'class A:\n    """A."""\n    x = 1\n\nasync def b():\n    """B."""\n    return 1\n'
    assert digest({"units.py": bare}) == digest({"units.py": documented})


def test_a_string_that_is_no_docstring_counts(digest):
    assert digest({"units.py": 'second = "a"\n'}) != digest({"units.py": 'second = "b"\n'})


@pytest.mark.parametrize(
    "name", ["training.py", "files.py", "deep/inner.py", "units.py", "late.py", "deep/__init__.py"]
)
def test_a_real_edit_of_a_module_that_is_imported_directly_or_not_counts(digest, name):
    assert digest({name: f"{FILES[name]}\nnew = 1\n"}) != digest()


def test_a_real_edit_of_the_script_counts(digest):
    assert digest(script=SCRIPT.replace("steps=1", "steps=2")) != digest()


def test_a_module_loaded_by_name_and_what_it_imports_count(digest):
    assert digest({"losses/ranknet.py": "def ranknet():\n    return 2\n"}) != digest()
    assert digest({"losses/shared.py": "scale = 2\n"}) != digest()
    assert digest(modules=["losses.ckl"]) != digest()


def test_the_log_and_what_only_the_log_imports_do_not_count(digest):
    assert digest({"log.py": "from stillroom.clock import now\nnew = 1\n"}) == digest()
    assert digest({"clock.py": "now = 2\n"}) == digest()


def test_a_new_loss_and_an_edit_of_another_loss_do_not_count(digest):
    assert digest({"losses/new.py": "def new():\n    return 1\n"}) == digest()
    assert digest({"losses/ckl.py": "def ckl():\n    return 2\n"}) == digest()
    assert digest({"unused.py": "value = 2\n"}) == digest()


def test_the_order_of_the_named_modules_does_not_count(digest):
    assert digest(modules=["losses.ckl", "losses.ranknet"]) == digest(modules=["losses.ranknet", "losses.ckl"])


def test_a_module_that_is_not_there_is_reported(digest):
    with pytest.raises(FileNotFoundError, match=r"there is no module stillroom\.losses\.nope"):
        digest(modules=["losses.nope"])
    with pytest.raises(FileNotFoundError, match=r"there is no module stillroom\.gone"):
        digest(script="import stillroom.gone\n")


def test_training_depends_on_settings_but_not_on_the_check_of_the_config():
    behind = modules_behind({"stillroom.training"}, LIBRARY)
    assert "stillroom.settings" in behind
    assert not [module for module in behind if module.startswith("stillroom.config")]
