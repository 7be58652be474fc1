"""Margin-MSE: the student learns the teacher's margins, not its scores."""

import torch

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = True
READS = ()


def margin_mse(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """Mean of ((s⁺ - s⁻) - (t⁺ - t⁻))²; column 0 holds the relevant passage.

    Hofstätter et al. 2020 (arXiv:2010.02666), Margin-MSE. Raw scores on both sides: a student of cosines cannot
    reach a teacher's margins.
    """
    student_margin_BP = student_scores_BP[:, :1] - student_scores_BP[:, 1:]
    teacher_margin_BP = teacher_scores_BP[:, :1] - teacher_scores_BP[:, 1:]
    return (student_margin_BP - teacher_margin_BP).square().mean()
