"""Score the predictions with the auto-metrics."""

from kfp import dsl

from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def auto_metrics(
    mode: str,
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    baseline: dsl.Input[dsl.Dataset],
    candidate: dsl.Input[dsl.Dataset],
    scores: dsl.Output[dsl.Dataset],
) -> None:
    """Score both sides' predictions; in mode judge leave the folder empty.

    Args:
        mode: "auto", "judge" or "both".
        settings: The metrics section of the configuration.
        samples: What preflight prepared.
        baseline: The baseline's predictions.
        candidate: The candidate's predictions.
        scores: A folder with baseline/scores.jsonl and candidate/scores.jsonl.
    """
    from pathlib import Path

    from assay import task

    with task.running() as listen:
        sides = {"baseline": Path(baseline.path), "candidate": Path(candidate.path)}
        task.auto_metrics(mode, settings, Path(samples.path), sides, Path(scores.path), listen)
