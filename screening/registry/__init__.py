"""The registry of a results folder: which bundles are known, which one is promoted, who said so, when and why."""
