"""Rule compare_runs: say how closely runs of ours are those of a publication."""

from stillroom.log import start_log
from stillroom.run_comparisons import compare_runs

start_log(snakemake.log[0])
compare_runs(
    settings=snakemake.params.settings,
    run_paths=snakemake.input.runs,
    metrics_paths=snakemake.input.metrics,
    reference_run_path=snakemake.input.reference_run,
    reference_metrics_path=snakemake.input.reference_metrics,
    baseline_metrics_paths=snakemake.input.baseline_metrics,
    reference_baseline_metrics_paths=snakemake.input.reference_baseline_metrics,
    comparison_path=snakemake.output.comparison,
)
