"""Fine-tune the base model with LLaMA-Factory."""

from typing import NamedTuple

from kfp import dsl

from components.images import GPU_IMAGE


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False)
def finetune(
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    training: dsl.Output[dsl.Artifact],
) -> NamedTuple("Tuned", [("model_uri", str)]):
    """Fine-tune the base model on the training samples.

    Args:
        settings: The finetune section of the configuration.
        samples: What preflight prepared.
        model: The tuned model or adapter, with its manifest.
        training: Manifest, loss curve and LLaMA-Factory's log: the model without its weights.

    Returns:
        The model's URI, by which the next stage reads it.
    """
    from pathlib import Path

    from assay import task

    with task.running() as listen:
        source, out = Path(samples.path), Path(model.path)
        manifest = task.finetune(settings, source, out, Path(training.path), listen)
        model.metadata.update(base_model=manifest.base_model, digest=manifest.digest)
    return (model.uri,)
