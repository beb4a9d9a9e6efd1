"""Per-sample scores to metrics with intervals, and the paired comparison of two sides.

Intervals are 95% (assay.intervals). What a metric is (which way is better, how far it can go) is
handed in as `specs`, by name: nothing here knows a metric by its name.
"""

from assay.stats.association import rank_correlation, weighted_kappa
from assay.stats.comparison import compare, compare_with, difference_interval, paired_difference
from assay.stats.metrics import summarise
from assay.stats.multiplicity import holm
from assay.stats.scores import SideScores, collect, joined, split
from assay.stats.specs import Specs, spec_of

__all__ = [
    "SideScores",
    "Specs",
    "collect",
    "compare",
    "compare_with",
    "difference_interval",
    "holm",
    "joined",
    "paired_difference",
    "rank_correlation",
    "spec_of",
    "split",
    "summarise",
    "weighted_kappa",
]
