"""Names that all stages use: the checked config, folders and wildcards."""

import gc
import os
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards
from snakemake.logging import logger

# Snakemake keeps nearly all that it makes for the graph of the jobs: looking for what it does not keep, as often as Python
# does by itself, takes a tenth of a dry run.
gc.freeze()
gc.set_threshold(50_000, 20, 20)

SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
sys.path.insert(0, str(SCRIPTS))

from stillroom.code import code_of_script
from stillroom.config import (
    cells_that_saw,
    datasets_of,
    kept_of_sample,
    modules_of_ranker,
    rankers_of,
    retrieving_rankers,
    rows_that_saw,
    training_sets_behind,
    resolve_query_sets,
    resolve_ranker,
    sampled_test_sets,
    search_parameters,
    seeds_of,
    stable,
    systems,
    systems_of,
)
from stillroom.config_check import ConfigError, check_config
from stillroom.config_figures import (
    batch_settings,
    cluster_figures,
    cost_figures,
    cost_settings,
    gain_figures,
    gain_settings,
    margin_figures,
    score_figures,
    score_settings,
    trained_behind,
    what_runs,
)
from stillroom.config_files import check_keys_once
from stillroom.config_papers import comparison_settings, compared_rows, paper_table_settings
from stillroom.config_published import REPRODUCTION, explained_cell, lines_of, rungs
from stillroom.config_rankers import finder_of, is_trained
from stillroom.config_report import explored_systems
from stillroom.config_reranking import candidate_file, from_files, rerankings_of
from stillroom.config_teachers import is_url, suffix_of
from stillroom.collections.docstrings import library_versions
from stillroom.published_numbers import as_settings

try:
    check_keys_once(workflow.configfiles)
    CONFIG = check_config(config, Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")
except ConfigError as error:
    files = ", ".join(str(file) for file in workflow.configfiles) or "config"
    raise WorkflowError(f"{files}: {error}")

RESULTS = f"results/{CONFIG['experiment']}"
ENVIRONMENT = "../../envs/stillroom.yaml"
SEEDS = seeds_of(CONFIG, CONFIG["rankers"])
QUERY_SETS = resolve_query_sets(CONFIG)
DATASETS = datasets_of(CONFIG)
SAMPLED_CORPORA = [name for name, corpus in CONFIG["corpora"].items() if corpus["sample"]]
TEACHER_SEED = CONFIG["seeds"][0]  # teachers, clusterings, in-batch teachers, validation candidates
INFERENCE = stable(CONFIG["inference"])
TRAINED = [name for name, ranker in CONFIG["rankers"].items() if is_trained(ranker)]
AVERAGED = [name for name, teacher in CONFIG["teachers"].items() if teacher["average"]]
UNTRAINED = [name for name, ranker in CONFIG["rankers"].items() if not is_trained(ranker)]
BUILT = [name for name, index in CONFIG["indexes"].items() if not index["of"]]

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
    shard=r"\d+",
    teacher=any_of(CONFIG["teachers"]),
    clustering=any_of(CONFIG["clusterings"]),
    index=any_of(CONFIG["indexes"]),
    reranking=any_of(rerankings_of(CONFIG)),
    table=any_of(CONFIG["tables"]),
    length_table=any_of(CONFIG["length_tables"]),
    efficiency_table=any_of(CONFIG["efficiency_tables"]),
    search_table=any_of(CONFIG["search_tables"]),
    ladder=any_of(CONFIG["ladders"]),
    paper_table=any_of(CONFIG["paper_tables"]),
    row=any_of(row for table in CONFIG["paper_tables"].values() for row in table["references"]),
