"""The loss that a ranker's settings ask for."""

from collections.abc import Callable
from functools import partial

import torch

from stillroom.registry import module_of, named
from stillroom.settings import CONTRASTIVE, RankerSettings


def ranker_loss(settings: RankerSettings) -> Callable:
    """The loss of a ranker's groups, with the contrastive term beside it where that has a weight."""
    loss, weight = loss_of_groups(settings.loss, settings), settings.contrastive
    if weight is None:
        return loss
    contrastive = loss_of_groups(CONTRASTIVE, settings)

    def both(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None) -> torch.Tensor:
        return loss(student_scores_BP, teacher_scores_BP) + weight * contrastive(student_scores_BP)

    return both


def loss_of_groups(name: str, settings: RankerSettings) -> Callable:
    """The loss of this name for groups whose first columns are `positives` relevant passages."""
    loss, positives = with_settings(name, settings), settings.training.positives
    if positives == 1 or not module_of("losses", name).ONE_RELEVANT:
        return loss

    def of_lists(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None = None) -> torch.Tensor:
        return loss(*(lists(scores_BP, positives) for scores_BP in (student_scores_BP, teacher_scores_BP)))

    return of_lists


def lists(scores_BP: torch.Tensor | None, positives: int) -> torch.Tensor | None:
    """Each relevant passage of a group with all others: `positives` rows per group."""
    if scores_BP is None:
        return None
    relevant_B1, others_BN = scores_BP[:, :positives].reshape(-1, 1), scores_BP[:, positives:]
    return torch.cat([relevant_B1, others_BN.repeat_interleave(positives, dim=0)], dim=1)


def with_settings(name: str, settings: RankerSettings) -> Callable:
    """The loss of this name, given the loss settings that it READS."""
    known = {**settings.loss_settings, "positives": settings.training.positives}
    return partial(named("losses", name), **{key: known[key] for key in module_of("losses", name).READS})
