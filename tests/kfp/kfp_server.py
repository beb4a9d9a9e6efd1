"""A small stand-in for KFP's API server (v2beta1, after its published swagger).

Served by tests/kfp/served.py and used through the real kfp.Client. What it answers has the shape of
what a real server answered, recorded in tests/data/kfp: tests/kfp/test_kfp_server.py compares.
"""

# ruff: noqa: A002, ARG002  the handlers share one signature

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from assay.kubeflow import argo, pipelines
from tests.kfp import many_users
from tests.kfp.kfp_objects import ZERO, Answer, Refusal, known, links, listing, now, visible


class KfpServer:
    """The state of a KFP, and what a test may do to it."""

    def __init__(self) -> None:
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}  # pod -> text
        self.multi_user = False
        self.namespaces: set[str] = set()  # the user's, where there are many users
        self.token = ""  # wanted, where set
        self.cookie = ""  # wanted, where set
        self.down = False  # answers nothing
        self.refuse: dict[str, tuple[int, str]] = {}  # "METHOD /path part" -> status, message
        self.page: bytes = b""  # answers everything with this page, where set
        self.is_page = False  # the address is that of KFP's page, not its API alone
        self.time: Callable[[], float] = time.time
        self.asked: list[tuple[float, str, str]] = []  # when, method, path
        self.lock = threading.RLock()
        self.url = ""

    # ------------------------------------------------------------- what a cluster does
    def task(self, run_id: str, key: str, state: str, log: str = "") -> None:
        """Bring a task of a run into a state, with what it has written so far."""
        with self.lock:
            run = self.runs[run_id]
            run["state"] = "RUNNING"
            details = run.setdefault("run_details", {}).setdefault("task_details", [])
            workflow = run["workflow"]
            path = f"{workflow}(0).root(0).{key}(0).executor(0)"
            for title, node, child in links(workflow, key):
                known = next((one for one in details if one.get("display_name") == title), None)
                if known is None or title.startswith("executor"):
                    known = self._node(run_id, title, workflow, child)
                    details.append(known)
                link = {"pod_name": f"{workflow}-{argo.node_hash(child)}"}
                if child and link not in known["child_tasks"]:
                    known["child_tasks"].append(link)
                if node.startswith(f"{workflow}(0).root(0)."):
                    known["state"] = state
                    known["end_time"] = now() if state in ("SUCCEEDED", "FAILED") else ZERO
            if state == "SUCCEEDED":  # what may be reused is told among the nodes
                record = {"run_id": run_id, "task_id": str(uuid.uuid4()), "execution_id": "2"}
                times = ("create_time", "start_time", "end_time")
                details.append(record | dict.fromkeys(times, now()))
            if log:
                self.logs[f"{workflow}-system-container-impl-{argo.node_hash(path)}"] = log

    def nodes(self, run_id: str, title: str) -> list[dict[str, Any]]:
        """Return Argo's nodes of a run with this title."""
        details = self.runs[run_id]["run_details"]["task_details"]
        return [one for one in details if one.get("display_name") == title]

    def _node(self, run_id: str, title: str, workflow: str, child: str) -> dict[str, Any]:
        node: dict[str, Any] = {
            "run_id": run_id,
            "task_id": str(uuid.uuid4()),
            "display_name": title,
        }
        node |= {"create_time": now(), "start_time": now(), "end_time": ZERO, "state": "RUNNING"}
        node["state_history"] = [{"update_time": now(), "state": "RUNNING"}]
        children = [{"pod_name": f"{workflow}-{argo.node_hash(child)}"}] if child else []
        return {**node, "child_tasks": children}

    def end(self, run_id: str, state: str, message: str = "") -> None:
        """End a run."""
        with self.lock:
            run = self.runs[run_id]
            run |= {"state": state, "finished_at": now()}
            run["state_history"].append({"update_time": now(), "state": state})
            if message:
                run["error"] = {"code": 13, "message": message}

    # ------------------------------------------------------------- its API
    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Return what the server answers, or raise Refusal."""
        request = f"{method} {path}"
        if self.multi_user:
            refused = many_users.refusal(request, query, body, self.experiments, self.namespaces)
            if refused:
                raise Refusal(*refused)
        for pattern, handler in ROUTES:
            found = re.fullmatch(pattern, request)
            if found:
                with self.lock:
                    return handler(self, query, body, **found.groupdict())
        raise Refusal(404, "Not Found")

    def health(self, query: Any, body: Any) -> Answer:
        known = {"commit_sha": "unknown", "tag_name": "unknown", "pipeline_store": "database"}
        return {**known, "multi_user": self.multi_user}

    def upload(self, query: dict[str, str], body: Any) -> Answer:
        name = query["name"]
        if any(one["name"] == name for one in self.pipelines.values()):
            raise Refusal(409, "Failed to create a pipeline and a pipeline version")
        one: dict[str, Any] = {
            "pipeline_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "description": query.get("description", ""),
            "created_at": now(),
        }
        self.pipelines[one["pipeline_id"]] = one
        self._version(one["pipeline_id"], name, query.get("description", ""), body)
        return one

    def upload_version(self, query: dict[str, str], body: Any) -> Answer:
        one = (query["pipelineid"], query["name"])
        if one in {(v["pipeline_id"], v["name"]) for v in self.versions.values()}:
            raise Refusal(409, "Failed to create a pipeline version")
        return self._version(*one, query.get("description", ""), body)

    def _version(self, pipeline_id: str, name: str, description: str, body: str) -> Answer:
        spec, *platform = pipelines.documents(body)
        version: dict[str, Any] = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "description": description,
            "created_at": now(),
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform[0]}
            if platform
            else spec,
        }
        self.versions[version["pipeline_version_id"]] = version
        return version

    def list_pipelines(self, query: dict[str, str], body: Any) -> Answer:
        return listing("pipelines", self.pipelines.values(), query)

    def list_versions(self, query: dict[str, str], body: Any, id: str) -> Answer:
        mine = [one for one in self.versions.values() if one["pipeline_id"] == id]
        return listing("pipeline_versions", mine, query)

    def get_version(self, query: Any, body: Any, id: str, version: str) -> Answer:
        return known(self.versions, version, "PipelineVersion")

    def list_experiments(self, query: dict[str, str], body: Any) -> Answer:
        return listing("experiments", self.experiments.values(), query)

    def create_experiment(self, query: Any, body: dict[str, Any]) -> Answer:
        name = body["display_name"]
        if any(one["display_name"] == name for one in self.experiments.values()):
            raise Refusal(409, f"The name {name} already exists. Please specify a new name")
        one = {**body, "experiment_id": str(uuid.uuid4()), "created_at": now()}
        one |= {"storage_state": "AVAILABLE", "last_run_created_at": ZERO}
        self.experiments[one["experiment_id"]] = one
        return one

    def create_run(self, query: Any, body: dict[str, Any]) -> Answer:
        given = set(body.get("runtime_config", {}).get("parameters", {}))
        inputs = self._inputs(body)
        if given - set(inputs):
            raise Refusal(
                400, f"Failed to create a run: unknown parameters: {sorted(given - set(inputs))}"
            )
        one = {**body, "run_id": str(uuid.uuid4()), "created_at": now(), "scheduled_at": now()}
        one |= {"finished_at": ZERO, "state": "PENDING", "storage_state": "AVAILABLE"}
        one["state_history"] = [{"update_time": now(), "state": "PENDING"}]
        one.setdefault("service_account", "pipeline-runner")
        one["workflow"] = f"run-{one['run_id'][:5]}"
        self.runs[one["run_id"]] = one
        return visible(one)

    def _inputs(self, body: Mapping[str, Any]) -> dict[str, Any]:
        spec = body.get("pipeline_spec")
        if reference := body.get("pipeline_version_reference"):
            version = reference["pipeline_version_id"]
            spec = known(self.versions, version, "PipelineVersion")["pipeline_spec"]
        spec = dict(spec or {})
        spec = spec.get("pipeline_spec", spec)
        return dict(spec["root"]["inputDefinitions"]["parameters"])

    def list_runs(self, query: dict[str, str], body: Any) -> Answer:
        return listing("runs", map(visible, self.runs.values()), query)

    def get_run(self, query: Any, body: Any, id: str) -> Answer:
        return visible(known(self.runs, id, "Run"))

    def delete_run(self, query: Any, body: Any, id: str) -> Answer:
        known(self.runs, id, "Run")
        del self.runs[id]
        return {}

    def terminate_run(self, query: Any, body: Any, id: str) -> Answer:
        run = known(self.runs, id, "Run")
        run["state"] = "CANCELING"
        run["state_history"].append({"update_time": now(), "state": "CANCELING"})
        return {}

    def read_log(self, query: Any, body: Any, id: str, node: str) -> Answer:
        if self.is_page:
            raise Refusal(404, "Not Found")
        if node not in self.logs:  # a real server has sent 200 by then
            return json.dumps({"error_message": "Failed to read logs", "error_details": "..."})
        return self.logs[node]

    def read_page(self, query: Any, body: Any) -> Answer:
        if not self.is_page:
            raise Refusal(404, "Not Found")
        return "<!doctype html><title>Kubeflow Pipelines</title>"

    def read_log_at_page(self, query: dict[str, str], body: Any) -> Answer:
        if not self.is_page:
            raise Refusal(404, "Not Found")
        if query["podname"] not in self.logs:
            raise Refusal(500, "Could not get main container logs: Error")
        return self.logs[query["podname"]]

    def create_recurring(self, query: Any, body: dict[str, Any]) -> Answer:
        self._inputs(body)
        one = {**body, "recurring_run_id": str(uuid.uuid4()), "created_at": now()}
        one |= {"updated_at": now(), "status": f"{one['mode']}D"}
        one.setdefault("service_account", "pipeline-runner")
        one.setdefault("namespace", "kubeflow")
        self.recurring[one["recurring_run_id"]] = one
        return one

    def list_recurring(self, query: dict[str, str], body: Any) -> Answer:
        return listing("recurringRuns", self.recurring.values(), query)

    def get_recurring(self, query: Any, body: Any, id: str) -> Answer:
        return known(self.recurring, id, "Job")

    def delete_recurring(self, query: dict[str, str], body: Any, id: str) -> Answer:
        known(self.recurring, id, "Job")
        del self.recurring[id]
        if query.get("propagation_policy") != "ORPHAN":
            for run in self.runs.values():
                if run.get("recurring_run_id") == id and run["finished_at"] == ZERO:
                    self.end(run["run_id"], "FAILED", "its workflow was deleted")
        return {}

    def switch_recurring(self, query: Any, body: Any, id: str, mode: str) -> Answer:
        known(self.recurring, id, "Job")["status"] = f"{mode.upper()}D"
        return {}


API, ID = "/apis/v2beta1", "(?P<id>[^/:]+)"
ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (f"GET {API}/healthz", KfpServer.health),
    (f"POST {API}/pipelines/upload", KfpServer.upload),
    (f"POST {API}/pipelines/upload_version", KfpServer.upload_version),
    (f"GET {API}/pipelines", KfpServer.list_pipelines),
    (f"GET {API}/pipelines/{ID}/versions", KfpServer.list_versions),
    (f"GET {API}/pipelines/{ID}/versions/(?P<version>[^/]+)", KfpServer.get_version),
    (f"GET {API}/experiments", KfpServer.list_experiments),
    (f"POST {API}/experiments", KfpServer.create_experiment),
    (f"GET {API}/runs", KfpServer.list_runs),
    (f"POST {API}/runs", KfpServer.create_run),
    (f"GET {API}/runs/{ID}", KfpServer.get_run),
    (f"DELETE {API}/runs/{ID}", KfpServer.delete_run),
    (f"POST {API}/runs/{ID}:terminate", KfpServer.terminate_run),
    (f"GET /apis/v1alpha1/runs/{ID}/nodes/(?P<node>[^/]+)/log", KfpServer.read_log),
    ("GET /", KfpServer.read_page),
    ("GET /k8s/pod/logs", KfpServer.read_log_at_page),
    (f"GET {API}/recurringruns", KfpServer.list_recurring),
    (f"POST {API}/recurringruns", KfpServer.create_recurring),
    (f"GET {API}/recurringruns/{ID}", KfpServer.get_recurring),
    (f"DELETE {API}/recurringruns/{ID}", KfpServer.delete_recurring),
    (f"POST {API}/recurringruns/{ID}:(?P<mode>enable|disable)", KfpServer.switch_recurring),
]
