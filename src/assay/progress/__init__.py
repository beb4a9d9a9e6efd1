"""One progress protocol: stages emit `Progress` events, listeners show or store them.

A stage takes a `Listener` and wraps its loop in `track`; where the events end up (the terminal, a
log, progress.jsonl, a launcher in another pod) is not its business.
"""

from assay.progress.events import Listener, Progress, State, ended_by, ignore, name, tee
from assay.progress.files import following, to_file
from assay.progress.pace import Pace, read_line, to_lines
from assay.progress.track import Tracker, megabytes, moved, track
from assay.progress.waits import STORE, count_waits, telling_waits, waits
from assay.text import clock

__all__ = [
    "STORE",
    "Listener",
    "Pace",
    "Progress",
    "State",
    "Tracker",
    "clock",
    "count_waits",
    "ended_by",
    "following",
    "ignore",
    "megabytes",
    "moved",
    "name",
    "read_line",
    "tee",
    "telling_waits",
    "to_file",
    "to_lines",
    "track",
    "waits",
]
