"""Rule join_vectors: give the file that the shards of a corpus have written its name."""

from pathlib import Path

from stillroom.encoding import join_vectors
from stillroom.log import start_log

start_log(snakemake.log[0])
join_vectors(
    stamp_paths=snakemake.input.stamps,
    tokens_folder=Path(snakemake.input.tokens).parent,
    vectors_path=snakemake.output.vectors,
)
