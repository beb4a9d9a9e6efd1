"""The child process that trains: `python -m assay.llamafactory.train CONFIG.yaml`.

It is `llamafactory-cli train CONFIG.yaml`, ended together with the stage that started it. What it
finds wrong with the model or the settings it leaves beside the file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from assay import ending, process, store
from assay.llamafactory import vocabulary
from assay.llamafactory.job import ERROR
from assay.llamafactory.readable import accepted
from assay.llamafactory.whole import check_whole, whole

_WHERE = "finetune.llamafactory"


def main(config: Path) -> None:
    """Train as `config` says; with several devices LLaMA-Factory starts torchrun, by its name."""
    process.end_with_parent()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with ending.left(config.with_name(ERROR)):
        _check(store.read_json(config))  # torchrun's processes would not look
        with _without_spaces(config) as path, whole(), _settings_told():
            sys.argv = ["llamafactory-cli", "train", str(path)]
            from llamafactory.cli import main as llamafactory_cli

            llamafactory_cli()


def _check(given: dict[str, Any]) -> None:
    """Raise InputError where the base cannot be loaded, or is not whole."""
    from llamafactory.hparams import DataArguments, ModelArguments

    with accepted(_WHERE):
        model, data = (_part(kind, given) for kind in (ModelArguments, DataArguments))
    vocabulary.load(model, data, model.model_name_or_path, "finetune")
    check_whole(model)


def _part(kind: Any, given: dict[str, Any]) -> Any:
    """Return those arguments of LLaMA-Factory's that are of one kind."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in given.items() if name in known})


@contextmanager
def _settings_told() -> Iterator[None]:
    """Raise SettingsError where LLaMA-Factory refuses in the body what it is set to: when it reads
    that, and when it makes what is trained of the base, which can be loaded."""
    from llamafactory.train import tuner
    from llamafactory.train.sft import workflow

    read, load = tuner.get_train_args, workflow.load_model
    tuner.get_train_args, workflow.load_model = _accepting(read), _accepting(load)
    try:
        yield
    finally:
        tuner.get_train_args, workflow.load_model = read, load


def _accepting(call: Callable[..., Any]) -> Callable[..., Any]:
    def accepting(*given: Any, **named: Any) -> Any:
        with accepted(_WHERE):
            return call(*given, **named)

    return accepting


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
