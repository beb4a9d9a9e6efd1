"""How a side's predictions came to be: by weights, an endpoint, a file or an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where predictions come from that a run took from generate.cache: the `entry` there, the
    `place` that they were first written to, when they were `made` (UTC), in how many `seconds`, and
    by which `runner`."""

    entry: str
    place: str
    made: str
    seconds: float
    runner: str


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers were decoded: every parameter that was `used`, by transformers' names, and what
    the model's own generation_config.json would have changed of it, which was `not_obeyed`. `dtype`
    is the precision of the weights, "" in a run from before it was kept."""

    used: Mapping[str, object]
    not_obeyed: Mapping[str, object]
    dtype: str = ""


@dataclass(frozen=True, kw_only=True)
class Served:
    """How an endpoint answered for a model: its base URL, what it refused of what was asked for
    (`dropped`), how many samples it gave no answer to, by cause, and the `requests` and tokens that
    it took, `estimated` where it counted none; `cost` is None without a price.

    `cut` are the ids of prompts of which it counted far fewer tokens than they have, at most 20 of
    `cut_count`. Of `repeated` samples asked a second time, `repeated_same` had the same answer.
    `models` are what it called the model that answered, each with its number of answers, at most 20
    in the order of their first ones; `endpoints` are the same of base URLs, more than one where it
    has moved. Both are {} where nothing says.
    """

    endpoint: str
    dropped: tuple[str, ...] = ()
    failed: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    cut: tuple[str, ...] = ()
    cut_count: int = 0
    repeated: int = 0
    repeated_same: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    endpoints: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AnswersFile:
    """The file that a side's answers were in before the run: its name, the `sha256` of its bytes,
    its `format` (LLaMA-Factory, or its columns) and how many `rows` it has. Samples and rows were
    `matched` by id or by order, or the samples are its own; so many samples were `lacking` a row,
    and so many rows `unused`. `templated` says that the samples' prompts have the marks of a chat
    template in them."""

    file: str
    sha256: str
    format: str
    rows: int
    matched: Literal["id", "order", "own"]
    lacking: int = 0
    unused: int = 0
    templated: bool = False


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How one answer of an endpoint looks to weights that are given its sample by their own
    template, token by token: of so many `tokens` (its end among them where it ended) the weights'
    first choice were `first`. `regret` is the sum over them, in nats, of how much likelier the
    first choice was, `ending` its part where the answer ended and they would not have, or the other
    way round; `surprise` that of -log p less the entropy, which for tokens that the weights
    would draw themselves is 0 on average. `penalised` is the regret by repetition penalty: under
    each the tokens that were there before, in the prompt too, are less likely. `prompt_tokens` is
    what their template makes of it."""

    id: str
    prompt_tokens: int
    tokens: int
    first: int
    regret: float
    surprise: float
    ending: float = 0.0
    penalised: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How one side's predictions came to be: written last by generate, so its presence means
    complete. `results` is all_results.json: LLaMA-Factory's, and eval_token_loss, but for what is
    not finite; `runner` says where it was made: inline, or in which Volcano Job; `finished` is when
    (UTC, to the second), "" in a run from before it was kept. `device` is what the answers were
    computed on, "" where that is not known, and `engine` who gave them; `served` is None unless
    that is an endpoint, and `given` unless they were in a file. `origin` is None unless they were
    taken from an earlier run's; the `seconds` are then those that taking them took.
    `decoding` is None in a run from before it was kept, and where no weights were loaded.
    `base_digest` is that of the folder an adapter was loaded on, "" where there was none, and
    `config_digest` that of what the folders say beside their weights."""

    model: str
    base_model: str
    digest: str
    template: str
    dataset_hash: str
    samples: int
    seconds: float
    settings: Mapping[str, object]
    results: Mapping[str, float]
    versions: Mapping[str, str]
    runner: str = "inline"
    finished: str = ""
    device: str = ""
    engine: str = "transformers"
    origin: Origin | None = None
    decoding: Decoding | None = None
    served: Served | None = None
    given: AnswersFile | None = None
    base_digest: str = ""
    config_digest: str = ""
