"""What the pods of the tasks that need no GPU ask of their node, unless the pipelines are compiled
with other amounts. What is set on a GPU task is its workers': its own pod has the namespace's."""

import os

from kfp import dsl

CPU = os.environ.get("ASSAY_TASK_CPU", "100m")
MEMORY = os.environ.get("ASSAY_TASK_MEMORY", "512Mi")
MEMORY_LIMIT = os.environ.get("ASSAY_TASK_MEMORY_LIMIT", "")  # none: how large the data is differs


def give_room(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Have the pod of `task` ask for CPU and memory, so that it is not the first to be evicted."""
    task.set_cpu_request(CPU).set_memory_request(MEMORY)
    return task.set_memory_limit(MEMORY_LIMIT) if MEMORY_LIMIT else task
