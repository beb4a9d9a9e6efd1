"""Upload and download of a model directory against a local MinIO, beside the minio SDK.

`python tests/bench/store/bench_store.py [MEGABYTES] [FOLDER]` prints the rates of both, in turn,
and the ratio. The SDK sends and fetches the same files by its own multipart, 16 MiB a part; its
download of a large object is one stream. Ours verifies every byte both ways.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from assay import store
from assay.store import s3
from tests import minio as server

ROUNDS, PART = 3, 16 << 20
BUCKET = "bench"


def make(folder: Path, megabytes: int) -> None:
    """Write a model directory: two shards and ten small files."""
    folder.mkdir()
    block = os.urandom(1 << 20)
    for shard in (1, 2):
        with (folder / f"model-{shard}.safetensors").open("wb") as file:
            for number in range(megabytes // 2):
                file.write(number.to_bytes(8) + block[8:])
    for number in range(10):
        (folder / f"config-{number}.json").write_bytes(os.urandom(2000))


def sdk(address: str) -> Any:
    from minio import Minio

    host = address.removeprefix("http://")
    return Minio(host, server.USER, server.PASSWORD, secure=False)


def sdk_upload(client: Any, folder: Path, prefix: str) -> None:
    for file in folder.iterdir():
        client.fput_object(
            BUCKET, f"{prefix}/{file.name}", str(file), part_size=PART, num_parallel_uploads=8
        )


def sdk_download(client: Any, folder: Path, prefix: str, target: Path) -> None:
    for file in folder.iterdir():
        client.fget_object(BUCKET, f"{prefix}/{file.name}", str(target / file.name))


def timed(action: Callable[[], object]) -> float:
    os.sync()  # nobody pays for what another has written
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def one_round(client: Any, folder: Path, scratch: Path, number: int) -> dict[str, float]:
    uri, prefix = f"minio://{BUCKET}/ours-{number}/model", f"theirs-{number}"
    actions: dict[str, Callable[[], object]] = {
        "ours up": lambda: store.publish(folder, uri),
        "SDK up": lambda: sdk_upload(client, folder, prefix),
        "ours down": lambda: store.fetch(uri, scratch / "ours"),
        "SDK down": lambda: sdk_download(client, folder, prefix, scratch / "theirs"),
    }
    ways = list(actions) if number % 2 else ["SDK up", "ours up", "SDK down", "ours down"]
    seconds = {way: timed(actions[way]) for way in ways}
    shutil.rmtree(scratch / "ours")
    shutil.rmtree(scratch / "theirs")
    for one in client.list_objects(BUCKET, recursive=True):
        client.remove_object(BUCKET, one.object_name)
    return seconds


def main(megabytes: int, folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name, server.serve(Path(name)) as minio:
        os.environ.update(minio.environment)
        model, scratch = Path(name) / "model", Path(name) / "scratch"
        make(model, megabytes)
        s3.client("minio").create_bucket(Bucket=BUCKET)
        client = sdk(minio.address)
        rounds = [one_round(client, model, scratch, number) for number in range(ROUNDS)]
    print(f"{megabytes} MB in 12 files, median of {ROUNDS} rounds in turn")
    for way in rounds[0]:
        print(f"  {way:<10} {megabytes / median(one[way] for one in rounds):6.0f} MB/s")
    for way in ("up", "down"):
        ratio = median(one[f"SDK {way}"] / one[f"ours {way}"] for one in rounds)
        print(f"  {way}: ours reaches {ratio:.0%} of the SDK")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048, (sys.argv + [None] * 2)[2])
