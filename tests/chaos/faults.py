"""The faults: which one comes when, and what of, is a matter of the seed and of what there is."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.life import Life
from tests.chaos.outages import Gate
from tests.cluster.kube import Object, Space

BETWEEN_SECONDS = (3.0, 9.0)
DEATH_SECONDS = 5.0  # a container outlives its pod's deletion a moment
AWAY_SECONDS = (4.0, 25.0)
KILLS = ("launcher", "drain", "worker", "worker", "judging", "judging", "process")
CHILDREN = (b"tests.chaos.training", b"tests.chaos.answering")


@dataclass(kw_only=True)
class Faults:
    """Does something to the runs in `space` every few seconds; what it `did`, from when to when."""

    space: Space
    lives: list[Life]
    gates: dict[str, Gate]
    choice: random.Random
    did: list[tuple[float, float, str]] = field(default_factory=list)

    def until(self, end: float) -> None:
        """Go on until a time by time.monotonic."""
        while time.monotonic() < end:
            time.sleep(self.choice.uniform(*BETWEEN_SECONDS))
            kind = self.choice.choice((*KILLS, *self.gates))
            begun = time.time()
            done = self._outage(kind) if kind in self.gates else self._kill(kind)
            if done:
                self.did.append((begun, time.time() + DEATH_SECONDS, done))
                print(f"{time.strftime('%H:%M:%S')} {done}", flush=True)

    def _outage(self, name: str) -> str:
        seconds, silent = self.choice.uniform(*AWAY_SECONDS), self.choice.random() < 0.3
        self.gates[name].leave(seconds, silent=silent)
        return f"{name} is {'silent' if silent else 'away'} for {seconds:.0f} s"

    def _kill(self, kind: str) -> str:
        if kind == "process":
            return self._kill_process()
        chosen: Callable[[str], bool] = {
            "launcher": lambda pod: pod.endswith(("-finetune", "-generate")),
            "drain": lambda pod: pod.endswith(("-finetune", "-generate")),
            "judging": lambda pod: pod.endswith("-judge"),
            "worker": lambda pod: pod.startswith("assay-"),
        }[kind]
        running = sorted(_name(pod) for pod in self.space.pods() if _is_running(pod))
        pods = [pod for pod in running if chosen(pod)]
        if not pods:
            return ""
        pod = self.choice.choice(pods)
        self._keep(pod)
        force = [] if kind == "drain" else ["--force", "--grace-period=0"]
        command = ("delete", "pod", pod, "-n", self.space.name, "--wait=false", *force)
        self.space.cluster.run(*command, check=False)
        return f"{kind}: pod {pod} is {'drained' if kind == 'drain' else 'killed'}"

    def _keep(self, pod: str) -> None:
        for life in list(self.lives):
            if pod.startswith(f"{life.run.name}-"):
                life.keep_log(pod)

    def _kill_process(self) -> str:
        """Kill what stands in for the model, as the kernel does where memory is short."""
        found = sorted(_children([life.tasks.folder for life in self.lives]))
        if not found:
            return ""
        with suppress(ProcessLookupError):
            os.kill(self.choice.choice(found), signal.SIGKILL)
        return "process: a worker's child is killed"


def _children(folders: list[Path]) -> list[int]:
    """Return the processes that stand in for a model, and write to one of the folders."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            given, around = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            ours = any(f"{folder}/".encode() in around for folder in folders)
            if ours and any(name in given for name in CHILDREN):
                pids.append(int(path.name))
    return pids


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _is_running(pod: Object) -> bool:
    return pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
