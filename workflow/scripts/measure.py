"""Rule measure: measure one run."""

from stillroom.log import start_log
from stillroom.measures import measure

start_log(snakemake.log[0])
measure(
    run_path=snakemake.input.run,
    qrels_path=snakemake.input.qrels,
    queries_path=snakemake.input.queries,
    passages_path=snakemake.input.passages,
    system=snakemake.wildcards.system,
    test_set=snakemake.wildcards.test_set,
    measures=snakemake.params.settings["measures"],
    min_relevance=snakemake.params.settings["min_relevance"],
    metrics_path=snakemake.output.metrics,
)
