"""KL divergence: the student learns how the teacher divides its belief among the passages of a query."""

import torch
from torch.nn import functional

NEEDS_TEACHER = True


def kl_div(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """Mean over queries of Σ p · ln(p / q), p the softmax of the teacher's scores and q that of the student's.

    A true KL divergence of two distributions over the passages of a query, in the direction from the teacher.
    """
    student_BP = functional.log_softmax(student_scores_BP, dim=1)
    teacher_BP = functional.log_softmax(teacher_scores_BP, dim=1)
    return functional.kl_div(student_BP, teacher_BP, reduction="batchmean", log_target=True)
