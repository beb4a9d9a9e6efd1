"""What endpoints were found to accept, kept on this machine, so that the next run asks right at
once. After a week an endpoint is tried anew: servers are upgraded.

A file holds no secret and no address, only what is left out of a request; its name is a digest.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from pathlib import Path

from assay import store
from assay.errors import StoreError
from assay.judge.dialect import FORMS, LIMITS, Dialect
from assay.judge.settings import JudgeSettings
from assay.store.cache import cache_folder, place

WEEK_S = 7 * 24 * 3600.0


def wanted(settings: JudgeSettings) -> Dialect:
    """Return how the settings want an endpoint asked."""
    return Dialect(
        form=FORMS[0] if settings.json_schema else FORMS[-1],
        temperature=settings.temperature != "none",
        stream=settings.stream,
    )


def recall(settings: JudgeSettings) -> Dialect | None:
    """Return what the endpoint is known to accept of what is wanted, None where that is unknown."""
    path = _path(settings)
    try:
        if time.time() - path.stat().st_mtime > WEEK_S:
            return None
        dialect = Dialect(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    if dialect.form not in FORMS or dialect.limit not in LIMITS:
        return None
    return dialect.joined(wanted(settings))


def remember(settings: JudgeSettings, dialect: Dialect) -> None:
    """Keep what the endpoint accepts; where that cannot be written, the next run finds it out."""
    with contextlib.suppress(OSError, StoreError):
        store.write_json(_path(settings), asdict(dialect))


def _path(settings: JudgeSettings) -> Path:
    first = json.dumps([asdict(wanted(settings)), settings.query, settings.extra_body], default=str)
    folder = place("judges", settings.endpoint.rstrip("/"), settings.model, first)
    return cache_folder() / "judges" / f"{folder.name}.json"
