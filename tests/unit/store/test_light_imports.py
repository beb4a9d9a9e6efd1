from __future__ import annotations

import subprocess
import sys

HEAVY = {"boto3", "botocore", "pydantic", "pyarrow", "rensa", "numpy", "datasets", "torch"}


def test_data_and_store_are_imported_without_what_they_use() -> None:
    script = "import sys, assay.cli.dataset, assay.dataset, assay.store; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(ended.stdout.split())
