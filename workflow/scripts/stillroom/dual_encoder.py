"""Rankers that represent queries and passages apart from each other, and compare any with any.

Shape suffixes: see `stillroom.ranker`.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch

from stillroom.ranker import Texts
from stillroom.split_ranker import SplitRanker


class DualEncoder(SplitRanker):
    """A ranker whose score is a similarity of two representations; gives in-batch scores and indexes for free."""

    @abstractmethod
    def encode(self, inputs: Texts):
        """The representations of inputs, special tokens and all."""

    def encode_queries(self, queries: Texts):
        return self.encode([self.query_input(query) for query in queries])

    def encode_passages(self, passages: Texts):
        return self.encode([self.passage_input(passage) for passage in passages])

    @abstractmethod
    def similarity(self, queries, passages) -> torch.Tensor:
        """scores_QP of every passage for every query."""

    def score_all(self, queries: Texts, passages: Texts, gather: Callable = lambda own: own) -> torch.Tensor:
        """scores_QP of every passage for every query (in-batch scores); `gather` adds what others have represented."""
        return self.similarity(gather(self.encode_queries(queries)), gather(self.encode_passages(passages)))
