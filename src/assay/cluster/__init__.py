"""The only part that knows Kubernetes and KFP's client."""
