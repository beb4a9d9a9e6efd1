"""A pipeline whose form comes from the table of parameters."""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from kfp import dsl

from assay import parameters

Given = Mapping[str, Any]  # what a run gives each parameter, as KFP's channels
Wiring = Callable[[Given], None]


def pipeline(name: str, display_name: str) -> Callable[[Wiring], Any]:
    """Return the decorator that makes a pipeline of a function that wires its tasks, handed what is
    given for each parameter that the table has under the function's name."""

    def decorate(wire: Wiring) -> Any:
        rows = parameters.of(wire.__name__)

        def wired(*channels: Any) -> None:
            wire({row.name: channel for row, channel in zip(rows, channels, strict=True)})

        # KFP reads names, types and defaults from the signature, meanings from the docstring
        wired.__dict__["__signature__"] = Signature(
            [
                Parameter(
                    row.name, Parameter.KEYWORD_ONLY, default=row.default, annotation=row.type
                )
                for row in rows
            ]
        )
        meanings = [f"    {row.name}: {row.meaning}" for row in rows]
        wired.__doc__ = "\n".join([str(wire.__doc__), "", "Args:", *meanings])
        return dsl.pipeline(name=name, display_name=display_name)(wired)

    return decorate
