"""What the KFP components call: each stage from a component's parameters and artifact folders."""

from assay.task.answering import elsewhere, generate, merge, take
from assay.task.checking import outputs, preflight
from assay.task.environment import ERROR, PARENT, PROGRESS, running
from assay.task.handover import handed, whole
from assay.task.metadata import confusion, model_metadata, numbers, predictions_metadata
from assay.task.reporting import decided, gate, publish, report
from assay.task.scores import score
from assay.task.training import assist, finetune, given_tuning

__all__ = [
    "ERROR",
    "PARENT",
    "PROGRESS",
    "assist",
    "confusion",
    "decided",
    "elsewhere",
    "finetune",
    "gate",
    "generate",
    "given_tuning",
    "handed",
    "merge",
    "model_metadata",
    "numbers",
    "outputs",
    "predictions_metadata",
    "preflight",
    "publish",
    "report",
    "running",
    "score",
    "take",
    "whole",
]
