"""LambdaRank: pairs of passages in the teacher's order, weighted by what their exchange changes in nDCG.

Shape suffixes: B = queries, P = passages of a query.
"""

import torch
from torch.nn.functional import softplus

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = False
READS = ()


def lambdarank(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """Mean over the queries of Σ |ΔnDCG(i, j)| · ln(1 + exp(-(s_i - s_j))), over pairs with t_i > t_j.

    Burges 2010, "From RankNet to LambdaRank to LambdaMART", as a loss: Wang et al. 2018, "The LambdaLoss framework
    for ranking metric optimization". The gain of a passage is the teacher's softmax over the query's
    passages, the discount is that of its rank by the student's scores, and neither has a gradient.
    Differs from the paper: arXiv:2104.06967 only names the loss. The authors' code adds 2 to probabilities above .001,
    makes gains of 2^x - 1 of them, and sums over the queries of the batch.
    """
    gain_BP = teacher_scores_BP.softmax(dim=1)
    rank_BP = student_scores_BP.detach().argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    discount_BP = 1 / torch.log2(rank_BP.to(gain_BP.dtype) + 2)
    ideal_B = (gain_BP.sort(dim=1, descending=True).values * discount_BP.sort(dim=1, descending=True).values).sum(dim=1)
    change_BPP = differences(gain_BP) * differences(discount_BP) / ideal_B[:, None, None]
    lost_BPP = softplus(-differences(student_scores_BP))
    is_ordered_BPP = differences(teacher_scores_BP) > 0
    return (change_BPP.abs() * lost_BPP * is_ordered_BPP).sum(dim=(1, 2)).mean()


def differences(values_BP: torch.Tensor) -> torch.Tensor:
    """values_BPP: value i minus value j."""
    return values_BP[:, :, None] - values_BP[:, None, :]
