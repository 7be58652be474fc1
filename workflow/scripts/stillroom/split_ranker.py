"""Rankers that first represent queries and passages apart from each other, and then score pairs of representations.

Shape suffixes: see `stillroom.ranker`.
"""

from abc import abstractmethod

import torch

from stillroom.ranker import Ranker, Texts


class SplitRanker(Ranker):
    """A ranker that represents each text on its own, so that a text of many pairs is represented once."""

    @abstractmethod
    def encode_queries(self, queries: Texts):
        """The representations of queries."""

    @abstractmethod
    def encode_passages(self, passages: Texts):
        """The representations of passages."""

    @abstractmethod
    def paired_similarity(self, queries, passages) -> torch.Tensor:
        """scores_B of passage i for query i, both given by their representations."""

    def select(self, representations, rows):
        """The representations in these rows, repeated where a row is."""
        return representations[rows]

    def score(self, queries: Texts, passages: Texts) -> torch.Tensor:
        return self.paired_similarity(self.encode_queries(queries), self.encode_passages(passages))

    def score_groups(self, queries: Texts, passages: Texts) -> torch.Tensor:
        """scores_BP, with every query represented once for all of its passages."""
        query_side, passage_side = self.encode_queries(queries), self.encode_passages(passages)
        passage_rows = torch.arange(len(passages))
        query_rows = passage_rows % len(queries)
        scores = self.paired_similarity(self.select(query_side, query_rows), self.select(passage_side, passage_rows))
        return scores.view(-1, len(queries)).T
