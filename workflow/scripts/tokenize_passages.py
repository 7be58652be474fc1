"""Rule tokenize_passages: write the token store of a corpus."""

from pathlib import Path

from stillroom.log import start_log
from stillroom.tokenization import tokenize_passages

start_log(snakemake.log[0])
tokenize_passages(
    passages_path=snakemake.input.passages,
    weights=snakemake.params.settings["weights"],
    revision=snakemake.params.settings["revision"],
    tokens_folder=Path(snakemake.output.ids).parent,
)
