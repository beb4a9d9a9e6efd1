"""Put everything that happened into one report."""

from typing import NamedTuple

from kfp import dsl

from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def report(
    config: dict,
    samples: dsl.Input[dsl.Dataset],
    baseline: dsl.Input[dsl.Dataset],
    candidate: dsl.Input[dsl.Dataset],
    metrics_scores: dsl.Input[dsl.Dataset],
    judge_scores: dsl.Input[dsl.Dataset],
    run: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    labels: dsl.Output[dsl.ClassificationMetrics],
    training: dsl.Input[dsl.Artifact] = None,
) -> NamedTuple("Decided", [("gate", dict)]):
    """Collect the run folder and write its report.

    Args:
        config: The whole configuration.
        samples: What preflight prepared.
        baseline: The baseline's predictions.
        candidate: The candidate's predictions.
        metrics_scores: The auto-metrics' scores.
        judge_scores: The judge's verdicts.
        run: The run folder: everything above, metrics.json and the report in every form.
        report: The report as one self-contained page.
        summary: The same numbers as Markdown.
        metrics: The same numbers for the comparison of runs.
        labels: The candidate's confusion matrix, where a metric is of labels.
        training: The fine-tune's record, where there was one.

    Returns:
        What the gate decided, {} where none was asked for.
    """
    from pathlib import Path

    from assay import task

    with task.running(config.get("store")):
        parts = {
            "": [samples.path, metrics_scores.path, judge_scores.path],
            "baseline": [baseline.path],
            "candidate": [candidate.path],
            "model": [training.path] if training else [],
        }
        folder = Path(run.path)
        told = task.report(config, parts, folder)
        for name, value in task.numbers(told).items():
            metrics.log_metric(name, value)
        if confusion := task.confusion(told):
            labels.log_confusion_matrix(*confusion)
        task.publish(folder, html=Path(report.path), markdown=Path(summary.path))
        return (task.decided(folder),)
