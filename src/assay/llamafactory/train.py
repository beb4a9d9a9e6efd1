"""The child process that trains: `python -m assay.llamafactory.train CONFIG.yaml`.

It is `llamafactory-cli train CONFIG.yaml`, ended together with the stage that started it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from assay import process, store
from assay.errors import ModelError
from assay.llamafactory.whole import check_whole, whole


def main(config: Path) -> None:
    """Train as `config` says; with several devices LLaMA-Factory starts torchrun, by its name."""
    process.end_with_parent()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        check_whole(_model(config))  # torchrun's processes would not look
        with _without_spaces(config) as path, whole():
            sys.argv = ["llamafactory-cli", "train", str(path)]
            from llamafactory.cli import main as llamafactory_cli

            llamafactory_cli()
    except ModelError as error:
        sys.exit(f"assay: {error}")


def _model(config: Path) -> Any:
    """Return LLaMA-Factory's arguments of the model in its settings."""
    from llamafactory.hparams import ModelArguments

    given, known = store.read_json(config), {field.name for field in fields(ModelArguments)}
    return ModelArguments(**{name: value for name, value in given.items() if name in known})


@contextmanager
def _without_spaces(config: Path) -> Iterator[Path]:
    """Yield a path to the file that LLaMA-Factory can hand to torchrun: it would cut others."""
    if len(str(config).split()) == 1:
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        link = Path(folder) / config.name
        link.symlink_to(config.resolve())
        yield link


if __name__ == "__main__":
    main(Path(sys.argv[1]))
