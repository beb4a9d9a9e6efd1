"""The seats of a panel: further judges, who give a second opinion on the same predictions.

Each has a folder of its own beside the first judge's log, with the same files, and is paid for once
in the same way. The scores of the run stay the first judge's; what the others say shows how far
they can be believed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.errors import JudgeError
from assay.folder import PANEL
from assay.judge.access import check_access, place
from assay.judge.settings import JudgeSettings, Seat


def seats(settings: JudgeSettings) -> list[JudgeSettings]:
    """Return the settings of each further judge: the first one's but for what its seat says.

    Raises JudgeError for a judge that sits twice, since its scores would count twice, and as
    `check_access` does."""
    check_access(settings)
    judges = [
        replace(
            settings,
            model=seat.model,
            endpoint=seat.endpoint or settings.endpoint,
            api_key_env=_key_of(seat, settings),
            headers=_own(seat.headers, settings.headers, seat, settings),
            query=_own(seat.query, settings.query, seat, settings),
            extra_body=_own(seat.extra_body, settings.extra_body, seat, settings),
            batch=_by_batch(seat, settings),
            anchors="",
            calibration="",
            flip_sample=0,
            pairwise=False,
            panel=(),
        )
        for seat in settings.panel
    ]
    _check_seats([settings, *judges])
    return judges


def _key_of(seat: Seat, first: JudgeSettings) -> str:
    """Return the variable of a seat's key: its own, or the first judge's at the same endpoint."""
    if seat.api_key_env is not None:
        return seat.api_key_env
    return first.api_key_env if _at_the_same_endpoint(seat, first) else ""


def _own(
    given: Mapping[str, Any] | None, firsts: Mapping[str, Any], seat: Seat, first: JudgeSettings
) -> Mapping[str, Any]:
    """Return what a seat sends of a kind: its own, or the first judge's at the same endpoint."""
    if given is not None:
        return given
    return firsts if _at_the_same_endpoint(seat, first) else {}


def _by_batch(seat: Seat, first: JudgeSettings) -> bool:
    if seat.batch is not None:
        return seat.batch
    return first.batch and _at_the_same_endpoint(seat, first)


def _at_the_same_endpoint(seat: Seat, first: JudgeSettings) -> bool:
    """One host may serve several customers by path: another path is another endpoint."""
    return not seat.endpoint or place(seat.endpoint) == place(first.endpoint)


def _check_seats(judges: list[JudgeSettings]) -> None:
    seen = set()
    for judge in judges:
        if (judge.model, place(judge.endpoint)) in seen:
            raise JudgeError(
                f"judge.panel: {judge.model} at {judge.endpoint} sits there twice, or is the judge",
                "Name each judge once",
            )
        seen.add((judge.model, place(judge.endpoint)))


def log_of(seat: JudgeSettings, first: Path) -> Path:
    """Return the log of a further judge, in panel/ beside that of the first one."""
    return first.parent / PANEL / folder_of(seat) / first.name


def folder_of(seat: JudgeSettings) -> str:
    """Return the name of a judge's folder: its model, and what tells it from one of that name."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", seat.model).strip("-.")[:60]
    return f"{name}-{hashlib.sha256(f'{seat.model} {seat.endpoint}'.encode()).hexdigest()[:6]}"
