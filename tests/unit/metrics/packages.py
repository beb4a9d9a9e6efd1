"""Installing a package with metrics as pip would: a module and its entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.metrics import own


@contextmanager
def installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, code: str, points: str
) -> Iterator[None]:
    """Install `module` with its `code`, and its entry `points` (name = module:attribute lines)."""
    site = folder / "site"
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{own.ENTRY_POINT_GROUP}]\n{points}")
    monkeypatch.syspath_prepend(str(site))
    own.load.cache_clear()
    yield
    own.load.cache_clear()
    sys.modules.pop(module, None)
