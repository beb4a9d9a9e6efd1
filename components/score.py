"""Say something of every prediction: one component for each scoring stage."""

from dataclasses import replace

from kfp import dsl
from kfp.dsl.python_component import PythonComponent

from assay.scoring import SCORERS
from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def score(
    name: str,
    mode: str,
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    baseline: dsl.Input[dsl.Dataset],
    candidate: dsl.Input[dsl.Dataset],
    scores: dsl.Output[dsl.Dataset],
    store: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
    secret: str = "",
) -> None:
    """Score both sides' predictions; where the mode does not want it, leave the folder empty.

    Args:
        name: The scoring stage: metrics, judge or another.
        mode: "auto", "judge" or "both".
        settings: Its section of the configuration; a key comes by environment variable.
        store: The store section of the configuration.
        samples: What preflight prepared.
        baseline: The baseline's predictions.
        candidate: The candidate's predictions.
        scores: A folder with a row for each prediction, such as baseline/scores.jsonl.
        secret: The name of the Secret that its key comes from.
    """
    from pathlib import Path

    from assay import task

    with task.running(store, judge_secret=secret) as listen:
        sides = {"baseline": Path(baseline.path), "candidate": Path(candidate.path)}
        folder, out = Path(samples.path), Path(scores.path)
        task.score(name, mode, settings, folder, sides, out, listen, place=scores.uri)


def called(name: str) -> PythonComponent:
    """Return the component under the name of a stage: its task, log and cache go by it."""
    spec = replace(score.component_spec, name=name)
    return PythonComponent(component_spec=spec, python_func=score.python_func)


# by the name of the stage
SCORING = {scorer.name: called(scorer.task) for scorer in SCORERS}
