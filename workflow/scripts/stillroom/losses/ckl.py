"""CKL: a KL divergence that spares what the student has right already.

Shape suffixes: B = queries, P = passages of each, R = its relevant passages, N = its other passages.
"""

import torch
from torch.nn.functional import log_softmax

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = False
READS = ("gamma", "beta", "temperature", "gradient_through_weights", "positives")


def ckl(
    student_scores_BP: torch.Tensor,
    teacher_scores_BP: torch.Tensor,
    *,
    gamma: float,
    beta: float,
    temperature: float,
    gradient_through_weights: bool,
    positives: int = 1,
) -> torch.Tensor:
    """Mean over queries of Σ w · p · ln(p / q), w = (1 - q)^γ of a relevant passage, q^(γ - β/rank) of another one.

    After Yang et al. 2024 (arXiv:2406.05977), contrastively weighted KL divergence. p and q are the softmax of the
    teacher's and the student's scores over `temperature`; the first columns are the `positives` relevant passages; a
    rank is the student's, among the other passages, 1 for the highest. Relevant passages that the student has high and
    others that it has low weigh little, so that a teacher which is worse there does little harm. γ = β = 0 is the KL
    divergence.
    Differs from the paper: the exponent of the other passages is known here as γ less a bias by rank only. β/rank, so
    that the higher the student ranks a passage the more it weighs, the mean over queries, the temperature, and weights
    that are constants for the gradient (unless `gradient_through_weights`: then the loss can fall by raising passages
    that the student has too high) are our choice, as is that there is no factor T².
    """
    teacher_BP = log_softmax(teacher_scores_BP / temperature, dim=1)
    student_BP = log_softmax(student_scores_BP / temperature, dim=1)
    weighed_BP = student_BP if gradient_through_weights else student_BP.detach()
    weights_BP = log_weights(weighed_BP, gamma, beta, positives).exp()
    return (weights_BP * teacher_BP.exp() * (teacher_BP - student_BP)).sum(dim=1).mean()


def log_weights(student_BP: torch.Tensor, gamma: float, beta: float, positives: int) -> torch.Tensor:
    """ln w_BP from ln q_BP. A relevant passage's 1 - q is the sum of all others' q, of which no digits are lost."""
    is_own_RP = torch.eye(positives, student_BP.shape[1], dtype=torch.bool, device=student_BP.device)
    missing_BR = student_BP[:, None].masked_fill(is_own_RP, float("-inf")).logsumexp(dim=2)
    others_BN = student_BP[:, positives:]
    ranks_BN = 1 + others_BN.argsort(dim=1, descending=True, stable=True).argsort(dim=1).to(others_BN.dtype)
    return torch.cat([gamma * missing_BR, (gamma - beta / ranks_BN) * others_BN], dim=1)
