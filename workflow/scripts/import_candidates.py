"""Rule import_candidates: write the candidates of a file as a run."""

from stillroom.candidate_files import import_candidates
from stillroom.log import start_log

start_log(snakemake.log[0])
import_candidates(
    candidates_path=snakemake.input.candidates,
    md5=snakemake.params.settings["md5"],
    queries_path=snakemake.input.queries,
    depth=snakemake.params.settings["depth"],
    run_path=snakemake.output.run,
    tag=snakemake.wildcards.reranking,
)
