"""Verdicts by the endpoint's Batch API: files in, verdicts out, for half the price and hours later.

`api` speaks it, `objects` is what it says, `lines` the two forms of file; `ledger` is what a run
remembers of its batches, `under_way` waits for them, and `batches` has each request that waits go
in one of them.
"""
