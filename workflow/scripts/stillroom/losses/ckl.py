"""CKL: a KL divergence that spares what the student has right already.

Shape suffixes: B = queries, P = passages of each, N = its other passages, P without the relevant one.
"""

import torch
from torch.nn.functional import log_softmax

NEEDS_TEACHER = True
WHOLE_BATCH = False
READS = ("gamma", "beta", "temperature", "gradient_through_weights")


def ckl(
    student_scores_BP: torch.Tensor,
    teacher_scores_BP: torch.Tensor,
    *,
    gamma: float,
    beta: float,
    temperature: float,
    gradient_through_weights: bool,
) -> torch.Tensor:
    """Mean over queries of Σ w · p · ln(p / q), w = (1 - q)^γ of the relevant passage, q^(γ - β/rank) of the others.

    After Yang et al. 2024 (arXiv:2406.05977), contrastively weighted KL divergence. p and q are the softmax of the
    teacher's and the student's scores over `temperature`; column 0 holds the relevant passage; a rank is the student's,
    among the other passages, 1 for the highest. A relevant passage that the student has high and others that it has
    low weigh little, so that a teacher which is worse there does little harm. γ = β = 0 is the KL divergence.
    Differs from the paper: the exponent of the other passages is known here as γ less a bias by rank only. β/rank, so
    that the higher the student ranks a passage the more it weighs, the mean over queries, the temperature, and weights
    that are constants for the gradient (unless `gradient_through_weights`: then the loss can fall by raising passages
    that the student has too high) are our choice. A group has one relevant passage, and a query with several is in
    a group with each of them.
    """
    teacher_BP = log_softmax(teacher_scores_BP / temperature, dim=1)
    student_BP = log_softmax(student_scores_BP / temperature, dim=1)
    weights_BP = log_weights(student_BP if gradient_through_weights else student_BP.detach(), gamma, beta).exp()
    return (weights_BP * teacher_BP.exp() * (teacher_BP - student_BP)).sum(dim=1).mean()


def log_weights(student_BP: torch.Tensor, gamma: float, beta: float) -> torch.Tensor:
    """ln w_BP from ln q_BP. The relevant passage's 1 - q is the sum of the others' q, of which no digits are lost."""
    others_BN = student_BP[:, 1:]
    ranks_BN = 1 + others_BN.argsort(dim=1, descending=True, stable=True).argsort(dim=1).to(others_BN.dtype)
    return torch.cat([gamma * others_BN.logsumexp(dim=1, keepdim=True), (gamma - beta / ranks_BN) * others_BN], dim=1)
