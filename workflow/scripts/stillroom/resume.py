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
    away, and the log says what differs. `machine` counts on what: other numbers go on, but round in other places.
    A state is that between two optimizer steps, so no sum of gradients is ever under way.
    """

    def __init__(self, folder: str | Path, *, identity: dict, inputs: dict[str, Path], machine: dict):
        self.file = Path(folder) / "state.safetensors"
        self.identity = flatten(identity) | {name: digest(path) for name, path in inputs.items()}
        self.machine = machine

    def save(self, trainer) -> None:
        """Write weights, best weights, optimizer state, loss scale and progress."""
        tensors = {f"model.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in trainer.best_weights.items()}
        for number, state in trainer.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        # a copy each: safetensors refuses tensors that share memory
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        facts = {
            "identity": self.identity,
            "machine": self.machine,
            "progress": asdict(trainer.progress),
            "scaler": trainer.scaler.state_dict(),
        }
        with atomic_path(self.file) as file:
            save_file(tensors, file, metadata={name: json.dumps(fact) for name, fact in facts.items()})

    def restore(self, trainer) -> None:
        """Put a saved state of the same training into the trainer; without one, change nothing."""
        if not self.file.exists():
            return
        with safe_open(self.file, framework="pt") as state:
            facts = {name: json.loads(fact) for name, fact in state.metadata().items()}
            if differing := differences(facts["identity"], self.identity):
                logger.warning("starting anew: the interrupted training had another %s", ", ".join(differing))
                return
            if differing := differences(facts["machine"], self.machine):
                logger.warning(
                    "resuming with another number of %s: the weights will not be, bit by bit, those of an "
                    "uninterrupted training",
                    ", ".join(differing),
                )
            tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 (not a dict)
        trainer.model.load_state_dict(under("model", tensors))
        trainer.best_weights = under("best", tensors)
        trainer.optimizer.load_state_dict(optimizer_state(trainer.optimizer, under("optimizer", tensors)))
        trainer.scaler.load_state_dict(facts["scaler"])
        for name, value in facts["progress"].items():
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
