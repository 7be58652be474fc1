"""Negative log-likelihood: the relevant passage should be found among all of its group; no teacher."""

import torch
from torch.nn.functional import log_softmax

NEEDS_TEACHER = False
WHOLE_BATCH = False
ONE_RELEVANT = True
READS = ()


def nll(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over queries of -ln q⁺, the softmax of the relevant passage's score (column 0) among all columns.

    Karpukhin et al. 2020 (arXiv:2004.04906), Eq. 2. With one other passage it is RankNet.
    """
    return -log_softmax(student_scores_BP, dim=1)[:, 0].mean()
