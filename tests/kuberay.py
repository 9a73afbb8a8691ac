"""KubeRay's own schemas, as strict as an API server that refuses unknown fields. They are not part of the repository."""

import functools
import gzip
from typing import Any

import jsonschema
import yaml

from tests.real_data import kuberay_folder


@functools.cache
def schema_of(kind: str) -> dict[str, Any]:
    """Return the JSON schema of a custom resource of ray.io/v1 in which no field may stand that is not named."""
    text = gzip.decompress((kuberay_folder() / f"ray.io_{kind.lower()}s.yaml.gz").read_bytes())
    versions = yaml.load(text, yaml.CSafeLoader)["spec"]["versions"]
    [version] = [version for version in versions if version["name"] == "v1"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    # what every object has and a definition leaves to the API server
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def errors_of(value: object, schema: dict[str, Any]) -> list[str]:
    """Return what is wrong with a value, each with the place where."""
    found = jsonschema.Draft202012Validator(schema).iter_errors(value)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


def strict(schema: Any) -> Any:
    """Return an OpenAPI v3 schema of Kubernetes as a JSON schema: no unknown field, and numbers or texts where either may stand."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return {}
    read = {name: strict(part) for name, part in schema.items() if name != "properties"}
    if "properties" in schema:
        read["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
        read.setdefault("additionalProperties", False)
    return read
