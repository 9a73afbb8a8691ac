"""Fixtures of every test."""

from tests.s3 import s3_bucket, s3_environment, s3_server

__all__ = ["s3_bucket", "s3_environment", "s3_server"]
