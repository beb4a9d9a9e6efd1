"""Launchers as the tests start them: processes on this machine with a launcher's rights, whose
worker is a shell script where a test needs a worker that does not do its work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import store
from assay.queues import Work
from assay.volcano import job
from assay.volcano.api import Api
from tests.cluster import kube
from tests.cluster.kube import Space

DONE = """echo '{"exit_code": 0, "metadata": {"digest": "d"}}' > /dev/termination-log"""


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """A running launcher: its process, its Job's name, and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    job: str
    log: Path

    def wait(self, seconds: float = 120) -> int:
        """Return the exit code of the launcher, once it has ended."""
        return self.process.wait(seconds)

    @property
    def output(self) -> str:
        """Return what the launcher has printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def error(self) -> str:
        """Return the launcher's one line about what failed, with what belongs to it."""
        found = re.search(r"^assay: .*", self.output, re.MULTILINE | re.DOTALL)
        assert found, self.output
        return found[0]

    def until(self, text: str, seconds: float = 60) -> float:
        """Wait until the launcher has printed `text`; return the time when that was seen."""
        eventually(lambda: text in self.output, f"{text!r} in {self.log}", seconds)
        return time.time()


Start = Callable[..., Launcher]


def work(
    name: str = "task",
    stage: str = "finetune",
    samples: str = "s3://none/samples",
    **arguments: Any,
) -> Work:
    """Return work that no real worker could do, unless `samples` and `arguments` are real."""
    outputs = {"model": f"s3://none/{name}/model", "training": f"s3://none/{name}/training"}
    return Work(stage=stage, samples=samples, outputs=outputs, arguments=arguments)  # type: ignore[arg-type]


def start(
    space: Space,
    folder: Path,
    wanted: Work,
    *,
    script: str = "",
    environment: dict[str, str] | None = None,
    task: dict[str, Any] | None = None,
    api: Api | None = None,
    **settings: Any,
) -> Launcher:
    """Start a launcher of `wanted`; with a `script`, that is what its worker does. `api` is what
    it asks, where that is not the API server itself."""
    api = api or space.api
    spec = {
        "host": api.host,
        "port": api.port,
        "account": str(api.account),
        **described(wanted, script, environment or {}, task or {}, settings),
    }
    number = len(list(folder.glob("launcher-*.json")))
    path, log = folder / f"launcher-{number}.json", folder / f"launcher-{number}.log"
    path.write_text(json.dumps(spec))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.launch", str(path)],
            cwd=kube.ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **space.cluster.store_here},
        )
    return Launcher(process=process, job=job.name_of(wanted), log=log)


def described(
    wanted: Work,
    script: str,
    environment: Mapping[str, str],
    task: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what tests.cluster.launch is told of a launcher, but for whom it asks."""
    variables = {**({"SCRIPT": script} if script else {}), **environment}
    return {
        "work": json.loads(store.to_json(wanted)),
        "settings": {"image": kube.IMAGE, "gpus": 0, **settings},
        "task": {
            **kube.mounted(),
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            **task,
        },
    }


def eventually(check: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until `check` is true, or fail with `what` was waited for."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def fails(launcher: Launcher, space: Space, code: int, seconds: float = 120) -> str:
    """Return the error of a launcher that ends with `code` and leaves no Job."""
    assert launcher.wait(seconds) == code, launcher.output
    eventually(lambda: not space.jobs(), "no Job is left")
    return launcher.error


def last_line(launcher: Launcher) -> dict[str, Any]:
    """Return the artifact's metadata, which a launcher prints last."""
    found: dict[str, Any] = json.loads(launcher.output.splitlines()[-1])
    return found
