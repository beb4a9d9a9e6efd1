"""The judge's task in its pod, `python -m tests.chaos.judging`, as its component calls it; the
environment variable JUDGING says what it is given."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from assay import store, task

GIVEN = "JUDGING"


def main(given: dict[str, Any]) -> None:
    """Judge the predictions in the store."""
    with task.running() as listen, tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        samples, predictions = (
            store.fetch(given[name], here) for name in ("samples", "predictions")
        )
        sides, out = {"candidate": predictions}, here / "scores"
        task.score(
            "judge", "judge", given["judge"], samples, sides, out, listen, place=given["out"]
        )
    print("judged", flush=True)


if __name__ == "__main__":
    main(json.loads(os.environ[GIVEN]))
