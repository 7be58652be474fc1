"""In-batch negatives: for every query the passages of the whole batch, without those that are relevant for it.

Shape suffixes: Q = queries of the batch, and their relevant passages; P = passages that they are compared with.
"""

import numpy as np
import torch

from stillroom.registry import module_of
from stillroom.triples import Triples, pair_keys


class BatchNegatives:
    """Which passages of a batch are negatives of which of its queries.

    Karpukhin et al. 2020 (arXiv:2004.04906), Sec. 3.2: the other queries' relevant passages, and the other passages of
    all queries, the query's own included ("gold" negatives and one of BM25).
    Differs from the paper: a passage that any training triple says to be relevant for the query is no negative of it.
    Otherwise a batch with two triples of a query would have it both prefer and avoid the same passage.
    """

    def __init__(self, groups: Triples, triples: Triples):
        """Groups as they are drawn, and the triples that they are made of, some of which may be in none."""
        self.groups = groups
        self.relevant_keys = np.unique(pair_keys(triples.query, triples.positive))  # sorted

    def candidates(self, relevant_QQ: torch.Tensor, other_QP: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """scores_QP of the groups in these rows: a query's own relevant passage, then those of the batch.

        -inf where a passage is no negative, as the own relevant one is not.
        """
        is_relevant_QP = torch.as_tensor(self.is_relevant(rows), device=relevant_QQ.device)
        negatives_QP = torch.cat([relevant_QQ, other_QP], dim=1).masked_fill(is_relevant_QP, float("-inf"))
        return torch.cat([relevant_QQ.diagonal()[:, None], negatives_QP], dim=1)

    def is_relevant(self, rows: np.ndarray) -> np.ndarray:
        """(Q, P) whether the relevant, and then the other passages of these groups are relevant for each query."""
        passages = np.concatenate([*self.groups.positive[rows].T, *self.groups.negative[rows].T])
        keys = pair_keys(self.groups.query[rows][:, None], passages[None])
        places = np.searchsorted(self.relevant_keys, keys).clip(max=len(self.relevant_keys) - 1)
        return self.relevant_keys[places] == keys


def batch_negatives(loss: str | None, groups: Triples, triples: Triples) -> BatchNegatives | None:
    """The in-batch negatives of the groups, if a loss reads them."""
    return BatchNegatives(groups, triples) if loss and module_of("losses", loss).WHOLE_BATCH else None
