"""The life of one run: its tasks, one after the other, each in a pod that is made again when it was
taken away, as Argo does, and when it has failed, as who presses Retry in KFP does."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.judging import GIVEN
from tests.chaos.tasks import Tasks
from tests.cluster.runs import Run

STAGES = ("finetune", "generate", "judge")
RETRIES = 3
LOOK_SECONDS = 1.0


@dataclass(kw_only=True)
class Life:
    """A run, its `tasks`, and its judge's `endpoint`; `settings` are the section cluster. Of what
    happened: the pods' `logs`, the `causes` of tries that failed, and whether it `succeeded`."""

    run: Run
    tasks: Tasks
    endpoint: str
    settings: dict[str, Any]
    logs: dict[str, str] = field(default_factory=dict)
    causes: list[str] = field(default_factory=list)
    succeeded: bool = False
    made: int = 0
    keeping: threading.Lock = field(default_factory=threading.Lock)

    def live(self) -> None:
        """Run the tasks to their ends."""
        self.succeeded = all(self._is_done(stage) for stage in STAGES)

    def pod(self, stage: str) -> str:
        """Return the name of a task's pod."""
        return f"{self.run.name}-{stage}"

    def keep_log(self, pod: str) -> str:
        """Keep what a pod has written so far, which goes with it."""
        said = self.run.log(pod)
        with self.keeping:
            self.logs[f"{pod}/{self.made}"] = said
        return said

    def _is_done(self, stage: str) -> bool:
        for _ in range(1 + RETRIES):
            if self._try(stage):
                return True
            self.causes.append(_cause(self.keep_log(self.pod(stage))))
            self._remove(stage)
        return False

    def _try(self, stage: str) -> bool:
        """Return whether a task's pod, or one that was made in its place, succeeded."""
        while True:
            phase = self.run.phase(self.pod(stage))
            if not phase:
                self._make(stage)
            if phase in ("Succeeded", "Failed") and not self.run.is_going(self.pod(stage)):
                self.keep_log(self.pod(stage))
                return phase == "Succeeded"
            time.sleep(LOOK_SECONDS)

    def _make(self, stage: str) -> None:
        self.made += 1
        pod = self.pod(stage)
        if stage == "judge":
            given = json.dumps(self.tasks.judging(self.endpoint))
            self.run.run(pod, ["python", "-u", "-m", "tests.chaos.judging"], {GIVEN: given})
            return
        work = self.tasks.tuning if stage == "finetune" else self.tasks.answering
        self.run.launch(work, pod, **self.tasks.worker(stage), **self.settings)

    def _remove(self, stage: str) -> None:
        command = ("delete", "pod", self.pod(stage), "-n", self.run.space.name)
        self.run.space.cluster.run(*command, "--ignore-not-found")


def _cause(log: str) -> str:
    """Return why a task says that it failed, "" where it does not say it."""
    said = re.findall(r"^assay: (.*)", log, re.MULTILINE)
    return said[-1] if said else ""
