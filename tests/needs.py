"""What a test needs that a fresh machine may lack: skipped in one clear line, or refused in CI."""

from __future__ import annotations

import os

import pytest


def need(condition: bool, reason: str) -> None:
    """Skip the test with `reason` unless `condition`; with ASSAY_NO_SKIP=1 fail it instead."""
    if condition:
        return
    if os.environ.get("ASSAY_NO_SKIP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
