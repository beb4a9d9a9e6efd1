"""What KFP's launcher does around a component, in the pod of its task: fetch the inputs, run the
component with its executor input, upload whatever outputs are there.

`python -m tests.cluster.kfp_task COMPONENT.json`: {"command", "arguments", "input", "result"}, the
last one the URI that the executor's output goes to.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay import store
from assay.store.s3 import locate

SCHEME = "minio://"


def main(text: str) -> None:
    """Run the task that the JSON describes, and end as the component did."""
    task = json.loads(text)
    given = task["input"]
    for artifact in _artifacts(given["inputs"]):
        if store.exists(artifact["uri"]):
            store.fetch(artifact["uri"], path_of(artifact["uri"]).parent)
    for artifact in _artifacts(given["outputs"]):
        path_of(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
    arguments = [
        json.dumps(given) if argument == "{{$}}" else argument for argument in task["arguments"]
    ]
    done = subprocess.run([*task["command"], *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    for artifact in _artifacts(given["outputs"]):
        path = path_of(artifact["uri"])
        if path.is_file() or any(path.rglob("*")):  # an empty folder leaves nothing in the store
            store.publish(path, artifact["uri"])
    store.publish(Path(given["outputs"]["outputFile"]), task["result"])


def path_of(uri: str) -> Path:
    """Return where KFP has an artifact in a pod."""
    at = locate(uri)
    return Path("/", at.scheme, at.bucket, at.key)


def _artifacts(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for holder in of.get("artifacts", {}).values():
        yield from holder["artifacts"]


if __name__ == "__main__":
    main(sys.argv[1])
