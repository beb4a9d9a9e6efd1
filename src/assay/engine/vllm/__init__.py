"""vLLM as an engine: a server of its own on the loopback, in an environment of its own.

It is given the token ids that LLaMA-Factory's template makes and gives ids back, so what a prompt
is and what an answer comes to is the same as with any engine. Loss and accuracy are
LLaMA-Factory's, before the server starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from assay.engine.vllm import arguments, environment, gpus, settings, weights
from assay.engine.vllm.architecture import Architecture, architecture
from assay.engine.vllm.canary import check_adapter, says_numbers
from assay.engine.vllm.decoding import Room, body
from assay.engine.vllm.server import Server, running
from assay.engine.vllm.window import AskedPrompt, answers
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt, Written, misfit

WORTH = 32_768
"""So many tokens at most are written sooner than the server has started."""
_AT_ONCE = {True: 512, False: 64}  # requests, on GPUs and on a CPU: more than it computes together


@dataclass(frozen=True, kw_only=True)
class Vllm:
    """The server that answers for the weights that `job` names."""

    job: GenerateJob

    @property
    def note(self) -> str:
        """Return what is done before it can answer."""
        reason = weights.why_written(self.job)
        return f"its weights are made one folder first: {reason}" if reason else ""

    def answer(
        self, coder: Coder, prompts: Iterable[Prompt]
    ) -> Iterator[Sequence[tuple[Prompt, Written]]]:
        """Yield the prompts as they are answered, and those that do not fit the model as such.

        Raises StageError where the server ends or hangs, or ignores the adapter."""
        of = architecture(self.job.base, coder)
        room = arguments.room(self.job, of)
        fitting, others = list[Prompt](), list[tuple[Prompt, Written]]()
        for prompt in prompts:
            if cause := misfit(prompt, room.context):
                others.append((prompt, cause))
            else:
                fitting.append(prompt)
        yield others
        if fitting:
            longest = arguments.longest(fitting, room)
            with _serving(self.job, coder, of, longest) as (server, served):
                if not says_numbers(server, served, fitting, room):
                    yield [(prompt, "not_finite") for prompt in fitting]
                    return
                if served.adapter:
                    check_adapter(server, served, fitting, room)
                yield from answers(server, self._asked(fitting, room, served, coder), self._at_once)

    def _asked(
        self, prompts: Sequence[Prompt], room: Room, served: weights.ServedWeights, coder: Coder
    ) -> Iterator[AskedPrompt]:
        # the longest first: what is left over at the end is short
        for prompt in sorted(prompts, key=lambda prompt: len(prompt.tokens), reverse=True):
            yield prompt, body(served.name, prompt, room, coder.ends, self.job.settings)

    @property
    def _at_once(self) -> int:
        return int(self.job.settings["vllm"].get("max_num_seqs", _AT_ONCE[gpus.count() > 0]))


def find(job: GenerateJob) -> Vllm | str:
    """Return the engine, or why it cannot do the job. Raises SettingsError for a setting that the
    version here does not take."""
    if why_not := missing() or weights.unservable(job):
        return why_not
    settings.check_here(job.settings["vllm"])
    return Vllm(job=job)


def missing() -> str:
    """Return what it lacks on this machine, "" for nothing."""
    if environment.python():
        return ""
    if named := environment.named():
        return f"{environment.VARIABLE} is {named}, which holds no vLLM"
    return "it is not installed: make setup-vllm"


def unasked(job: GenerateJob, samples: int) -> str:
    """Return why so many samples are not worth the server's start, "" where they are."""
    tokens = samples * int(job.settings["max_new_tokens"])
    if tokens > WORTH:
        return ""
    return f"at most {tokens:,} tokens to write are done before it has started"


def versions() -> dict[str, str]:
    """Return the versions that its answers depend on."""
    return environment.versions()


@contextmanager
def _serving(
    job: GenerateJob, coder: Coder, of: Architecture, longest: int
) -> Iterator[tuple[Server, weights.ServedWeights]]:
    """Serve the model while the body runs, its adapter beside it or merged into it first."""
    with weights.served(job, coder) as (served, folder):
        layout, count = gpus.layout(of, job.settings["vllm"]), gpus.count()
        given = arguments.command(job, served, of, layout, longest, eager=not count)
        command = [str(environment.python()), str(environment.KEEPER), *given]
        print(f"vLLM serves {served.adapter or served.base} {layout.told()}", flush=True)
        known = environment.variables(count)
        with running(command, log=folder / "vllm.log", environment=known) as server:
            yield server, served
