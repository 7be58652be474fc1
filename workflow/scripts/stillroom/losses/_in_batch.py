"""Dual supervision: any loss on the passages of the other queries of the batch.

Shape suffixes: Q = queries of the batch, and their relevant passages; P = passages of one kind of all of them.
"""

from collections.abc import Callable

import torch


def in_batch(loss: Callable, student_scores: tuple, teacher_scores: tuple) -> torch.Tensor:
    """Mean of the loss over (own relevant, another's relevant) and over (own relevant, another's other passage).

    Hofstätter et al. 2021 (arXiv:2104.06967), Eq. 7. Each side is a pair (relevant_QQ, other_QP): scores of every
    query for every relevant passage and for every other passage of the batch, the first ones of all queries before
    their second ones where there are several. A query's own `other` passages are left to the loss of its group.
    Differs from the paper: Eq. 7 sums over passages with the factor 1/(2|Q|); as in the authors' code both parts are
    means over the Q·(Q - 1) off-diagonal entries, which the published weight of .75 presumes.
    """
    student_relevant_QQ, student_other_QP = student_scores
    teacher_relevant_QQ, teacher_other_QP = teacher_scores
    with_relevant = loss(
        candidates(student_relevant_QQ, student_relevant_QQ),
        candidates(teacher_relevant_QQ, teacher_relevant_QQ),
    )
    with_other = loss(
        candidates(student_relevant_QQ, student_other_QP), candidates(teacher_relevant_QQ, teacher_other_QP)
    )
    return (with_relevant + with_other) / 2


def candidates(relevant_QQ: torch.Tensor, passages_QP: torch.Tensor) -> torch.Tensor:
    """Scores with a query's own relevant passage in column 0, then the passages of all other queries."""
    count, passages = passages_QP.shape
    is_others = ~torch.eye(count, dtype=torch.bool, device=relevant_QQ.device).repeat(1, passages // count)
    return torch.cat([relevant_QQ.diagonal()[:, None], passages_QP[is_others].view(count, -1)], dim=1)
