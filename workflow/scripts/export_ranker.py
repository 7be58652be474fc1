"""Rule export_ranker: write the model folder of a ranker that is used as it is."""

from pathlib import Path

from stillroom.checkpoints import export_ranker
from stillroom.log import start_log
from stillroom.settings import ranker_settings

start_log(snakemake.log[0])
export_ranker(
    settings=ranker_settings(snakemake.params.settings),
    model_folder=Path(snakemake.output.weights).parent,
)
