"""KL divergence: the student's distribution over a query's passages becomes the teacher's."""

import torch
from torch.nn.functional import kl_div as divergence

NEEDS_TEACHER = True
WHOLE_BATCH = False
ONE_RELEVANT = False
READS = ("temperature",)


def kl_div(
    student_scores_BP: torch.Tensor, teacher_scores_BP: torch.Tensor, *, temperature: float = 1.0
) -> torch.Tensor:
    """Mean over the queries of KL(p ‖ q) = Σ p · ln(p / q), with p = softmax(teacher / T) and q = softmax(student / T).

    Hofstätter et al. 2021 (arXiv:2104.06967), Table 3, "KLDiv", where T is 1.
    Differs from the paper: the authors' code gives softmax(student) to a function that expects its logarithm, so it
    minimises Σ p · (ln p - q), which is no divergence: its gradients vanish where the student is most wrong, and its
    published row is not this loss's. The true divergence has the gradient of ListNet. There is no factor T², so that a
    higher temperature also means a smaller gradient.
    """
    log_student_BP = (student_scores_BP / temperature).log_softmax(dim=1)
    log_teacher_BP = (teacher_scores_BP / temperature).log_softmax(dim=1)
    return divergence(log_student_BP, log_teacher_BP, reduction="batchmean", log_target=True)
