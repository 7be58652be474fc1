"""ListNet: the cross-entropy of the teacher's and the student's distributions over a query's passages."""

import torch

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = False
READS = ()


def listnet(student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor) -> torch.Tensor:
    """Mean over the queries of -Σ p · ln q, with p = softmax(teacher) and q = softmax(student).

    Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach", the top-one probabilities. The KL
    divergence plus the entropy of the teacher, which no student changes: the gradients are the same.
    """
    return -(teacher_scores_BP.softmax(dim=1) * student_scores_BP.log_softmax(dim=1)).sum(dim=1).mean()
