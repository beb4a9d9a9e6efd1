"""Processes to be killed, forked from one that has loaded what they need: they start at once."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.forked", "assay.judge", "httpx", "pydantic", "boto3"])


def judge_all(url: str, folder: Path, out: str) -> None:
    """Judge the predictions in a folder by the endpoint at `url`."""
    from assay.judge import JudgeSettings, judge

    settings = JudgeSettings(
        endpoint=url,
        model="fake",
        api_key_env="",
        self_test=False,
        flip_sample=0,
        concurrency=8,
    )
    judge(folder / "dataset.jsonl", folder / "predictions.jsonl", folder / out, settings)


def publish(folder: Path, uri: str, environment: dict[str, str], begun: Event) -> None:
    """Publish a folder to MinIO, and say when that begins."""
    from assay import store
    from assay.store import s3

    os.environ |= environment
    s3.client("minio")
    begun.set()
    store.publish(folder, uri)
