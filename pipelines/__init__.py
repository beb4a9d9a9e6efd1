"""The two pipelines: wiring only. The compiled YAML beside each is what is run."""
