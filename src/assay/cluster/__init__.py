"""The only part that knows Kubernetes: GPU stages as Volcano Jobs."""
