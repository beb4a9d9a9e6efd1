"""Fine-tune the base model with LLaMA-Factory."""

from typing import NamedTuple

from kfp import dsl

from components.images import GPU_IMAGE
from components.passed import TO_WORKERS


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False, task_config_passthroughs=TO_WORKERS)
def finetune(
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    training: dsl.Output[dsl.Artifact],
    cluster: dict,
    task_config: dsl.TaskConfig,
    store: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
) -> NamedTuple("Tuned", [("model_uri", str)]):
    """Fine-tune the base model on the training samples: here, or in a Volcano Job.

    Args:
        settings: The finetune section of the configuration.
        samples: What preflight prepared.
        model: The tuned model or adapter, with its manifest.
        training: Manifest, loss curve and LLaMA-Factory's log: the model without its weights.
        cluster: The cluster section of the configuration.
        store: The store section of the configuration.
        task_config: What is set on the task, for the Job's pods.

    Returns:
        The model's URI, by which the next stage reads it.
    """
    from assay import dispatch, task

    with task.running(store) as listen:
        place = dispatch.place(cluster, vars(task_config), store)
        done = dispatch.finetune(settings, samples, model, training, place, listen)
        model.metadata.update(done)
    return (model.uri,)
