"""What one verdict was asked for and paid for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Bill:
    """What was asked for and paid for so far, for the verdict of this `key`: the requests, their
    tokens, and how many of these were paid at the price of a batch."""

    key: str = ""
    attempts: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    batch_prompt_tokens: int = 0
    batch_output_tokens: int = 0

    def add(self, tokens: tuple[int, int], *, by_batch: bool = False) -> None:
        """Add the prompt and output tokens of one request."""
        self.prompt_tokens += tokens[0]
        self.output_tokens += tokens[1]
        if by_batch:
            self.batch_prompt_tokens += tokens[0]
            self.batch_output_tokens += tokens[1]
