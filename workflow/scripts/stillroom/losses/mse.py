"""Pointwise MSE: the student learns the teacher's scores themselves."""

import torch

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = True
READS = ()


def mse(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """½ · (mean of (s⁺ - t⁺)² + mean of (s⁻ - t⁻)²); column 0 holds the relevant passage.

    Hofstätter et al. 2020 (arXiv:2010.02666), pointwise MSE, in the form of the authors' code. Raw scores on both
    sides; Margin-MSE forgives a constant that is added to all scores of a query, this loss does not.
    With several other passages it is the mean over the pairs (relevant, other), so the relevant one keeps half of the
    weight: in-batch, the passages of the other queries do not drown a query's own.
    """
    error_BP = (student_scores_BP - teacher_scores_BP).square()
    return (error_BP[:, 0].mean() + error_BP[:, 1:].mean()) / 2
