"""An upload that is killed, at any moment: nobody sees half of it, and it goes on where it was."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

from assay import store
from assay.store.folders import INDEX
from tests.forked import PROCESSES, publish

KILLS = 20


def test_killed_uploads_are_absent_or_whole(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    random = Random(0)
    name = bucket.removeprefix("minio://")
    begun = time.monotonic()
    size = store.publish(folder, f"{bucket}/timed").bytes
    seconds = time.monotonic() - begun
    resumed = []
    for number in range(KILLS):
        uri = f"{bucket}/run-{number}/model"
        kill_at(random.uniform(0, 1.3 * seconds), folder, uri)
        arrived = count_arrived(raw, name, f"run-{number}/model/")
        if not store.exists(uri):
            resumed.append(arrived)
            assert store.publish(folder, uri).sent <= size - arrived
        copy = store.fetch(uri, tmp_path / str(number))
        for file in ("config.json", "model.safetensors", "nested/empty.txt"):
            assert (copy / file).read_bytes() == (folder / file).read_bytes()
    assert max(resumed) > 0, "no kill came after the first part and before the last"


def kill_at(seconds: float, folder: Path, uri: str) -> None:
    begun = PROCESSES.Event()
    process = PROCESSES.Process(target=publish, args=(folder, uri, dict(os.environ), begun))
    process.start()
    assert begun.wait(60)
    time.sleep(seconds)
    process.kill()
    process.join()


def count_arrived(raw: Any, bucket: str, prefix: str) -> int:
    """The bytes of the folder that the store holds, as whole objects or as parts."""
    listed = raw.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    size = sum(one["Size"] for one in listed if not one["Key"].endswith(INDEX))
    where = {"Bucket": bucket, "Key": f"{prefix}model.safetensors"}
    uploads = raw.list_multipart_uploads(Bucket=bucket, Prefix=where["Key"]).get("Uploads", [])
    for upload in uploads:
        parts = raw.list_parts(**where, UploadId=upload["UploadId"]).get("Parts", [])
        size += sum(part["Size"] for part in parts)
    return int(size)
