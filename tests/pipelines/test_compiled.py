"""The committed YAML is what the sources compile to (`make pipelines` writes it)."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from kfp.compiler.pipeline_spec_builder import to_protobuf_value
from kfp.local.executor_output_utils import pb2_value_to_python

from assay import __version__, config, exits, parameters, plan, store, task
from assay.compiled import pipeline
from assay.errors import GateError
from assay.folder import METRICS
from assay.gate import Gate, Ruling
from assay.judge.access import JUDGE_VARIABLES, MODEL_VARIABLES
from assay.kubeflow import pipelines
from assay.kubeflow.parameters import PYTHON_TYPES
from components.preflight import preflight
from pipelines.compile import PIPELINES, compile_pipelines
from pipelines.stages import STORE

JUDGE = {"endpoint": "https://judge.example/v1", "model": "big"}
FOLDER = Path(__file__).parents[2] / "pipelines"
STAGES = {
    "Preflight",
    "Generate: baseline",
    "Generate: candidate",
    "Auto-metrics",
    "Judge",
    "Report",
    "Gate",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    compile_pipelines(folder)
    return folder


def spec(path: Path) -> dict[str, Any]:
    return pipelines.spec(path.read_text())


@pytest.mark.parametrize("name", PIPELINES)
def test_the_committed_yaml_is_current(compiled: Path, name: str) -> None:
    committed, now = (
        pipelines.documents((folder / f"{name}.yaml").read_text()) for folder in (FOLDER, compiled)
    )
    assert committed == now, "run: make pipelines"


@pytest.mark.parametrize("name", PIPELINES)
def test_a_form_can_be_filled_in(name: str) -> None:
    inputs = spec(FOLDER / f"{name}.yaml")["root"]["inputDefinitions"]["parameters"]
    assert len(inputs) <= 20
    for parameter, definition in inputs.items():
        assert definition.get("description"), f"{parameter} has no description"
    needed = {parameter for parameter, d in inputs.items() if not d.get("isOptional")}
    expected = {"finetune_and_evaluate": {"base_model", "train_dataset", "template"}}
    assert needed == expected.get(name, {"model"})


@pytest.mark.parametrize("name", PIPELINES)
def test_the_graph_reads_well(name: str) -> None:
    whole = spec(FOLDER / f"{name}.yaml")
    dags = [c["dag"] for c in (whole["root"], *whole["components"].values()) if "dag" in c]
    names = {task["taskInfo"]["name"] for dag in dags for task in dag["tasks"].values()}
    assert names >= STAGES
    artifacts = {
        component: definition.get("outputDefinitions", {}).get("artifacts", {})
        for component, definition in whole["components"].items()
    }
    assert max(len(outputs) for outputs in artifacts.values()) <= 5


def dags(whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tasks of the pipeline's graph, and of each graph in it, by its component."""
    parts = {"": whole["root"], **whole["components"]}
    return {name: part["dag"]["tasks"] for name, part in parts.items() if "dag" in part}


@pytest.mark.parametrize("name", PIPELINES)
def test_the_baseline_waits_for_nothing_but_preflight(name: str) -> None:
    graphs = dags(spec(FOLDER / f"{name}.yaml"))
    [(graph, baseline)] = [
        (graph, task)
        for graph, tasks in graphs.items()
        for task in tasks.values()
        if task["taskInfo"]["name"] == "Generate: baseline"
    ]
    if graph:  # it waits for what its condition does
        assert "dependentTasks" not in baseline
        (baseline,) = (t for t in graphs[""].values() if t["componentRef"]["name"] == graph)
    else:
        assert "triggerPolicy" not in baseline
    assert baseline["dependentTasks"] == ["preflight"]


def test_without_an_evaluation_there_is_nothing_but_the_fine_tune() -> None:
    """No pod is started that has nothing to do."""
    graphs = dags(spec(FOLDER / "finetune_and_evaluate.yaml"))
    branches = {
        condition.rpartition(" ")[2]: graphs[task["componentRef"]["name"]]
        for task in graphs[""].values()
        if (condition := task.get("triggerPolicy", {}).get("condition", ""))
    }
    assert set(branches) == {"true", "false"}
    titles = {
        value: {t["taskInfo"]["name"] for t in tasks.values()} for value, tasks in branches.items()
    }
    assert titles["false"] == {"Fine-tune"}
    assert titles["true"] == STAGES - {"Preflight", "Gate"} | {"Fine-tune", "Gated"}
    assert [t["taskInfo"]["name"] for t in graphs[""].values() if "triggerPolicy" not in t] == [
        "Preflight"
    ]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_gate_that_was_not_asked_for_has_no_pod(name: str) -> None:
    whole = spec(FOLDER / f"{name}.yaml")
    graphs = dags(whole)
    (gated,) = (
        task for graph in graphs.values() for task in graph.values() if is_named(task, "Gated")
    )
    assert gated["triggerPolicy"]["condition"].endswith("preflight-gated'] == true")
    assert "report" in gated["dependentTasks"]
    (decided,) = graphs[gated["componentRef"]["name"]].values()
    assert is_named(decided, "Gate")


def is_named(task: dict[str, Any], name: str) -> bool:
    return bool(task["taskInfo"]["name"] == name)


@pytest.mark.parametrize("name", PIPELINES)
def test_what_looks_at_the_world_is_never_taken_from_an_earlier_run(name: str) -> None:
    whole = spec(FOLDER / f"{name}.yaml")
    dags = [c["dag"] for c in (whole["root"], *whole["components"].values()) if "dag" in c]
    tasks = {key: task for dag in dags for key, task in dag["tasks"].items()}
    for key in ("preflight", "report", "gate"):
        assert tasks[key]["cachingOptions"] == {}, key


@pytest.mark.parametrize("name", PIPELINES)
def test_every_task_runs_in_an_image_of_this_version(name: str) -> None:
    executors = spec(FOLDER / f"{name}.yaml")["deploymentSpec"]["executors"]
    images = {executor["container"]["image"] for executor in executors.values()}
    assert images == {f"assay-cpu:{__version__}", f"assay-gpu:{__version__}"}


@pytest.mark.parametrize("name", PIPELINES)
def test_secrets_are_only_named_and_only_where_they_are_needed(name: str) -> None:
    _, platform = pipelines.documents((FOLDER / f"{name}.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    given = {
        task.removeprefix("exec-"): {
            pair["envVar"]: pair["secretKey"]
            for secret in executor["secretAsEnv"]
            for pair in secret["keyToEnv"]
        }
        for task, executor in executors.items()
    }
    keys, store = {name: entry for entry, name in JUDGE_VARIABLES.items()}, STORE
    models = {name: entry for entry, name in MODEL_VARIABLES.items()}
    assert given["preflight"] == keys | models | store
    assert given["judge"] == keys | store  # verdicts are kept there as they come
    for key in ("generate", "generate-2"):  # of a model behind an endpoint, never the judge's
        assert given[key] == models | store
    for key in ("auto-metrics", "report"):
        assert given[key] == store, key
    # the judge may choose a checkpoint there
    tuning = [given[task] for task in given if task.startswith("finetune")]
    assert tuning == [keys | store] * len(tuning)


@pytest.mark.parametrize("name", PIPELINES)
def test_every_task_without_a_gpu_asks_for_cpu_and_memory(name: str) -> None:
    """A pod that asks for nothing is the first to be evicted; a launcher's asks for what the
    namespace says, since what is set on its task is its workers'."""
    executors = spec(FOLDER / f"{name}.yaml")["deploymentSpec"]["executors"]
    for key, executor in executors.items():
        asked = executor["container"].get("resources", {})
        if "gpu" in executor["container"]["image"]:
            assert asked == {}, key
        else:
            assert asked["resourceCpuRequest"] == "100m", key
            assert asked["resourceMemoryRequest"] == "512Mi", key
            assert not [limit for limit in asked if "Limit" in limit], key


def test_what_the_tasks_ask_for_can_be_set(tmp_path: Path) -> None:
    room = {"ASSAY_TASK_CPU": "2", "ASSAY_TASK_MEMORY": "1Gi", "ASSAY_TASK_MEMORY_LIMIT": "4Gi"}
    command = [sys.executable, "-m", "pipelines.compile", str(tmp_path)]
    subprocess.run(command, check=True, cwd=FOLDER.parent, env={**os.environ, **room})
    executors = spec(tmp_path / "evaluate.yaml")["deploymentSpec"]["executors"]
    asked = executors["exec-preflight"]["container"]["resources"]
    names = ("resourceCpuRequest", "resourceMemoryRequest", "resourceMemoryLimit")
    assert [asked[name] for name in names] == ["2", "1Gi", "4Gi"]


def test_what_is_set_on_a_gpu_task_goes_to_its_workers() -> None:
    components = spec(FOLDER / "finetune_and_evaluate.yaml")["components"]
    for name in ("comp-finetune", "comp-generate"):
        passed = {
            p["field"]: p.get("applyToTask") for p in components[name]["taskConfigPassthroughs"]
        }
        assert passed.pop("ENV") is True
        assert set(passed) == {
            "RESOURCES",
            "KUBERNETES_TOLERATIONS",
            "KUBERNETES_NODE_SELECTOR",
            "KUBERNETES_AFFINITY",
            "KUBERNETES_VOLUMES",
        }
        assert not any(passed.values())


def test_the_library_finds_the_compiled_pipelines() -> None:
    for name in PIPELINES:
        assert pipeline(name).is_file()


@pytest.mark.parametrize("name", PIPELINES)
def test_the_form_is_the_table(name: str) -> None:
    inputs = spec(FOLDER / f"{name}.yaml")["root"]["inputDefinitions"]["parameters"]
    rows = {row.name: row for row in parameters.of(name)}
    assert inputs.keys() == rows.keys()
    for given, definition in inputs.items():
        row = rows[given]
        assert PYTHON_TYPES[definition["parameterType"]][-1] is row.type
        assert definition.get("defaultValue", parameters.NEEDED) == row.default
        assert definition["description"] == row.meaning


def test_preflight_takes_every_parameter_as_the_table_has_it() -> None:
    """KFP ships the component's source text, so that its signature cannot come from the table."""
    taken = dict(inspect.signature(preflight.python_func).parameters)
    taken.pop("samples")
    rows: dict[str, list[parameters.Parameter]] = {}
    for row in parameters.TABLE:
        rows.setdefault(row.name, []).append(row)
    assert {*taken} == {*rows}
    for name, parameter in taken.items():
        own = rows[name]
        everywhere = {pipeline for row in own for pipeline in row.pipelines} == {*PIPELINES}
        defaults = [row.default for row in own if row.default is not parameters.NEEDED]
        absent = [] if everywhere else [parameter.annotation()]
        assert {parameter.annotation} == {row.type for row in own}, name
        assert parameter.default in (defaults or absent), name


def test_preflight_says_what_the_plan_tells_the_tasks() -> None:
    asked = {"dataset": {"eval": "e.json"}, "model": "org/m", "mode": "auto"}
    told = task.outputs(plan.draft(config.parse(asked)))
    outputs = preflight.component_spec.outputs
    assert {name: given.type for name, given in outputs.items() if name != "samples"} == {
        name: {dict: "Dict", bool: "Boolean"}.get(type(value), "String")
        for name, value in told.items()
    }


@pytest.mark.parametrize(
    "more",
    [
        {"gate": {"rules": {"rouge-l": {"max_drop": 1}}}},
        {"model": {"endpoint": "https://models.example/v1", "name": "m"}},
        {"mode": "judge", "judge": {**JUDGE, "panel": [{"model": "second"}]}},
        {"mode": "judge", "judge": {**JUDGE, "extra_body": {"stop": None, "bias": [None, 1]}}},
        {"metrics": {"task": {"schema": {"enum": ["a", None], "default": None}}}},
        {
            "model": "",
            "dataset": {"train": "t.json"},
            "finetune": {
                "base_model": "org/m",
                "template": "qwen3",
                "checkpoints": "best",
                "select_by": "eval_loss",
            },
        },
    ],
    ids=["gate", "endpoint", "panel", "null", "null-in-list", "checkpoints"],
)
def test_kfp_local_hands_over_all_that_the_plan_tells(more: dict[str, Any]) -> None:
    """It knows no null."""
    asked = config.parse({"dataset": {"eval": "e.json"}, "model": "org/m", "mode": "auto", **more})
    received = {
        name: task.whole(pb2_value_to_python(to_protobuf_value(value)))
        for name, value in task.outputs(plan.draft(asked)).items()
    }
    assert config.parse(received["config"]) == asked
    plain = config.plain(asked)
    for name in ("judge", "metrics"):
        assert received[name] == plain.get(name, {})


def test_kfp_local_hands_over_what_the_gate_decided(tmp_path: Path) -> None:
    ruling = Ruling(rule="overall", decision="INCONCLUSIVE", reason="too few pairs")
    store.write_json(tmp_path / METRICS, {"gate": Gate(decision="INCONCLUSIVE", rulings=(ruling,))})
    received = pb2_value_to_python(to_protobuf_value(task.decided(tmp_path)))
    with pytest.raises(GateError, match="INCONCLUSIVE") as ended:
        task.gate(received)
    assert ended.value.exit_code == exits.INCONCLUSIVE


def test_every_setting_that_a_parameter_stands_for_exists() -> None:
    for row in parameters.TABLE:
        for place in row.settings:
            section, _, setting = place.rpartition(".")
            owner = config.SECTIONS[section] if section else config.Config
            names = {field.name for field in fields(owner)} | (
                set() if section else {*config.SECTIONS}
            )
            assert setting in names, place


def test_a_parameter_is_once_in_a_pipeline() -> None:
    for name in PIPELINES:
        names = [row.name for row in parameters.of(name)]
        assert len(names) == len(set(names))
