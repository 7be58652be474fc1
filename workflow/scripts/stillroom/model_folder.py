"""Model folders, written whole or not at all."""

import json
from pathlib import Path

from stillroom.files import atomic_path, remove
from stillroom.ranker import Ranker


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
