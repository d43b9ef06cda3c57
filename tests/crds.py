"""Schemas of cluster objects, and whether a manifest fits as an API server that prunes nothing sees it."""

import re
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parent / "data" / "crds"


def wrong(text: str) -> list[str]:
    """Everything that does not fit in a manifest, read as kubectl reads it: by YAML 1.1."""
    value = yaml.safe_load(text)
    schemas = yaml.safe_load((CRDS / f"{value['kind'].lower()}.yaml").read_text())
    version = value["apiVersion"].rpartition("/")[2]
    if version not in schemas:
        return [f"no version {version}"]
    return _wrong(schemas[version], value, "")


def _wrong(schema: dict[str, Any], value: Any, path: str) -> list[str]:
    kind = {"object": dict, "string": str, "boolean": bool}[schema["type"]]
    if not isinstance(value, kind):
        return [f"{path}: {value!r} is no {schema['type']}"]
    found = [f"{path}: no {key}" for key in schema.get("required", ()) if key not in value]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match")
    if isinstance(value, dict):
        for key, item in value.items():
            if key in schema["properties"]:
                found += _wrong(schema["properties"][key], item, f"{path}.{key}")
            else:
                found.append(f"{path}: unknown field {key}")
    return found
