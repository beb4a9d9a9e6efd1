"""Answer the evaluation samples with one model."""

from kfp import dsl

from components.images import GPU_IMAGE


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False)
def generate(
    side: str,
    model: str,
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Dataset],
    base_model: str = "",
) -> None:
    """Answer the evaluation samples; with no model (no baseline) leave the folder empty.

    Args:
        side: "baseline" or "candidate".
        model: The model's URI, path or hub id.
        settings: The generate section of the configuration.
        samples: What preflight prepared.
        predictions: A folder with predictions.jsonl, all_results.json and generation.json.
        base_model: The base of an adapter whose own record of it does not hold here.
    """
    from pathlib import Path

    from assay import task

    with task.running() as listen:
        source, out = Path(samples.path), Path(predictions.path)
        if done := task.generate(side, model, settings, source, out, base_model, listen):
            predictions.metadata.update(model=done.model, digest=done.digest, samples=done.samples)
