"""What an exit code says: one table for every command and task."""

from __future__ import annotations

from collections.abc import Mapping

DONE, FAILED, REFUSED, INCONCLUSIVE, GOES_ON, CANCELED = 0, 1, 2, 3, 4, 5
INTERRUPTED, UNREAD = 130, 141  # as shells say it: 128 and the number of SIGINT, of SIGPIPE

MEANINGS: Mapping[int, str] = {
    DONE: "done; of a run on a cluster: it succeeded; of a gate: GO",
    FAILED: "failed: a stage, or a run on a cluster; of a gate: NO-GO",
    REFUSED: "refused: the input has to be corrected, and nothing was started",
    INCONCLUSIVE: "the gate is INCONCLUSIVE, also that of a run on a cluster",
    GOES_ON: "`status`: the run on the cluster goes on",
    CANCELED: "the run on the cluster was canceled",
    INTERRUPTED: "interrupted: the same command takes it up again; a run on a cluster goes on",
    UNREAD: "whoever read the output went away first, as `| head` does",
}
