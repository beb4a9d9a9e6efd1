"""One of several processes that train: torchrun runs it as `-m assay.llamafactory.rank CONFIG.yaml`
in the place of LLaMA-Factory's own file. What that refuses it leaves beside the file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import ending, store
from assay.llamafactory import refusing

MODULE = "-m assay.llamafactory.rank"
_LEFT = "error-*.json"


def main(config: Path) -> None:
    """Train as `config` says, together with the others."""
    from llamafactory.train.tuner import run_exp

    left = config.resolve().with_name(_LEFT.replace("*", os.environ["RANK"]))
    with ending.left(left), refusing.told(refusing.TRAINING, store.read_json(config)):
        run_exp()


@contextmanager
def started(folder: Path) -> Iterator[None]:
    """Have LLaMA-Factory, where it starts several processes in the body, start these. Raises what
    the first of them has left in the `folder` where they fail."""
    from llamafactory import launcher

    for path in folder.glob(_LEFT):
        path.unlink()
    usual, launcher.__file__ = launcher.__file__, MODULE
    try:
        yield
    except subprocess.CalledProcessError as error:
        found = sorted(folder.glob(_LEFT), key=lambda path: path.stat().st_mtime_ns)
        told = ending.read(found[0]) if found else None
        raise (told or SystemExit(error.returncode)) from None
    finally:
        launcher.__file__ = usual


if __name__ == "__main__":
    main(Path(sys.argv[1]))
