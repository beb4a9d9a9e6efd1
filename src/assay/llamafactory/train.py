"""The child process that trains: `python -m assay.llamafactory.train CONFIG.yaml SAMPLES`.

It is `llamafactory-cli train CONFIG.yaml`, ended together with the stage that started it. What it
finds wrong with the model or the settings it leaves beside the file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay import ending, process, store
from assay.llamafactory import rank, refusing, unknown, vocabulary
from assay.llamafactory.job import ERROR
from assay.llamafactory.readable import accepted
from assay.llamafactory.whole import check_whole, whole


def main(config: Path, samples: Path) -> None:
    """Train as `config` says on the `samples`, which its data is; with several devices
    LLaMA-Factory starts torchrun, by its name."""
    process.end_with_parent()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with ending.left(config.with_name(ERROR)):
        given = store.read_json(config)
        _check(given, samples)  # torchrun's processes would not look
        told = refusing.told(refusing.TRAINING, given)
        with _without_spaces(config) as path, whole(), told, rank.started(config.parent):
            sys.argv = ["llamafactory-cli", "train", str(path)]
            from llamafactory.cli import main as llamafactory_cli

            llamafactory_cli()


def _check(given: dict[str, Any], samples: Path) -> None:
    """Raise InputError where the base cannot be loaded, is not whole, or lacks words of a
    sample."""
    from llamafactory.hparams import DataArguments, ModelArguments

    with accepted(refusing.TRAINING, given):
        model, data = (unknown.part(kind, given) for kind in (ModelArguments, DataArguments))
    words = vocabulary.load(model, data, model.model_name_or_path, "finetune")
    unknown.check(samples, words, data, model.model_name_or_path)
    check_whole(model)


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
    main(Path(sys.argv[1]), Path(sys.argv[2]))
