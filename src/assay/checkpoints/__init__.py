"""Checkpoints: which of those that a fine-tune wrote is the model, chosen on samples of its own."""

from assay.checkpoints.record import CheckpointScore, Selected
from assay.checkpoints.settings import (
    Selecting,
    check_metric,
    check_room,
    check_schedule,
    from_plain,
    selecting,
    to_plain,
)
from assay.checkpoints.stage import check, choose

__all__ = [
    "CheckpointScore",
    "Selected",
    "Selecting",
    "check",
    "check_metric",
    "check_room",
    "check_schedule",
    "choose",
    "from_plain",
    "selecting",
    "to_plain",
]
