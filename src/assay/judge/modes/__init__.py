"""The ways of judging."""
