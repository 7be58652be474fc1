"""Rule index_bm25: index a corpus with Lucene."""

from stillroom.bm25 import index_passages
from stillroom.log import start_log

start_log(snakemake.log[0])
index_passages(
    passages_path=snakemake.input.passages,
    index_folder=snakemake.output.index,
    fields=snakemake.params.fields,
    threads=snakemake.threads,
)
