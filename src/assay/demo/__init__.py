"""The demo: everything real, on one machine, with a model small enough for two cores."""
