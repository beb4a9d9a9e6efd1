"""A worker whose work takes for ever: `python -m tests.cluster.idle`, in the place of its stage."""

from __future__ import annotations

import time
from typing import Any

from assay.volcano import worker


def idle(*_: Any) -> dict[str, Any]:
    """Work for ten minutes."""
    print("begin", flush=True)
    time.sleep(600)
    return {}


if __name__ == "__main__":
    worker._done = idle  # type: ignore[assignment]
    worker.main()
