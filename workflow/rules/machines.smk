"""What jobs need of a machine, which of them stay where Snakemake runs, and what is asked of a cluster beforehand.

Memory and time are what a job may take at most, not what it usually takes: a cluster ends it there. Both are estimates
for a GPU of 24 GB and, where a rule has more threads, for eight cores; the second attempt has twice as much of both, and
the third three times. `--set-resources` replaces them, `--resources mem_mb=… runtime=…` caps them.
"""

from stillroom.slurm import SlurmError, check_slurm

ASSUMED_PASSAGES = 1_000_000  # in a corpus whose block in the config does not say how many
GIGABYTES_PER_MILLION = {"compressed": 0.1, "whole": 3.4}  # in an index of 768 dimensions: codes; vectors and links
HOURS_PER_STEP = 1 / 12_500  # of a training: 3.5 steps a second


def gigabytes(base, per_million=0):
    """Memory in MB, a function of the job: `base`, and more for every million passages of its corpus."""

    def mem_mb(wildcards, attempt):
        return round(1000 * attempt * (base + per_million * millions_of_passages(wildcards)))

    return mem_mb


def gigabytes_with_index(base, exact=None):
    """As `gigabytes`, beside an index in memory; `exact` in all for an exact one, where a job reads that in blocks."""

    def mem_mb(wildcards, attempt):
        factory = CONFIG["indexes"][files_of(index_of_job(wildcards))]["factory"]
        if factory == "Flat" and exact is not None:
            return gigabytes(exact)(wildcards, attempt)
        kind = "compressed" if "PQ" in factory and "RFlat" not in factory else "whole"
        return gigabytes(base, GIGABYTES_PER_MILLION[kind])(wildcards, attempt)

    return mem_mb


def hours(base, per_million=0, shards=None):
    """Time in minutes, a function of the job: `base`, and more for every million passages of its corpus.

    `shards` is a function of the job, too: into how many the work beside `base` is cut.
    """

    def runtime(wildcards, attempt):
        part = 1 / shards(wildcards) if shards else 1
        return round(60 * attempt * (base + part * per_million * millions_of_passages(wildcards)))

    return runtime


def training_time(wildcards, attempt):
    """Time in minutes for a ranker's training."""
    training = CONFIG["training"][CONFIG["rankers"][wildcards.ranker]["training"]]
    return round(60 * attempt * (4 + training["steps"] * HOURS_PER_STEP))


def millions_of_passages(wildcards):
    """The passages of a job's corpus, in millions."""
    corpus = corpus_of_job(wildcards)
    return (CONFIG["corpora"][corpus]["passages"] or ASSUMED_PASSAGES) / 1e6 if corpus else 0


def index_of_job(wildcards):
    """The index that a job builds or searches: that of its wildcards, or that which finds a training set's negatives."""
    if "index" in wildcards.keys():
        return wildcards.index
    return CONFIG["training_sets"][wildcards.training_set]["negatives"]["from"]["index"]


def corpus_of_job(wildcards):
    """The corpus of whatever a job's wildcards name; None where they name nothing that has one."""
    if hasattr(wildcards, "corpus"):
        return wildcards.corpus
    if {"query_set", "test_set", "training_set"} & {*wildcards.keys()}:
        return corpus_of(wildcards)
    if hasattr(wildcards, "length_table"):
        return CONFIG["test_sets"][CONFIG["length_tables"][wildcards.length_table]["test_set"]]["corpus"]
    if hasattr(wildcards, "clustering"):
        training_set = CONFIG["clusterings"][wildcards.clustering]["training_set"]
    elif hasattr(wildcards, "ranker"):
        training_set = CONFIG["rankers"][wildcards.ranker]["training_set"]
    else:
        return None
    return CONFIG["training_sets"][training_set]["corpus"] if training_set else None


# What needs the network or the folder of ir_datasets, which the nodes of many clusters have not, or takes seconds. On one
# machine this means nothing.
localrules:
    download_dataset,
    choose_passages,
    fetch_collection,
    fetch_queries,
    fetch_triples,
    fetch_scores,
    fetch_candidates,
    export_ranker,
    check_overlap,


onstart:
    if workflow.executor_plugin.name == "slurm":
        submitted = [job.resources for job in workflow.dag.needrun_jobs() if not job.is_local]
        asked = {(str(job.get("slurm_account") or ""), str(job.get("slurm_partition") or "")) for job in submitted}
        settings = workflow.executor_settings
        try:
            check_slurm(sorted(asked), settings.status_command, settings.init_seconds_before_status_checks)
        except SlurmError as error:
            raise WorkflowError(str(error))
