"""Fixtures of every test."""

from tests.orthanc import orthanc, orthanc_server
from tests.ray_cluster import ray_cluster
from tests.s3 import s3_bucket, s3_environment, s3_server

__all__ = ["orthanc", "orthanc_server", "ray_cluster", "s3_bucket", "s3_environment", "s3_server"]
