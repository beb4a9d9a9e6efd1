"""Have the predictions judged by an LLM."""

from kfp import dsl

from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def judge(
    mode: str,
    settings: dict,
    samples: dsl.Input[dsl.Dataset],
    baseline: dsl.Input[dsl.Dataset],
    candidate: dsl.Input[dsl.Dataset],
    verdicts: dsl.Output[dsl.Dataset],
) -> None:
    """Have both sides' predictions judged; in mode auto leave the folder empty.

    Args:
        mode: "auto", "judge" or "both".
        settings: The judge section of the configuration; the key comes by environment variable.
        samples: What preflight prepared.
        baseline: The baseline's predictions.
        candidate: The candidate's predictions.
        verdicts: A folder with baseline/verdicts.jsonl and candidate/verdicts.jsonl.
    """
    from pathlib import Path

    from assay import task

    with task.running() as listen:
        sides = {"baseline": Path(baseline.path), "candidate": Path(candidate.path)}
        task.judge(mode, settings, Path(samples.path), sides, Path(verdicts.path), listen)
