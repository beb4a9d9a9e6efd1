"""What LLaMA-Factory refuses of its settings, wherever it comes to use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from assay.llamafactory.readable import accepted

TRAINING = "finetune.llamafactory"


@contextmanager
def told(where: str, given: Mapping[str, Any]) -> Iterator[None]:
    """Raise SettingsError where LLaMA-Factory refuses in the body what it is `given` in `where`:
    when it reads that, when it makes what is trained or evaluated of the model and of the data,
    which can be read, and when it makes what trains it."""
    from llamafactory.train import tuner
    from llamafactory.train.sft import workflow
    from transformers.trainer_callback import CallbackHandler

    trainer = workflow.CustomSeq2SeqTrainer
    with ExitStack() as stack:
        for place, name in (
            (tuner, "get_train_args"),
            (workflow, "get_dataset"),
            (workflow, "load_model"),
            (workflow, "CustomSeq2SeqTrainer"),
            (trainer, "get_train_dataloader"),
            (trainer, "set_initial_training_values"),
            (trainer, "create_optimizer"),
            (trainer, "create_scheduler"),
            (trainer, "_determine_best_metric"),
            (CallbackHandler, "on_train_begin"),
        ):
            usual = getattr(place, name)
            stack.callback(setattr, place, name, usual)
            setattr(place, name, _accepting(usual, where, given))
        yield


def _accepting(call: Callable[..., Any], where: str, given: Mapping[str, Any]) -> Any:
    def accepting(*positional: Any, **named: Any) -> Any:
        with accepted(where, given):
            return call(*positional, **named)

    return accepting
