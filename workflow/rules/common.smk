"""Names that all rule files use: the checked config, folders, wildcards, and what input and params depend on.

No rules here, and no logic: that is in the library.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
sys.path.insert(0, str(SCRIPTS))

from stillroom.code import code_of_script
from stillroom.config import (
    modules_of_ranker,
    rankers_that_saw,
    resolve_query_sets,
    resolve_ranker,
    stable,
    systems,
)
from stillroom.config_check import ConfigError, check_config
from stillroom.collections.docstrings import library_versions

try:
    CONFIG = check_config(config, Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")
except ConfigError as error:
    files = ", ".join(str(file) for file in workflow.configfiles) or "config"
    raise WorkflowError(f"{files}: {error}")

RESULTS = f"results/{CONFIG['experiment']}"
ENVIRONMENT = "../../envs/stillroom.yaml"
QUERY_SETS = resolve_query_sets(CONFIG)
TEACHER_SEED = CONFIG["seeds"][0]  # teachers, clusterings, in-batch teachers
TRAINED = [name for name, ranker in CONFIG["rankers"].items() if ranker["loss"]]
UNTRAINED = [name for name, ranker in CONFIG["rankers"].items() if not ranker["loss"]]

# The files that make a ranker.
RANKER = f"{RESULTS}/rankers/{{ranker}}/seed-{{seed}}"


def any_of(names):
    """A wildcard constraint that matches these names only."""
    return "|".join(sorted(names)) or "(?!)"


wildcard_constraints:
    corpus=any_of(CONFIG["corpora"]),
    encoder=any_of(CONFIG["encoders"]),
    test_set=any_of(CONFIG["test_sets"]),
    training_set=any_of(CONFIG["training_sets"]),
    query_set=any_of(QUERY_SETS),
    bm25=any_of(CONFIG["bm25"]),
    ranker=any_of(CONFIG["rankers"]),
    seed=r"\d+",
    teacher=any_of(CONFIG["teachers"]),
    clustering=any_of(CONFIG["clusterings"]),
    index=any_of(CONFIG["indexes"]),
    table=any_of(CONFIG["tables"]),
    length_table=any_of(CONFIG["length_tables"]),


def code_of(rule_name, modules=None):
    """The digest of a rule's code: its adaptor and all that it imports; `modules` names what is loaded by name.

    A function of the wildcards, when `modules` is one.
    """
    script = SCRIPTS / f"{rule_name}.py"
    if modules is None:
        return code_of_script(script, SCRIPTS / "stillroom")

    def code(wildcards):
        return code_of_script(script, SCRIPTS / "stillroom", modules(wildcards))

    return code


def ranker_parts(wildcards):
    """The modules that are loaded by name for a ranker."""
    return modules_of_ranker(CONFIG, wildcards.ranker)


def ranker_settings(wildcards):
    """The resolved settings of a ranker."""
    return resolve_ranker(CONFIG, wildcards.ranker)


def passages_of(corpus):
    """The passages of a corpus."""
    return f"{RESULTS}/corpora/{corpus}/passages.parquet"


def tokens_of(corpus, encoder):
    """The token store of a corpus."""
    return f"{RESULTS}/corpora/{corpus}/tokens/{encoder}/tokens.json"


def weights_of(ranker, seed):
    """The weights of a ranker."""
    return f"{RESULTS}/rankers/{ranker}/seed-{seed}/model.safetensors"


def corpus_of(wildcards):
    """The corpus of a test set, a training set or any set of queries."""
    if hasattr(wildcards, "query_set"):
        return QUERY_SETS[wildcards.query_set]["corpus"]
    if hasattr(wildcards, "test_set"):
        return CONFIG["test_sets"][wildcards.test_set]["corpus"]
    return CONFIG["training_sets"][wildcards.training_set]["corpus"]


def corpus_passages(wildcards):
    """The passages that a set of queries searches."""
    return passages_of(corpus_of(wildcards))


def encoder_tokens(wildcards):
    """The token store that a ranker reads, of the corpus that its wildcards name."""
    corpus = getattr(wildcards, "corpus", None) or corpus_of(wildcards)
    return tokens_of(corpus, CONFIG["rankers"][wildcards.ranker]["encoder"])


def versions_of(dataset):
    """The library versions that a data set is made from: `pydocs` only."""
    return library_versions() if dataset.split("/")[0].startswith("pydocs") else {}
