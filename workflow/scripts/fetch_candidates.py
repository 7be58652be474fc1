"""Rule fetch_candidates: download a file of candidates."""

from stillroom.candidate_files import fetch_candidates
from stillroom.log import start_log

start_log(snakemake.log[0])
fetch_candidates(
    url=snakemake.params.settings["file"],
    md5=snakemake.params.settings["md5"],
    path=snakemake.output.candidates,
)
