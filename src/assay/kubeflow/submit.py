"""A configuration as a run on Kubeflow Pipelines, once where that is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from assay.config import Config
from assay.errors import KfpError
from assay.kubeflow import parameters, pipelines, runs
from assay.kubeflow.client import Kfp

# KFP keeps whole seconds: only when one is over is it known which of several runs was the first.
SETTLED = 1.5
YOUNG = 5.0  # seconds


def submit(
    kfp: Kfp,
    config: Config,
    *,
    name: str,
    once: bool = False,
    given: Mapping[str, Any] | None = None,
) -> runs.Run:
    """Start a run of what `config` says and return it; `given` as in `to_parameters`.

    With `once`, a run of the same content that goes on or has succeeded is returned instead; of
    several submitted at the same time one remains. Raises InputError before anything is created.
    """
    text = pipelines.compiled(parameters.pipeline_of(config), kfp.connection.registry)
    arguments = parameters.to_parameters(config, pipelines.spec(text), given)
    marker = f"content {_digest(text, arguments)}"
    experiment = experiment_id(kfp)
    if once and (first := _first(kfp, experiment, marker)):
        return runs.get(kfp, first)
    version = pipelines.upload(kfp, text)
    created = _create(kfp, version, experiment, name, marker, arguments)
    if once:
        first = _first(kfp, experiment, marker)
        if first != created.run_id:  # another submit was faster
            kfp.call("the run", kfp.client.runs.run_service_terminate_run, created.run_id)
            kfp.call("the run", kfp.client.runs.run_service_delete_run, created.run_id)
            return runs.get(kfp, first)
    return runs.read_run(kfp, created, {})


def experiment_id(kfp: Kfp) -> str:
    """Return the id of the connection's experiment, made where there is none yet."""
    name, experiments = kfp.connection.experiment, kfp.client.experiments
    while True:
        existing = kfp.every(
            "experiments",
            experiments.experiment_service_list_experiments,
            "experiments",
            filter=pipelines.equals("display_name", name),
            **runs.space(kfp),
        )
        if existing:
            return str(existing[0].experiment_id)
        wanted = kfp.client.api_models.V2beta1Experiment(display_name=name, namespace=kfp.namespace)
        try:
            made = kfp.call(
                f"experiment {name}",
                experiments.experiment_service_create_experiment,
                experiment=wanted,
            )
            return str(made.experiment_id)
        except KfpError as error:
            if error.status != pipelines.CONFLICT:
                raise


def _create(
    kfp: Kfp,
    version: pipelines.Version,
    experiment: str,
    name: str,
    marker: str,
    arguments: Mapping[str, Any],
) -> Any:
    models = kfp.client.api_models
    run = models.V2beta1Run(
        experiment_id=experiment,
        display_name=name,
        description=marker,
        pipeline_version_reference=models.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.version_id
        ),
        runtime_config=models.V2beta1RuntimeConfig(parameters=dict(arguments)),
        service_account=kfp.connection.service_account or None,
    )
    return kfp.call(f"the run {name}", kfp.client.runs.run_service_create_run, run=run)


def _digest(text: str, arguments: Mapping[str, Any]) -> str:
    plain = json.dumps([pipelines.content(text), arguments], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _first(kfp: Kfp, experiment: str, marker: str) -> str:
    """Return the id of the first run with this content that goes on or has succeeded, "" where
    there is none. A run that is no older than a moment may not stay the first: then wait."""
    live = _live(kfp, experiment, marker)
    if live and abs(kfp.clock.now() - live[0].created_at.timestamp()) < YOUNG:
        kfp.clock.sleep(SETTLED)
        live = _live(kfp, experiment, marker)
    return str(live[0].run_id) if live else ""


def _live(kfp: Kfp, experiment: str, marker: str) -> list[Any]:
    """Return the runs with this content that go on or have succeeded, the oldest first."""
    marked = kfp.every(
        "runs",
        kfp.client.runs.run_service_list_runs,
        "runs",
        experiment_id=experiment,
        filter=pipelines.equals("description", marker, storage_state="AVAILABLE"),
        **runs.space(kfp),
    )
    live = [run for run in marked if runs.state_of(run) not in ("FAILED", "CANCELED")]
    return sorted(live, key=lambda run: (run.created_at, run.run_id))
