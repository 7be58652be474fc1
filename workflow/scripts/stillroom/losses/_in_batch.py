"""Dual supervision: any loss on the passages of the other queries of the batch.

Shape suffixes: Q = queries of the batch, and their relevant and other passages; P = passages that are compared.
"""

from collections.abc import Callable

import torch


def in_batch(loss: Callable, student_scores: tuple, teacher_scores: tuple) -> torch.Tensor:
    """The loss of each query's own relevant passage among the relevant and other passages of all other queries.

    Hofstätter et al. 2021 (arXiv:2104.06967), Eq. 7. Each side is a pair (relevant_QQ, other_QQ): scores of every
    query for every relevant passage and for every other passage of the batch. A query's own `other` passage is left
    to the pairwise loss.
    Differs from the paper: Eq. 7 sums over passages with the factor 1/(2|Q|); as in the authors' code a loss of pairs
    is a mean over the 2Q·(Q - 1) off-diagonal entries, which the published weight of .75 presumes. Losses of lists have
    one list per query, without its own `other` passage, which the authors' code lists too.
    """
    return loss(candidates(*student_scores), candidates(*teacher_scores))


def candidates(relevant_QQ: torch.Tensor, other_QQ: torch.Tensor) -> torch.Tensor:
    """scores_QP: a query's own relevant passage in column 0, then both passages of all other queries."""
    scores_QP = torch.cat([relevant_QQ, other_QQ], dim=1)
    count, passages = scores_QP.shape
    is_others = ~torch.eye(count, dtype=torch.bool, device=scores_QP.device).repeat(1, passages // count)
    return torch.cat([relevant_QQ.diagonal()[:, None], scores_QP[is_others].view(count, -1)], dim=1)
