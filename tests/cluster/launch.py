"""A launcher on this machine, with the rights that it has in a pod, or in one:
`python -m tests.cluster.launch SPEC.json` prints the artifact's metadata as its last line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from assay import task
from assay.placement import ClusterSettings
from assay.queues import TaskConfig, Work
from assay.settings import build
from assay.volcano.api import Api, here
from assay.volcano.launcher import launch


def main(path: Path) -> None:
    """Launch what the file describes."""
    spec = json.loads(path.read_text() if path.is_file() else os.environ["SPEC"])
    api = here() or Api(host=spec["host"], port=spec["port"], account=Path(spec["account"]))
    settings = build(ClusterSettings, spec["settings"], "cluster")
    with task.running():
        done = launch(api, Work(**spec["work"]), settings, TaskConfig(**spec["task"]))
    print(json.dumps(dict(done)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
