"""The whole pipeline against the same LLaMA-Factory commands by hand: train, then evaluate and
predict with the base and with the tuned model."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from assay import dataset, local, process, store
from assay.demo.base_model import TEMPLATE, base_model
from assay.demo.run import DATA

TRAIN, EVAL = "smart_home_train", "smart_home_eval"
EPOCHS, BATCH, NEW_TOKENS, RANK = 0.25, 8, 32, 16


def main() -> None:
    """Print both times and their ratio."""
    base = base_model()
    with tempfile.TemporaryDirectory() as folder:
        by_hand = _timed(lambda: _by_hand(base, Path(folder) / "hand"))
        pipeline = _timed(lambda: _pipeline(base, Path(folder) / "pipeline"))
    print(f"LLaMA-Factory by hand  {by_hand:7.1f} s")
    print(f"Assay's pipeline       {pipeline:7.1f} s")
    print(f"overhead               {pipeline / by_hand - 1:+7.1%}")


def _timed(work: object) -> float:
    started = time.monotonic()
    work()  # type: ignore[operator]
    return time.monotonic() - started


def _pipeline(base: Path, folder: Path) -> None:
    given = {
        "base_model": str(base),
        "template": TEMPLATE,
        "train_dataset": f"{DATA / 'dataset_info.json'}#{TRAIN}",
        "eval_dataset": f"{DATA / 'dataset_info.json'}#{EVAL}",
        "num_epochs": EPOCHS,
        "batch_size": BATCH,
        "generate_settings": {"max_new_tokens": NEW_TOKENS},
        "finetune_settings": {"lora_rank": RANK},
        "mode": "auto",
    }
    local.run_pipeline("finetune_and_evaluate", given, folder)


def _by_hand(base: Path, folder: Path) -> None:
    for name, source in (("train", TRAIN), ("eval", EVAL)):
        rows = dataset.load(f"{DATA / 'dataset_info.json'}#{source}")
        dataset.to_llamafactory(rows, folder / name, name)
    adapter = folder / "adapter"
    _command(
        folder,
        base,
        "train",
        do_train=True,
        dataset="train",
        output_dir=str(adapter),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        lora_rank=RANK,
        finetuning_type="lora",
    )
    for tuned in ({}, {"adapter_name_or_path": str(adapter), "finetuning_type": "lora"}):
        common = {"eval_dataset": "eval", "per_device_eval_batch_size": BATCH, **tuned}
        _command(folder, base, "eval", do_eval=True, compute_accuracy=True, **common)
        _command(
            folder,
            base,
            "eval",
            do_predict=True,
            predict_with_generate=True,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            **common,
        )


def _command(folder: Path, base: Path, data: str, **settings: object) -> None:
    config = {
        "stage": "sft",
        "model_name_or_path": str(base),
        "template": TEMPLATE,
        "dataset_dir": str(folder / data),
        "output_dir": str(folder / "results"),
        "overwrite_output_dir": True,
        "report_to": "none",
        **settings,
    }
    store.write_json(folder / "command.yaml", config)
    process.run(
        process.python("llamafactory.cli", "train", str(folder / "command.yaml")),
        log=folder / "log",
        what="LLaMA-Factory",
    )


if __name__ == "__main__":
    main()
