"""Kubeflow Pipelines as a client: runs submitted, followed and scheduled."""
