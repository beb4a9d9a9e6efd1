"""A CPU's memory that is too small halves the batch, as an accelerator's does."""

from __future__ import annotations

from typing import Any

import pytest

from assay.engine import capacity, transformers
from assay.llamafactory.memory import full_alike
from assay.llamafactory.prompts import Prompt
from tests.unit.test_greedy import OPTIONS, PAD, model

BATCH = [
    Prompt(id=str(at), tokens=[10 + at] * 9, truncated=False, calls=False, wanted=None)
    for at in range(9)
]


def answered(made: Any, **options: Any) -> list[tuple[str, Any]]:
    asked = {**OPTIONS, "pad_token_id": PAD, "max_new_tokens": 4, **options}
    parts = transformers._answered(made, BATCH, asked, 256, lambda _tokens: 0)
    return [(prompt.id, written) for part in parts for prompt, written in part]


def test_a_batch_that_a_cpu_has_no_memory_for_is_halved(llamafactory: None) -> None:
    import torch

    made = model()
    wanted = answered(made)
    rows: list[int] = []

    def take(_module: Any, _given: Any, named: dict[str, Any]) -> None:
        rows.append(len(named["input_ids"]))
        if rows[-1] > 2:
            torch.empty(2**60, dtype=torch.uint8)  # no machine has it

    made.register_forward_pre_hook(take, with_kwargs=True)
    assert answered(made) == wanted
    assert max(rows) > 2
    with pytest.raises(RuntimeError, match="can't allocate"):
        torch.empty(2**60, dtype=torch.uint8)


def test_only_full_memory_is_another_error(llamafactory: None) -> None:
    import torch

    with pytest.raises(torch.OutOfMemoryError), full_alike():
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="shape") as told, full_alike():
        torch.zeros(2) @ torch.zeros((3, 3))
    assert not isinstance(told.value, torch.OutOfMemoryError)


@pytest.mark.parametrize(
    ("options", "most"), [({}, 9), ({"do_sample": True}, 3), ({"repetition_penalty": 1.1}, 3)]
)
def test_transformers_loop_reads_no_more_at_once_than_a_cpu_holds(
    llamafactory: None, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], most: int
) -> None:
    """It reads all prompts of a batch in one go, and the kernel kills who takes too much."""
    made = model()
    monkeypatch.setattr(capacity, "_READ_ON_CPU", 3 * 9 + 8)
    read: list[int] = []
    made.register_forward_pre_hook(
        lambda _module, _given, named: read.append(len(named["input_ids"])), with_kwargs=True
    )
    assert [id_ for id_, _ in answered(made, **options)] == [prompt.id for prompt in BATCH]
    assert max(read) == most
