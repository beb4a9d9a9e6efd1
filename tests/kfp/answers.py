"""What a KFP server answers to what Assay asks, as shapes: of a real one, recorded once in
tests/data/kfp/answers.json, and of the stand-in.

To record again: `python -m tests.kfp.answers http://HOST:8888 > tests/data/kfp/answers.json`
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

from assay import config as configuration
from assay.kubeflow import client, pipelines, runs, schedule, submit
from assay.kubeflow.connection import Connection
from assay.kubeflow.schedule import Schedule

NOBODY = "11111111-1111-1111-1111-111111111111"
CONFIG = {"mode": "auto", "dataset": {"eval": "s3://b/eval.json"}, "model": "s3://b/model"}
SCHEDULE = Schedule(name="recorded", cron="0 3 * * *", config=CONFIG)


def collect(url: str) -> dict[str, Any]:
    """Use the server at `url` as Assay does, and return the shape of each kind of answer."""
    kfp = client.connect(Connection(endpoint=url, experiment="recorded"))
    config = configuration.parse(CONFIG)
    version = pipelines.upload(kfp, pipelines.compiled("evaluate"))
    run = submit.submit(kfp, config, name="recorded")
    applied, _ = schedule.apply(kfp, SCHEDULE, config)
    triggered = schedule.trigger(kfp, "recorded")
    runs.cancel(kfp, run.id)
    experiment = submit.experiment_id(kfp)
    named = pipelines.equals("display_name", "recorded")
    base, one = "/apis/v2beta1", pipelines.equals
    paths = {
        "healthz": f"{base}/healthz",
        "pipelines": f"{base}/pipelines?filter={quoted(one('display_name', 'evaluate'))}",
        "versions": f"{base}/pipelines/{version.pipeline_id}/versions?page_size=1",
        "version": f"{base}/pipelines/{version.pipeline_id}/versions/{version.version_id}",
        "experiments": f"{base}/experiments?filter={quoted(one('display_name', 'recorded'))}",
        "run": f"{base}/runs/{run.id}",
        "triggered": f"{base}/runs/{triggered.id}",
        "runs": f"{base}/runs?experiment_id={experiment}&filter={quoted(named)}",
        "no runs": f"{base}/runs?filter={quoted(one('display_name', 'nobody'))}",
        "recurring": f"{base}/recurringruns/{applied.id}",
        "recurring runs": f"{base}/recurringruns?filter={quoted(one('display_name', 'recorded'))}",
        "no run": f"{base}/runs/{NOBODY}",
        "no recurring": f"{base}/recurringruns/{NOBODY}",
        "no log": f"/apis/v1alpha1/runs/{run.id}/nodes/nothing/log",
    }
    answers = {name: shape(ask(url + path)) for name, path in paths.items()}
    schedule.delete(kfp, "recorded")
    return answers


def ask(url: str) -> tuple[int, Any]:
    """Return the status and the JSON that a server answers with."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  http, of a test
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def shape(value: Any) -> Any:
    """Return what kind of value this is, of mappings and lists what they hold; a pipeline's
    specification and arguments are somebody else's matter."""
    if isinstance(value, tuple):
        return [value[0], shape(value[1])]
    if isinstance(value, dict):
        opaque = ("pipeline_spec", "parameters", "details")
        return {k: "..." if k in opaque else shape(value[k]) for k in sorted(value)}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "time" if isinstance(value, str) and is_time(value) else type(value).__name__


def is_time(text: str) -> bool:
    """Return whether this is a time as KFP writes it."""
    try:
        return bool(datetime.fromisoformat(text)) and text.endswith("Z")
    except ValueError:
        return False


def quoted(text: str) -> str:
    """Return `text` for a query."""
    return urllib.parse.quote(text)


if __name__ == "__main__":
    print(json.dumps(collect(sys.argv[1]), indent=1))
