"""Fixtures of every test."""

from tests.ray_cluster import ray_cluster
from tests.s3 import s3_bucket, s3_environment, s3_server

__all__ = ["ray_cluster", "s3_bucket", "s3_environment", "s3_server"]
