"""Resumable training state: one safetensors file, replaced as a whole."""

import json
import logging
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stillroom.files import atomic_path, digest, remove

logger = logging.getLogger(__name__)


class ResumeFolder:
    """A training's state beside its declared outputs, which a workflow manager deletes before a rerun.

    `identity` and the contents of the `inputs` say what the training computes; a state of another training is thrown
    away, and the log says what differs.
    """

    def __init__(self, folder: str | Path, *, identity: dict, inputs: dict[str, Path]):
        self.file = Path(folder) / "state.safetensors"
        self.identity = flatten(identity) | {name: digest(path) for name, path in inputs.items()}

    def save(self, trainer) -> None:
        """Write weights, best weights, optimizer state and progress."""
        tensors = {f"model.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in trainer.best_weights.items()}
        for number, state in trainer.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        # a copy each: safetensors refuses tensors that share memory
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        facts = {"identity": json.dumps(self.identity), "progress": json.dumps(asdict(trainer.progress))}
        with atomic_path(self.file) as file:
            save_file(tensors, file, metadata=facts)

    def restore(self, trainer) -> None:
        """Put a saved state of the same training into the trainer; without one, change nothing."""
        if not self.file.exists():
            return
        with safe_open(self.file, framework="pt") as state:
            facts = state.metadata()
            differing = differences(json.loads(facts["identity"]), self.identity)
            if differing:
                logger.warning("starting anew: the interrupted training had another %s", ", ".join(differing))
                return
            tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (not a dict)
        trainer.model.load_state_dict(under("model", tensors))
        trainer.best_weights = under("best", tensors)
        trainer.optimizer.load_state_dict(optimizer_state(trainer.optimizer, under("optimizer", tensors)))
        for name, value in json.loads(facts["progress"]).items():
            setattr(trainer.progress, name, value)
        logger.info("resuming after step %d", trainer.progress.step)

    def remove(self) -> None:
        """Delete the state of a finished training."""
        remove(self.file.parent)


def under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose name starts with the prefix, under the rest of their names."""
    return {k.removeprefix(f"{prefix}."): tensor for k, tensor in tensors.items() if k.startswith(f"{prefix}.")}


def optimizer_state(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> dict:
    """A state dict for the optimizer from tensors named `<parameter number>.<name>`."""
    state: dict[int, dict] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def flatten(settings: dict, prefix: str = "") -> dict:
    """Nested settings as one level of dotted names."""
    flat = {}
    for name, value in settings.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def differences(one: dict, other: dict) -> list[str]:
    """Names whose values differ, with both values."""
    return [
        f"{name} ({one.get(name)} → {other.get(name)})"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]
