"""How often KFP tries a task again by itself: its own launcher, which fetches a task's inputs and
sends its outputs, does not wait for a store that is away, and a pod may be lost. What the task
itself refuses is told once: assay.tries."""

from kfp import dsl

TRIES, PAUSE, FACTOR = 3, "15s", 2.0  # after 15, 30 and 60 seconds


def try_again(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Have `task`, which goes on from what it has kept, tried again after its pod failed."""
    return task.set_retry(TRIES, backoff_duration=PAUSE, backoff_factor=FACTOR)
