"""What is set on a GPU task is meant for the pods of its Volcano Job, not for the task's own pod,
unless the pipeline is compiled for a cluster without Volcano."""

import os

from kfp import dsl

WITHOUT_VOLCANO = os.environ.get("ASSAY_WITHOUT_VOLCANO") == "1"
FIELDS = (
    dsl.TaskConfigField.RESOURCES,
    dsl.TaskConfigField.KUBERNETES_TOLERATIONS,
    dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
    dsl.TaskConfigField.KUBERNETES_AFFINITY,
    dsl.TaskConfigField.KUBERNETES_VOLUMES,
)
TO_WORKERS = [
    *(dsl.TaskConfigPassthrough(field=field, apply_to_task=WITHOUT_VOLCANO) for field in FIELDS),
    # the store's credentials among it, which the task needs too
    dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
]
