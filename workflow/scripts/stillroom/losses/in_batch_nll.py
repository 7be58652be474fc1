"""In-batch negative log-likelihood: a query's relevant passage against all other passages of the batch; no teacher."""

import torch

from stillroom.losses.nll import nll

NEEDS_TEACHER = False
WHOLE_BATCH = True
ONE_RELEVANT = True
READS = ()


def in_batch_nll(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor | None = None) -> torch.Tensor:
    """Mean of -ln(exp(s⁺) / Σ_p exp(s_p)) over all passages p, the relevant one (column 0) included.

    Karpukhin et al. 2020 (arXiv:2004.04906), Eq. 2 and Sec. 3.2. A passage with the score -inf does not count.
    Cosines need a temperature: they differ by 2 at most, so with P passages the loss cannot fall below
    ln(1 + (P - 1) · exp(-2)), and most of its gradient pushes passages apart that nobody would confuse.
    """
    return nll(student_scores_BP)
