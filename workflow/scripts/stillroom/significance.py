"""Whether a difference between two systems is more than chance."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import ttest_rel


def paired_t_test(one: np.ndarray, other: np.ndarray) -> float:
    """The two-sided p-value of a paired t-test; 1 where the values are equal."""
    return float(ttest_rel(one, other).pvalue) if (one != other).any() else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """The p-values, corrected for being m: the k-th smallest times m - k + 1, and none below that of a smaller one.

    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)).clip(max=1)
    return corrected
