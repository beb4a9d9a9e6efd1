"""What a run consists of: a fine-tune and answers by the stand-ins, and the judge's stage; and what
their pods are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import store
from assay.folder import SAMPLES, TRAINING
from assay.queues import Work
from assay.records import Message, Sample
from tests.chaos import tally, training
from tests.cluster import kube
from tests.cluster.kube import Object
from tests.models import write_model

TEMPLATE = "qwen3"
KEY = "ASSAY_JUDGE_API_KEY"


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """The tasks of a run whose artifacts go under `root`, in a store; `folder` is one of the node's
    that the stand-ins may write to. `timeout_s` is how long a request to the judge waits."""

    root: str
    folder: Path
    steps: int = 40
    every: int = 5
    step_seconds: float = 0.4
    timeout_s: float = 60.0

    @property
    def tuning(self) -> Work:
        """The fine-tune."""
        settings = {
            "base_model": f"{self.root}/base",
            "template": TEMPLATE,
            "llamafactory": {"max_steps": self.steps, "save_steps": self.every},
        }
        outputs = {"model": f"{self.root}/model", "training": f"{self.root}/training"}
        return Work(
            stage="finetune",
            samples=f"{self.root}/samples",
            outputs=outputs,
            arguments={"settings": settings},
        )

    @property
    def answering(self) -> Work:
        """The answers of the model that was tuned."""
        settings = {"template": TEMPLATE, "evaluate_loss": False}
        asked = {"side": "candidate", "model": f"{self.root}/model", "settings": settings}
        return Work(
            stage="generate",
            samples=f"{self.root}/samples",
            outputs={"predictions": f"{self.root}/predictions"},
            arguments={**asked, "base_model": f"{self.root}/base"},
        )

    def answered_at(self, place: str) -> Work:
        """The answers of the base model, by themselves, which go to a `place` under the root."""
        asked = {**self.answering.arguments, "model": f"{self.root}/base", "base_model": ""}
        outputs = {"predictions": f"{self.root}/{place}"}
        return replace(self.answering, outputs=outputs, arguments=asked)

    def judging(self, endpoint: str) -> Object:
        """What tests.chaos.judging is told."""
        asked = {"endpoint": endpoint, "model": "fake", "api_key_env": KEY, "self_test": False}
        return {
            "judge": {**asked, "flip_sample": 0, "concurrency": 2, "timeout_s": self.timeout_s},
            "samples": f"{self.root}/samples",
            "predictions": f"{self.root}/predictions",
            "out": f"{self.root}/scores",
        }

    def publish(self, samples: int) -> None:
        """Put a base model and so many samples, which name the run, into the store."""
        name, here = self.root.rpartition("/")[2], self.folder / "inputs"
        rows = [
            Sample(
                id=f"{name}-{number}",
                messages=(Message(role="user", content=f"Say <{name}-{number}>."),),
                target="yes",
            )
            for number in range(samples)
        ]
        for file in (TRAINING, SAMPLES):
            store.write_rows(here / "samples" / file, rows)
        write_model(here / "base")
        for part in ("samples", "base"):
            store.publish(here / part, f"{self.root}/{part}")

    def tally(self, stage: str) -> Path:
        """Return the file that tells what the stand-in of a stage has done."""
        return self.folder / stage / "tally.jsonl"

    def worker(self, stage: str) -> dict[str, Any]:
        """Return what a launcher is told of its workers, so that they are the stand-ins."""
        own = self.tally(stage).parent
        own.mkdir(exist_ok=True)
        own.chmod(0o777)  # of the pod's user
        mounted = kube.mounted()
        volume = {"name": "tally", "hostPath": {"path": str(own), "type": "Directory"}}
        mount = {"name": "tally", "mountPath": str(own)}
        return {
            "script": "exec python3 -m tests.chaos.worker",
            "environment": {
                tally.VARIABLE: str(self.tally(stage)),
                training.STEP_SECONDS: str(self.step_seconds),
            },
            "task": {
                "volumes": [*mounted["volumes"], volume],
                "volume_mounts": [*mounted["volume_mounts"], mount],
            },
        }
