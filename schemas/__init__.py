"""The words that every other package uses: table schemas, reason codes, and the manifests of bundles and runs.

Imports nothing of this project; needs only pyarrow and pydantic.
"""
