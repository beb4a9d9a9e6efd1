"""What a scoring stage is: it reads the samples and what each side answered, and says something of
every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.folder import SCORES

Scoring = Callable[..., None]
"""score(samples, predictions, out, settings, *, listen, **flags): writes a row for each of the
`predictions` (side -> file) to `out`/<side>/, each flag a bool."""

SettingsCheck = Callable[[Any], None]
"""check(settings): raises InputError for what cannot work, before anything is spent."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """A scoring stage. `name` is its section in a configuration and its command; `title` is what
    it is called on Kubeflow Pipelines, where its task and image cache go by it.

    `settings` is the class of its section, and `usual` what counts without one: None where the
    section is needed. It takes part in the `modes`. `score` does the work and `check` refuses what
    this machine cannot do. `rows` is the file that it writes into the folder of each side, whose
    rows are Scores.

    `keyed` says that it asks an endpoint, whose key comes by a Secret. On the command line `flags`
    are handed to `score` (name -> help), and `shortcuts` set a setting that is text (name -> what
    it is, help).
    """

    name: str
    title: str
    help: str
    settings: type
    usual: object | None
    modes: frozenset[str]
    score: Scoring
    check: SettingsCheck
    rows: str = SCORES
    keyed: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)
    shortcuts: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """Return what its component and its task are called on Kubeflow Pipelines."""
        return self.title.lower()
