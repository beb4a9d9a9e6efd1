"""Start a component as KFP's launcher does: the command of the compiled YAML, and an executor
input with parameters, artifacts and where the outputs go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assay import compiled


@dataclass(frozen=True, kw_only=True)
class Done:
    """A component that has ended: its exit code, what it said, and what it put out."""

    code: int
    log: str
    folder: Path

    def path(self, artifact: str) -> Path:
        """Return where an output artifact is."""
        return self.folder / artifact

    def parameter(self, name: str) -> Any:
        """Return an output parameter."""
        return self._outputs()["parameterValues"][name]

    def metadata(self, artifact: str) -> dict[str, Any]:
        """Return the metadata that the component gave an output artifact."""
        return dict(self._outputs()["artifacts"][artifact]["artifacts"][0]["metadata"])

    def _outputs(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "outputs.json").read_text()))


def launch(
    stage: str,
    folder: Path,
    parameters: Mapping[str, object],
    artifacts: Mapping[str, Path] | None = None,
    pipeline: str = "finetune_and_evaluate",
) -> Done:
    """Run the component of `stage` (a task's name in the YAML) with its outputs in `folder`."""
    specification = next(yaml.safe_load_all(compiled.pipeline(pipeline).read_text()))
    component = specification["components"][f"comp-{stage}"]
    container = specification["deploymentSpec"]["executors"][f"exec-{stage}"]["container"]
    given = _input(component, parameters, artifacts or {}, folder)
    arguments = [given if part == "{{$}}" else part for part in container["args"]]
    own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*container["command"], *arguments],
        env={**os.environ, "PATH": own},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(code=done.returncode, log=done.stdout + done.stderr, folder=folder)


def _input(
    component: Mapping[str, Any],
    parameters: Mapping[str, object],
    artifacts: Mapping[str, Path],
    folder: Path,
) -> str:
    inputs = component.get("inputDefinitions", {})
    outputs = component.get("outputDefinitions", {})
    defaults = {
        name: definition.get("defaultValue", {})  # of a task that nothing is set on
        for name, definition in inputs.get("parameters", {}).items()
        if "defaultValue" in definition or definition["parameterType"] == "TASK_CONFIG"
    }
    return json.dumps(
        {
            "inputs": {
                "parameterValues": {**defaults, **parameters},
                "artifacts": _artifacts(inputs, artifacts),
            },
            "outputs": {
                "parameters": {
                    name: {"outputFile": str(folder / "parameters" / name)}
                    for name in outputs.get("parameters", {})
                },
                "artifacts": _artifacts(
                    outputs, {name: folder / name for name in outputs.get("artifacts", {})}
                ),
                "outputFile": str(folder / "outputs.json"),
            },
        }
    )


def _artifacts(definitions: Mapping[str, Any], places: Mapping[str, Path]) -> dict[str, Any]:
    return {
        name: {
            "artifacts": [
                {
                    "name": name,
                    "type": definitions["artifacts"][name]["artifactType"],
                    "uri": str(place),
                    "metadata": {},
                }
            ]
        }
        for name, place in places.items()
    }
