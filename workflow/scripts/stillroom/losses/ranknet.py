"""RankNet: the relevant passage should score above the other; no teacher."""

import torch
from torch.nn.functional import softplus

NEEDS_TEACHER = False
WHOLE_BATCH = False
ONE_RELEVANT = True
READS = ()


def ranknet(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None = None) -> torch.Tensor:
    """Mean of ln(1 + exp(-(s⁺ - s⁻))), the cross-entropy of "the relevant passage wins" (column 0 is relevant).

    Burges et al. 2005, "Learning to rank using gradient descent", Eq. 3 with target probability 1.
    """
    margin_BP = student_scores_BP[:, :1] - student_scores_BP[:, 1:]
    return softplus(-margin_BP).mean()
