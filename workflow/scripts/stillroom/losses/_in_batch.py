"""A loss on the passages of the other queries of the batch; beside that of the groups, dual supervision.

Shape suffixes: Q = queries of the batch, and their relevant passages; P = passages that are compared.
"""

from collections.abc import Callable

import torch


def in_batch(loss: Callable, student_scores: tuple, teacher_scores: tuple) -> torch.Tensor:
    """The loss of each query's own relevant passage among the relevant and other passages of all other queries.

    Hofstätter et al. 2021 (arXiv:2104.06967), Eq. 7. Each side is a pair (relevant_QQ, other_QP): scores of every
    query for every relevant passage and for every other passage of the batch, the first ones of all queries before
    their second ones where groups have several. A query's own `other` passages are left to the loss of its group.
    Differs from the paper: Eq. 7 sums over passages with the factor 1/(2|Q|); as in the authors' code a loss of pairs
    is a mean over the off-diagonal entries, 2Q·(Q - 1) of triples, which the published weight of .75 presumes. Losses
    of lists have one list per query, without its own `other` passages, which the authors' code lists too.
    """
    return loss(candidates(*student_scores), candidates(*teacher_scores))


def candidates(relevant_QQ: torch.Tensor, other_QP: torch.Tensor) -> torch.Tensor:
    """scores_QP: a query's own relevant passage in column 0, then all passages of all other queries."""
    count, passages_QP = len(relevant_QQ), torch.cat([relevant_QQ, other_QP], dim=1)
    is_others = ~torch.eye(count, dtype=torch.bool, device=relevant_QQ.device).repeat(1, passages_QP.shape[1] // count)
    return torch.cat([relevant_QQ.diagonal()[:, None], passages_QP[is_others].view(count, -1)], dim=1)
