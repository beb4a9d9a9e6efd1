"""The stages as KFP components: one file each, a few lines over the library."""
