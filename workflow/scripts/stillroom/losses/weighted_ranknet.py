"""Weighted RankNet: the relevant passage should score above the other, the more so the surer the teacher is."""

import torch
from torch.nn.functional import softplus

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = True
READS = ()


def weighted_ranknet(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """Mean of (t⁺ - t⁻) · ln(1 + exp(-(s⁺ - s⁻))); column 0 holds the relevant passage.

    Hofstätter et al. 2020 (arXiv:2010.02666), Weighted RankNet, in the form of the authors' code: the weight keeps its
    sign. Where the teacher inverts a pair, the loss is negative, and its gradient lowers the student's margin without
    end, since no margin is the smallest.
    In-batch, the other passages are those of other queries: inverted pairs are rare there, and weights large.
    """
    weight_BP = teacher_scores_BP[:, :1] - teacher_scores_BP[:, 1:]
    margin_BP = student_scores_BP[:, :1] - student_scores_BP[:, 1:]
    return (weight_BP * softplus(-margin_BP)).mean()
