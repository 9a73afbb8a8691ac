"""Estimators with their intervals as plain functions over numpy arrays; each names its source."""
