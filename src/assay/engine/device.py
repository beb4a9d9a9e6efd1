"""Which device answers are computed on: `python -m assay.engine.device FILE` writes it there."""

from __future__ import annotations

import sys
from pathlib import Path

from assay import process, store

CPU = "cpu"


def name() -> str:
    """Return the name of the device that torch computes on: the accelerator's, or "cpu"."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return CPU
    named = getattr(torch.get_device_module(accelerator), "get_device_name", None)
    return str(named()) if named else str(accelerator)


if __name__ == "__main__":
    process.end_with_parent()
    store.write_json(Path(sys.argv[1]), name())
