"""How far the shards of a generation are together: what is reported of each, added up as one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from assay import progress
from assay.progress import Progress

_OF_SHARES = ("generate", "eval_loss")


@dataclass(kw_only=True)
class Summed:
    """What was last reported of so many `shards`, by the pod and how many it had done before: one
    that is made anew goes on with what it had. `listen` is told of all."""

    shards: int
    listen: progress.Listener = field(default_factory=progress.to_lines)
    latest: dict[tuple[str, str], dict[str, Progress]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, pod: str, line: str) -> bool:
        """Take in a line of a pod's log, and return whether it is one of those that are added up,
        which are told by themselves."""
        event = progress.read_line(line)
        if event is None or event.stage not in _OF_SHARES or event.state == "failed":
            return False
        with self.lock:
            reported = self.latest.setdefault((event.stage, event.side), {})
            last = reported.get(pod)
            if last and last.state == "done" != event.state:  # it has begun its next one
                reported[f"{pod}, {len(reported)}"] = last
            reported[pod] = event
            self.listen(self._sum(event, list(reported.values())))
        return True

    def _sum(self, event: Progress, reported: list[Progress]) -> Progress:
        over = len(reported) == self.shards and all(each.state == "done" for each in reported)
        begun = f"{len(reported)} of {self.shards} shards have begun"
        return Progress(
            stage=event.stage,
            side=event.side,
            state="done" if over else "running",
            done=sum(each.done for each in reported),
            total=sum(each.total for each in reported),
            unit=event.unit,
            note=event.note or (begun if len(reported) < self.shards else ""),
            time=time.time(),
        )
