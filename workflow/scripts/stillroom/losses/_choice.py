"""The loss that a ranker's settings ask for."""

from collections.abc import Callable
from functools import partial

import torch

from stillroom.registry import module_of, named
from stillroom.settings import CONTRASTIVE, RankerSettings


def ranker_loss(settings: RankerSettings) -> Callable:
    """The loss of a ranker's groups, with the contrastive term beside it where that has a weight."""
    loss, weight = with_settings(settings.loss, settings), settings.contrastive
    if weight is None:
        return loss
    contrastive = named("losses", CONTRASTIVE)

    def both(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None) -> torch.Tensor:
        return loss(student_scores_BP, teacher_scores_BP) + weight * contrastive(student_scores_BP)

    return both


def with_settings(name: str, settings: RankerSettings) -> Callable:
    """The loss of this name, given the loss settings that it READS."""
    reads = module_of("losses", name).READS
    return partial(named("losses", name), **{key: settings.loss_settings[key] for key in reads})
