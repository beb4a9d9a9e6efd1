"""The child process that trains: `python -m assay.llamafactory.train CONFIG.yaml`.

It is `llamafactory-cli train CONFIG.yaml`, ended together with the stage that started it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay import process
from assay.errors import ModelError
from assay.llamafactory.whole import whole


def main(config: Path) -> None:
    """Train as `config` says; with several devices LLaMA-Factory starts torchrun, by its name."""
    process.end_with_parent()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    sys.argv = ["llamafactory-cli", "train", str(config)]
    from llamafactory.cli import main as llamafactory_cli

    try:
        with whole():
            llamafactory_cli()
    except ModelError as error:
        sys.exit(f"assay: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
