"""How much memory each device in sight has free: `python -m assay.engine.memory FILE` writes it
there, in bytes. A process of its own, since asking takes some of it until the process ends."""

from __future__ import annotations

import sys
from pathlib import Path

from assay import process, store


def free() -> list[int]:
    """Return the free bytes of each accelerator in sight, none where it does not say."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    asked = getattr(torch.get_device_module(accelerator), "mem_get_info", None)
    return (
        [int(asked(place)[0]) for place in range(torch.accelerator.device_count())] if asked else []
    )


if __name__ == "__main__":
    process.end_with_parent()
    store.write_json(Path(sys.argv[1]), free())
