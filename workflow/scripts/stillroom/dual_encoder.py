"""Rankers that represent queries and passages apart from each other.

Shape suffixes: see `stillroom.ranker`.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch

from stillroom.ranker import Ranker, Texts


class DualEncoder(Ranker):
    """A ranker whose score is a similarity of two representations; gives in-batch scores and indexes for free."""

    @abstractmethod
    def encode_queries(self, queries: Texts) -> torch.Tensor:
        """The representations of queries."""

    @abstractmethod
    def encode_passages(self, passages: Texts) -> torch.Tensor:
        """The representations of passages."""

    @abstractmethod
    def similarity(self, queries, passages) -> torch.Tensor:
        """scores_QP of every passage for every query."""

    @abstractmethod
    def paired_similarity(self, queries, passages) -> torch.Tensor:
        """scores_B of passage i for query i."""

    def select(self, representations, rows):
        """The representations in these rows, repeated where a row is."""
        return representations[rows]

    def score(self, queries: Texts, passages: Texts) -> torch.Tensor:
        return self.paired_similarity(self.encode_queries(queries), self.encode_passages(passages))

    def score_triples(self, queries: Texts, positives: Texts, negatives: Texts) -> torch.Tensor:
        """scores_B2, with every query represented once for both of its passages."""
        query_side, passage_side = self.encode_queries(queries), self.encode_passages([*positives, *negatives])
        query_rows, passage_rows = torch.arange(len(queries)).repeat(2), torch.arange(2 * len(queries))
        scores = self.paired_similarity(self.select(query_side, query_rows), self.select(passage_side, passage_rows))
        return scores.view(2, -1).T

    def score_all(self, queries: Texts, passages: Texts, gather: Callable = lambda own: own) -> torch.Tensor:
        """scores_QP of every passage for every query (in-batch scores); `gather` adds what others have represented."""
        return self.similarity(gather(self.encode_queries(queries)), gather(self.encode_passages(passages)))
