"""What an interrupted try left behind is taken up only by the same work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from assay import store


def take_up(identity: Path, wanted: Any) -> None:
    """Keep the folder of the file `identity` where that file holds `wanted`, a record or JSON
    value that says all that its contents depend on; otherwise begin it anew with that file."""
    folder = identity.parent
    plain = json.loads(store.to_json(wanted))
    if folder.exists() and not (identity.is_file() and store.read_json(identity) == plain):
        shutil.rmtree(folder)
    store.write_json(identity, plain)
