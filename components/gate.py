"""End the run where the candidate has not proven what the policy demands."""

from kfp import dsl

from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def gate(decision: dict) -> None:
    """Fail unless the gate said GO. It is a task of its own, after the report, because a task that
    fails keeps no artifacts.

    Args:
        decision: What the report's gate decided; {} where none was asked for.
    """
    from assay import task

    with task.running():
        task.gate(decision)
