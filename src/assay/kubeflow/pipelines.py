"""The compiled pipelines: for a registry, and uploaded once for each content."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import __version__, store
from assay import compiled as packaged
from assay.errors import KfpError
from assay.kubeflow.client import Kfp
from assay.parameters import EVALUATE, FINETUNE

NAMES = (FINETUNE, EVALUATE)
CONFLICT = 409


@dataclass(frozen=True, kw_only=True)
class Version:
    """A pipeline version on a server; `created` says that this upload made it."""

    pipeline: str
    pipeline_id: str
    version_id: str
    content: str
    created: bool


def compiled(name: str, registry: str = "") -> str:
    """Return a pipeline's compiled YAML, its images taken from `registry` (with the slash)."""
    text = packaged.pipeline(name).read_text(encoding="utf-8")
    ours = rf"(?<![\w./-])(assay-[a-z]+:{re.escape(__version__)})(?![\w.-])"
    return re.sub(ours, rf"{registry}\1", text)


def spec(text: str) -> dict[str, Any]:
    """Return the pipeline specification in a compiled YAML."""
    return documents(text)[0]


def documents(text: str) -> list[dict[str, Any]]:
    """Return the pipeline specification in a compiled YAML, and that of its platform."""
    import yaml

    return list(yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def content(text: str) -> str:
    """Return the hash by which a pipeline's content is known, 12 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def compile_to(folder: Path, registry: str = "") -> list[Path]:
    """Write the compiled pipelines to `folder` and return their paths."""
    paths = [folder / f"{name}.yaml" for name in NAMES]
    for path in paths:
        store.write_text(path, compiled(path.stem, registry))
    return paths


def upload(kfp: Kfp, text: str) -> Version:
    """Return the version on the server that has this content, uploading it where there is none.

    Raises KfpError.
    """
    info = spec(text)["pipelineInfo"]
    title, digest = info["name"], content(text)
    note = f"{info.get('description', '')} Assay {__version__}, content {digest}."
    created = False
    while True:
        pipeline_id = _pipeline_id(kfp, title)
        if pipeline_id and (version := _version_id(kfp, pipeline_id, digest)):
            return Version(
                pipeline=title,
                pipeline_id=pipeline_id,
                version_id=version,
                content=digest,
                created=created,
            )
        if created:
            raise KfpError(f"the pipeline {title} went away while it was uploaded", "Try again")
        created = _upload(kfp, text, title, pipeline_id, note, digest)


def _upload(kfp: Kfp, text: str, title: str, pipeline_id: str, note: str, digest: str) -> bool:
    """Upload a new pipeline, or a new version; return False where another was faster."""
    uploads = kfp.client.pipeline_uploads
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{title}.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            if pipeline_id:
                kfp.call(
                    f"the upload of {title}",
                    uploads.upload_pipeline_version,
                    str(file),
                    name=f"{__version__}-{digest}",
                    pipelineid=pipeline_id,
                    description=note,
                )
            else:
                space = {"namespace": kfp.namespace} if kfp.namespace else {}
                kfp.call(
                    f"the upload of {title}",
                    uploads.upload_pipeline,
                    str(file),
                    name=title,
                    description=note,
                    **space,
                )
        except KfpError as error:
            if error.status != CONFLICT:
                raise
            return False
    return True


def _pipeline_id(kfp: Kfp, title: str) -> str:
    space = {"namespace": kfp.namespace} if kfp.namespace else {}
    named = kfp.every(
        "pipelines",
        kfp.client.pipelines.pipeline_service_list_pipelines,
        "pipelines",
        filter=equals("display_name", title),
        **space,
    )
    return str(named[0].pipeline_id) if named else ""


def _version_id(kfp: Kfp, pipeline_id: str, digest: str) -> str:
    versions = kfp.every(
        "pipeline versions",
        kfp.client.pipelines.pipeline_service_list_pipeline_versions,
        "pipeline_versions",
        pipeline_id=pipeline_id,
    )
    marked = [
        version for version in versions if f"content {digest}." in (version.description or "")
    ]
    return str(marked[0].pipeline_version_id) if marked else ""


def equals(key: str, value: str, **more: str) -> str:
    """Return KFP's filter for items whose fields equal these values."""
    wanted = {key: value, **more}
    predicates = [
        {"operation": "EQUALS", "key": name, "stringValue": text} for name, text in wanted.items()
    ]
    return json.dumps({"predicates": predicates})


def titles(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the tasks of a pipeline in the order of their dependencies: key -> title."""
    from graphlib import TopologicalSorter

    components = spec.get("components", {})

    def inside(dag: Mapping[str, Any]) -> dict[str, str]:
        tasks = dag["tasks"]
        order = TopologicalSorter(
            {key: task.get("dependentTasks", []) for key, task in tasks.items()}
        )
        order.prepare()
        named: dict[str, str] = {}
        while ready := sorted(order.get_ready()):
            order.done(*ready)
            for key in ready:
                component = components.get(tasks[key]["componentRef"]["name"], {})
                named |= (
                    inside(component["dag"])
                    if "dag" in component
                    else {key: title(key, tasks[key])}
                )
        return named

    def title(key: str, task: Mapping[str, Any]) -> str:
        return str(task.get("taskInfo", {}).get("name", key))

    return inside(spec["root"]["dag"])
