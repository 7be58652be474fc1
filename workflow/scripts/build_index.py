"""Rule build_index: index the passages' vectors with faiss."""

from stillroom.indexes import build_index
from stillroom.log import start_log

start_log(snakemake.log[0])
build_index(
    vectors_path=snakemake.input.vectors,
    passages_path=snakemake.input.passages,
    index_folder=snakemake.output.index,
    **snakemake.params.settings,
    threads=snakemake.threads,
)
