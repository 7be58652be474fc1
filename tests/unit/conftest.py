"""What tests of losses share: every loss that needs a teacher, by its formula, for one query at a time.

A reference takes the student's and the teacher's scores of one query's passages, the relevant one first, and loops over
the passages. The loss of a batch is the mean of its queries.
"""

import math

import pytest


def softmax(scores):
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def kl_div(student, teacher, *, temperature=1.0):
    p, q = (softmax([score / temperature for score in scores]) for scores in (teacher, student))
    return sum(wanted * math.log(wanted / found) for wanted, found in zip(p, q, strict=True))


def listnet(student, teacher):
    return -sum(p * math.log(q) for p, q in zip(softmax(teacher), softmax(student), strict=True))


def ckl(student, teacher, *, gamma, beta, temperature, positives=1, weighed=None):
    """With the weights of the student's scores, or of `weighed` ones in their place."""
    weighed = student if weighed is None else weighed
    p, q, own_q = (softmax([score / temperature for score in scores]) for scores in (teacher, student, weighed))
    others = own_q[positives:]
    ranks = [1 + sum(other > own for other in others) for own in others]
    weights = [(1 - own) ** gamma for own in own_q[:positives]]
    weights += [own ** (gamma - beta / rank) for own, rank in zip(others, ranks, strict=True)]
    return sum(weight * wanted * math.log(wanted / found) for weight, wanted, found in zip(weights, p, q, strict=True))


def lambdarank(student, teacher):
    """Every pair is exchanged, and nDCG computed anew."""
    gains = softmax(teacher)

    def dcg(order):
        return sum(gains[passage] / math.log2(1 + rank) for rank, passage in enumerate(order, 1))

    order = sorted(range(len(student)), key=lambda passage: -student[passage])
    ideal = dcg(sorted(range(len(gains)), key=lambda passage: -gains[passage]))
    loss = 0.0
    for better in range(len(student)):
        for worse in range(len(student)):
            if teacher[better] > teacher[worse]:
                other = {better: worse, worse: better}
                exchanged = [other.get(passage, passage) for passage in order]
                change = abs(dcg(exchanged) - dcg(order)) / ideal
                loss += change * math.log1p(math.exp(student[worse] - student[better]))
    return loss


def mean_over_pairs(loss, student, teacher):
    """Of the relevant passage with each of the others: loss(student's scores of the two, teacher's)."""
    others = range(1, len(student))
    return sum(loss((student[0], student[p]), (teacher[0], teacher[p])) for p in others) / len(others)


def margin_mse(student, teacher):
    return mean_over_pairs(lambda s, t: ((s[0] - s[1]) - (t[0] - t[1])) ** 2, student, teacher)


def mse(student, teacher):
    return mean_over_pairs(lambda s, t: ((s[0] - t[0]) ** 2 + (s[1] - t[1]) ** 2) / 2, student, teacher)


def weighted_ranknet(student, teacher):
    return mean_over_pairs(lambda s, t: (t[0] - t[1]) * math.log1p(math.exp(s[1] - s[0])), student, teacher)


REFERENCES = (kl_div, listnet, ckl, lambdarank, margin_mse, mse, weighted_ranknet)


@pytest.fixture(scope="session")
def of_one_query():
    """Name of a loss that needs a teacher → its reference for one query."""
    return {reference.__name__: reference for reference in REFERENCES}
