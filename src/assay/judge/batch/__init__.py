"""Verdicts by the endpoint's Batch API: files in, verdicts out, for half the price and hours later.

`api` speaks it, `lines` are the two forms of file, `ledger` is what a run remembers of its batches,
and `batches` has each request that waits go in one of them.
"""
