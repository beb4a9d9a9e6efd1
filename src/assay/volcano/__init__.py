"""Kubernetes and Volcano: the Job of a GPU stage, made, followed and ended."""
