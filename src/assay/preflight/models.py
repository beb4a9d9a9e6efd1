"""The models whose weights are there before the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from assay import generate as generating
from assay import model
from assay.llamafactory.packages import check_quantizer
from assay.model import Model
from assay.plan import Plan
from assay.text import flat


def tell_withheld(plan: Plan) -> None:
    """Say what is worth knowing of the models, and what a model's folder asks for that only the
    user may: it is not done."""
    for name, base in models_of(plan).items():
        resolved = model.resolve(name, base, weights=False)
        for told in (*_withheld(plan, resolved), *_remarks(plan, resolved)):
            print(flat(told), file=sys.stderr, flush=True)


def _withheld(plan: Plan, resolved: Model) -> Iterator[str]:
    manifest = resolved.manifest
    for setting in generating.withheld(plan.generate, manifest) if manifest else ():
        yield (
            f"{resolved.name} asks for {setting}, which is not taken from a model's folder. If you "
            f"trust it, set generate.llamafactory.{setting}"
        )


def _remarks(plan: Plan, resolved: Model) -> Iterator[str]:
    return model.remarks(resolved, plan.generate.llamafactory, "generate.llamafactory")


def models_of(plan: Plan) -> dict[str, str]:
    """Return the models whose weights are there before the run, and the base that is set for
    each."""
    tuned = [plan.finetune.base_model] if plan.finetune else []
    names = [*tuned, *plan.weights]
    return {name: plan.base_model if name == plan.candidate else "" for name in names}


def check_model(plan: Plan, name: str, base: str) -> None:
    """Refuse a model that could not be loaded, before anything tries."""
    resolved = model.resolve(name, base, weights=False)
    model.check_whole(resolved)
    generating.templated(plan.generate, resolved)
    check_quantizer(model.quantization(resolved), resolved.base_name)
    model.check_words(resolved, plan.generate.llamafactory, "generate.llamafactory")
    model.check_merge(resolved, plan.generate.llamafactory, "generate.llamafactory")
