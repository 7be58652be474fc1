"""Model folders: of trained rankers, and of those that are used as they are."""

import json
from pathlib import Path

from stillroom.files import atomic_path, remove
from stillroom.ranker import Ranker
from stillroom.registry import named
from stillroom.settings import RankerSettings


def export_ranker(*, settings: RankerSettings, model_folder: str | Path) -> None:
    """Write the folder of a ranker that is used as it is."""
    write_model(named("architectures", settings.architecture).new(settings), Path(model_folder))


def write_model(model: Ranker, model_folder: Path, curve: list[dict] | None = None) -> None:
    """Write the files of a model folder beside, then move them in: a resumable state stays where it is."""
    with atomic_path(model_folder / "finished") as folder:
        model.save(folder)
        if curve is not None:
            (folder / "training.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
        for file in folder.iterdir():
            target = model_folder / file.name
            remove(target)
            file.replace(target)
    remove(model_folder / "finished")  # by now empty
