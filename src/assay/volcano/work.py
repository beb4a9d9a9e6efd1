"""What a launcher asks of its workers, and what they answer: small, plain and without secrets.

The work goes to the workers in an environment variable; their answer comes back as the termination
message of the first worker's container, which Kubernetes keeps with the pod.
"""

from __future__ import annotations

import json
import signal
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import AssayError
from assay.queues import Work

WORK = "ASSAY_WORK"
SHARDS, PODS = "ASSAY_SHARDS", "ASSAY_PODS"  # into how many a generation is cut, and who does them
MESSAGE = Path("/dev/termination-log")
MESSAGE_BYTES = 4_096  # Kubernetes cuts it there
TAKEN_AWAY = 128 + signal.SIGTERM
"""The exit code of a worker whose pod is taken away."""
_CUT = " ..."


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a worker ended: the artifact's `metadata`, or `what` failed and the `remedy`."""

    exit_code: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    what: str = ""
    remedy: str = ""


def to_text(work: Work) -> str:
    """Return the work as JSON."""
    return store.to_json(work).decode()


def from_text(text: str) -> Work:
    """Return the work that `to_text` wrote."""
    return Work(**json.loads(text))


def failure(error: AssayError) -> Ending:
    """Return the ending of a worker whose stage failed, cut to what Kubernetes keeps."""
    return _fitting(
        Ending(exit_code=error.exit_code, what=error.what, remedy=error.remedy), ("what", "remedy")
    )


def _fitting(ending: Ending, names: Sequence[str]) -> Ending:
    """Return `ending` with its texts `names` cut, the first one first, until it fits as JSON, which
    writes a quote as two bytes and a control character as six."""
    for name in names:
        if _fits(ending):
            break
        lengths = range(len(getattr(ending, name)) + 1)
        most = bisect_left(lengths, True, key=lambda n: not _fits(_with_cut(ending, name, n))) - 1
        ending = _with_cut(ending, name, max(most, 0))
    return ending


def _with_cut(ending: Ending, name: str, length: int) -> Ending:
    return replace(ending, **{name: getattr(ending, name)[:length] + _CUT})


def _fits(ending: Ending) -> bool:
    return len(store.to_json(ending)) <= MESSAGE_BYTES


def read_ending(message: str) -> Ending | None:
    """Return the ending in a container's termination message, or None where it is none: a worker
    that was killed leaves the end of its log there."""
    try:
        told = json.loads(message)
    except ValueError:
        return None
    return Ending(**told) if isinstance(told, dict) and "exit_code" in told else None
