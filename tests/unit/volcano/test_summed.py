"""What the pods of a generation report is told as one line."""

from __future__ import annotations

import pytest

from assay.progress import Pace, Progress
from assay.volcano.summed import Summed


def told(*lines: tuple[str, str]) -> tuple[list[Progress], list[bool]]:
    events: list[Progress] = []
    summed = Summed(shards=2, listen=events.append)
    taken = [summed.take(pod, line) for pod, line in lines]
    return events, taken


def test_the_samples_of_all_pods_add_up_and_a_pod_made_anew_goes_on() -> None:
    events, taken = told(
        ("shard-0", "generate (candidate): 3/10 samples, 1.5/s, 0:04 left"),
        ("shard-1", "generate (candidate): 4/9 samples"),
        ("shard-1", "generate (candidate): 2/9 samples"),  # the next pod of that name
        ("shard-0", "generate (candidate): 10/10 samples, 1.5/s, done in 0:09"),
        ("shard-1", "generate (candidate): 9/9 samples, 1.5/s, done in 0:12"),
    )
    assert all(taken)
    assert [(event.done, event.total) for event in events] == [
        (3, 10),
        (7, 19),
        (5, 19),
        (12, 19),
        (19, 19),
    ]
    assert [event.state for event in events] == ["running"] * 4 + ["done"]
    assert [event.note for event in events] == ["1 of 2 shards have begun", "", "", "", ""]


def test_a_pod_that_does_several_shards_has_done_those_before() -> None:
    events, _ = told(
        ("shard-0", "generate (candidate): 10/10 samples, done in 0:09"),
        ("shard-0", "generate (candidate): 0/9 samples"),
        ("shard-0", "generate (candidate): 4/9 samples"),
        ("shard-0", "generate (candidate): 9/9 samples, done in 0:09"),
    )
    assert [(event.done, event.total) for event in events] == [
        (10, 10),
        (10, 19),
        (14, 19),
        (19, 19),
    ]
    assert [event.state for event in events] == ["running"] * 3 + ["done"]


def test_stages_and_sides_are_told_apart() -> None:
    events, _ = told(
        ("shard-0", "eval_loss (baseline): 8/8 samples, done in 0:01"),
        ("shard-1", "generate (baseline): 1/4 samples"),
        ("shard-1", "eval_loss (baseline): 7/7 samples, done in 0:01"),
    )
    assert [(event.stage, event.done, event.state) for event in events] == [
        ("eval_loss", 8, "running"),
        ("generate", 1, "running"),
        ("eval_loss", 15, "done"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "fetch: 3/10 MB",
        "generate (candidate): 3/10 samples, failed in 0:03, Generation ended with exit code 1",
        "shard 1 of 2 is answered; 1 are not yet",
        "",
    ],
)
def test_other_lines_are_the_pods_own(line: str) -> None:
    events, taken = told(("shard-0", line))
    assert (events, taken) == ([], [False])


def test_a_line_of_the_sum_reads_as_one_of_a_pod() -> None:
    events, _ = told(("shard-0", "generate (candidate): 3/10 samples, no answer: 1 empty_prompt"))
    line = Pace().describe(events[0])
    assert line == "generate (candidate): 3/10 samples, no answer: 1 empty_prompt"
