"""stillroom: ranking distillation, from the collection to the paper's table.

The files below stand in the order in which the data passes through them.
"""

from snakemake.utils import min_version

min_version("9.27")


# Each experiment file is complete: Snakemake merges config files, so this one is read only when no other is given.
if "experiment" not in config:

    configfile: "config.yaml"


# Used with `--sdm apptainer` only.
container: "envs/stillroom.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/lookups.smk"
include: "workflow/rules/machines.smk"
include: "workflow/rules/collections.smk"
include: "workflow/rules/bm25.smk"
include: "workflow/rules/training_data.smk"
include: "workflow/rules/rankers.smk"
include: "workflow/rules/teacher_scores.smk"
include: "workflow/rules/query_clusters.smk"
include: "workflow/rules/candidates.smk"
include: "workflow/rules/retrieval.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/reproduction.smk"
include: "workflow/rules/reports.smk"
include: "workflow/rules/report.smk"


rule all:
    """Every table and figure of the experiment."""
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
