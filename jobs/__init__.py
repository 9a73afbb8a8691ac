"""Thin programs and the command line."""
