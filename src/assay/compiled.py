"""Where the compiled pipelines are."""

from __future__ import annotations

from pathlib import Path

from assay.errors import InputError


def pipeline(name: str) -> Path:
    """Return the compiled YAML of a pipeline: from the wheel, or from the checkout."""
    package = Path(__file__).parent
    for folder in (package / "pipelines", package.parents[1] / "pipelines"):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise InputError(f"there is no pipeline {name}", "Use finetune_and_evaluate or evaluate")
