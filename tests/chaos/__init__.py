"""Chaos: runs on the real cluster while pods, store, API server and judge go away at random.

`python -m tests.chaos [--seconds N] [--runs N] [--seed N]`, which is `make chaos`. All but the
model is real: in the place of LLaMA-Factory the workers run `training` and `answering`, which
write the same files at the pace that they are told.
"""
