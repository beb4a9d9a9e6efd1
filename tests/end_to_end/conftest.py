"""The real small model, converted once on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.demo.base_model import base_model


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Return the directory of SmolLM2-135M-Instruct."""
    return base_model()
