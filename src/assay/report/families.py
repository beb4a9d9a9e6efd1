"""Which family a model is of, by its name."""

from __future__ import annotations

import re

from assay import hub

# A family of models -> what their names hold.
_FAMILIES = {
    "Claude": r"claude",
    "Command": r"command-?[ar]|aya-",
    "DeepSeek": r"deepseek",
    "Gemini and Gemma": r"gemini|gemma",
    "GLM": r"glm-?\d",
    "GPT": r"gpt-?\d|gpt-oss|chatgpt|\bo[134](-|$)",
    "Granite": r"granite",
    "InternLM": r"internlm",
    "Kimi": r"kimi|moonshot",
    "Llama": r"llama-?\d|vicuna|nemotron",
    "Mistral": r"mistral|mixtral|ministral|magistral",
    "OLMo": r"olmo",
    "Phi": r"\bphi-?\d",
    "Qwen": r"qwen|qwq",
    "SmolLM": r"smollm",
    "Yi": r"\byi-",
}


def families(model: str) -> set[str]:
    """Return the families of models that the name of `model` speaks of; a distilled model can
    have two."""
    name = base(model)
    return {family for family, pattern in _FAMILIES.items() if re.search(pattern, name)}


def base(name: str) -> str:
    """Return the last part of a model's path or hub id, in small letters."""
    return hub.split(name)[0].rstrip("/").rsplit("/", 1)[-1].lower()
