"""How long a verdict that was paid for is only here: a judging whose scores go to a local MinIO,
looked at from outside.

`python -m tests.bench.judge.bench_verdicts [SAMPLES]` prints the longest and the median time from
a judge's answer until the verdict is in the store, where another machine would take it up.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from assay import progress, store, task
from assay.errors import StoreError
from assay.folder import VERDICTS
from assay.store import s3
from tests import minio as server
from tests.faults.endpoint import Answer, chat, scores, serving
from tests.faults.test_judge_faults import write_files

BUCKET, LATENCY, MOST = "bench", 0.5, 5.0


class Watch:
    """When each verdict was received, and when it was seen in the store."""

    def __init__(self, uri: str) -> None:
        self.uri, self.over = uri, threading.Event()
        self.received: dict[str, float] = {}
        self.stored: dict[str, float] = {}

    def answer(self, body: dict[str, Any]) -> Answer:
        """Answer as a judge does, and note when."""
        for name in re.findall(r"Say (s\d+)\.", str(body["messages"])):
            self.received[name] = time.monotonic() + LATENCY
        return chat(scores(), delay=LATENCY)

    def look(self) -> None:
        """Note what is in the store, until it is over."""
        while not self.over.wait(0.1):
            for place in (f"{self.uri}.partial/logs/candidate/{VERDICTS}", f"{self.uri}/candidate"):
                for name in store.listed(place):
                    # it may be replaced or removed meanwhile: the next look sees it
                    with suppress(StoreError), store.fetched(f"{place}/{name}") as path:
                        if name.startswith("0") or name == VERDICTS:
                            self._note(path.read_text())

    def _note(self, text: str) -> None:
        for line in text.splitlines():
            self.stored.setdefault(json.loads(line)["id"], time.monotonic())


def main(count: int) -> None:
    """Judge, watch, and print."""
    with tempfile.TemporaryDirectory() as name, server.serve(Path(name) / "minio") as minio:
        os.environ.update(minio.environment)
        s3.client("minio").create_bucket(Bucket=BUCKET)
        folder, watch = Path(name) / "answers", Watch(f"minio://{BUCKET}/scores")
        folder.mkdir()
        write_files(folder, count)
        with serving(watch.answer, keep=False) as judge:
            given = {"endpoint": judge.url, "model": "fake", "api_key_env": "", "concurrency": 8}
            given |= {"self_test": False, "flip_sample": 0}
            looking = threading.Thread(target=watch.look)
            looking.start()
            sides, out = {"candidate": folder}, Path(name) / "out"
            task.score(
                "judge", "judge", given, folder, sides, out, progress.ignore, place=watch.uri
            )
            time.sleep(1)
            watch.over.set()
            looking.join()
    lags = [watch.stored[name] - at for name, at in watch.received.items()]
    print(f"{len(lags)} verdicts, {LATENCY} s a call, 8 in flight")
    print(f"  in the store {max(lags):.1f} s after they came at most (bound {MOST:.0f} s)")
    print(f"  half of them within {median(lags):.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
