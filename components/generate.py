"""Answer the evaluation samples with one model."""

from kfp import dsl

from components.images import GPU_IMAGE
from components.passed import TO_WORKERS


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False, task_config_passthroughs=TO_WORKERS)
def generate(
    side: str,
    model: str,
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Dataset],
    cluster: dict,
    task_config: dsl.TaskConfig,
    base_model: str = "",
    store: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
) -> None:
    """Answer the evaluation samples, here or in a Volcano Job; with no model (no baseline) leave
    the folder empty.

    Args:
        side: "baseline" or "candidate".
        model: The model's URI, path or hub id.
        settings: The generate section of the configuration.
        samples: What preflight prepared.
        predictions: A folder with predictions.jsonl, likelihood.jsonl and generation.json.
        cluster: The cluster section of the configuration.
        store: The store section of the configuration.
        task_config: What is set on the task, for the Job's pods.
        base_model: The base of an adapter whose own record of it does not hold here.
    """
    from assay import dispatch, task

    with task.running(store) as listen:
        place = dispatch.place(cluster, vars(task_config), store)
        asked = {"side": side, "model": model, "settings": settings, "base_model": base_model}
        predictions.metadata.update(dispatch.generate(asked, samples, predictions, place, listen))
