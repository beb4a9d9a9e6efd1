"""Answers to samples of one cluster, which tell less than as many that are independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.cases import cluster_numbers
from assay.intervals import mean_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Together:
    """The cluster of each labelled pair of a side and of each of its scores, in their order, ""
    for one of its own; empty where nothing clusters."""

    pairs: Sequence[str] = ()
    scores: Sequence[str] = ()


ALONE = Together()


def numbers(names: Sequence[str]) -> NDArray[np.int64] | None:
    """Return a number for each one's cluster; None where each is its own."""
    return cluster_numbers(names) if names else None


def design_effect(values: Sequence[float], names: Sequence[str]) -> float:
    """Return how many such values tell as much as one that is independent: the variance of their
    mean over clusters, over that without (Kish 1965, "Survey Sampling"), 1 at least. Where none
    varies, the mean size of a cluster."""
    import numpy as np

    clusters = numbers(names)
    if clusters is None:
        return 1.0
    of = np.array(values, np.float64)
    alone, clustered = mean_error(of), mean_error(of, clusters)
    if not alone:
        return len(of) / len(set(clusters.tolist()))
    return min(float(len(of)), max(1.0, (clustered / alone) ** 2))
