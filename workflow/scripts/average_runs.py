"""Rule average_runs: re-rank with the mean of several rankers' scores."""

from stillroom.ensembles import average_runs
from stillroom.log import start_log

start_log(snakemake.log[0])
average_runs(
    run_paths=snakemake.input.runs,
    run_path=snakemake.output.run,
    tag=snakemake.wildcards.teacher,
)
