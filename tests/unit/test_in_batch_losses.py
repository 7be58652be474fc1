"""Every in-batch loss against a NumPy loop over the queries, one by one."""

from functools import partial

import numpy as np
import pytest

from stillroom.losses._in_batch import in_batch
from stillroom.registry import module_of, named, names

RANDOM = np.random.default_rng(4)
SETTINGS = {"ckl": {"gamma": 2.0, "beta": 0.5, "temperature": 3.0}, "kl_div": {"temperature": 2.0}}
TAUGHT = {
    name: partial(named("losses", name), **SETTINGS.get(name, {}))
    for name in names("losses")
    if module_of("losses", name).NEEDS_TEACHER
}
TAUGHT["ckl"] = partial(TAUGHT["ckl"], gradient_through_weights=False)


def scores(*shape):
    return RANDOM.normal(0, 3, shape)


def loop_over_queries(reference, student, teacher):
    """Each query's own relevant passage among the passages of the others, whose columns are query by query."""
    losses, queries = [], len(student[0])
    for query in range(queries):
        lists = []
        for relevant_scores, other_scores in (student, teacher):
            own_list = [relevant_scores[query, query]]
            for owner in range(queries):
                if owner != query:  # not its own relevant passage once more, and not its own other ones
                    own_list += [relevant_scores[query, owner], *other_scores[query, owner::queries]]
            lists.append(own_list)
        losses.append(reference(*lists))
    return np.mean(losses)


@pytest.mark.parametrize("name", TAUGHT)
@pytest.mark.parametrize(("queries", "negatives"), [(2, 1), (3, 1), (7, 1), (2, 3), (4, 2)])
def test_in_batch_losses_agree_with_a_loop_over_queries(name, queries, negatives, of_one_query, torch):
    student, teacher = ((scores(queries, queries), scores(queries, negatives * queries)) for _ in range(2))
    reference = partial(of_one_query[name], **SETTINGS.get(name, {}))
    found = in_batch(TAUGHT[name], *(tuple(map(torch.tensor, side)) for side in (student, teacher)))
    assert found.item() == pytest.approx(loop_over_queries(reference, student, teacher), rel=1e-9)


@pytest.mark.parametrize("name", TAUGHT)
@pytest.mark.parametrize("negatives", [1, 3])
def test_in_batch_a_querys_own_other_passages_get_no_gradient(name, negatives, torch):
    relevant, other = (torch.tensor(scores(4, 4 * kinds), requires_grad=True) for kinds in (1, negatives))
    teacher = torch.tensor(scores(4, 4)), torch.tensor(scores(4, 4 * negatives))
    in_batch(TAUGHT[name], (relevant, other), teacher).backward()
    is_own = torch.eye(4, dtype=torch.bool).repeat(1, negatives)
    assert (other.grad[is_own] == 0).all()
    assert (other.grad[~is_own] != 0).all() and (relevant.grad != 0).all()
