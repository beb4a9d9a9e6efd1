"""Which clusters scored samples belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    ClusterNumbers = NDArray[np.int64]


def clusters_of(
    clusters: ClusterNumbers | None, scored: NDArray[np.bool_]
) -> ClusterNumbers | None:
    """Return the clusters of what is `scored`, None where each is alone in its own."""
    kept = None if clusters is None else clusters[scored]
    return None if count_clusters(kept) == scored.sum() else kept


def count_clusters(clusters: ClusterNumbers | None) -> int | None:
    """Return how many clusters there are; None where nothing clusters."""
    return None if clusters is None else len(set(clusters.tolist()))
