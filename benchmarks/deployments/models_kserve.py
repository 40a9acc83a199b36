# /// script
# requires-python = ">=3.11"
# dependencies = ["kserve>=0.15", "pyyaml>=6"]
# [tool.environment]
# pinned = []
# ///
"""Manifests held against the classes of KServe's and Kubernetes' own clients, to the last field.

The clients' classes are made from the same schemas as the cluster's: `openapi_types` has the type of each field and
`attribute_map` its name in YAML. Usage: models_kserve.py FILE...
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from kserve import models
from kubernetes import client

CLASSES = {"ServingRuntime": "V1alpha1ServingRuntime", "InferenceService": "V1beta1InferenceService"}
PLAIN = {"str": str, "int": int, "bool": bool, "float": float}


def main() -> int:
    """Print each fault, then how many fields were looked at; exit with 1 where there is a fault."""
    count, faults = 0, []
    for path in map(Path, sys.argv[1:]):
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        for place, fault in walk(value, CLASSES[value["kind"]], value["kind"]):
            count += 1
            faults += [f"{place}: {fault}"] if fault else []
    print("\n".join([*faults, f"{count} fields, KServe {version('kserve')}"]))
    return int(bool(faults))


def walk(value: Any, kind: str, place: str) -> Iterator[tuple[str, str]]:
    """Each field below `value` with its fault, or ""."""
    inner = re.fullmatch(r"(list|dict)[(\[](?:str, )?(.*)[)\]]", kind, re.IGNORECASE)
    if inner:
        yield from _many(value, inner, place)
    elif kind in PLAIN:
        yield place, "" if type(value) is PLAIN[kind] else f"{value!r} is no {kind}"
    elif kind in ("object", "ResourceQuantity"):
        yield place, ""
    else:
        yield from _record(value, kind, place)


def _many(value: Any, inner: "re.Match[str]", place: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list if inner[1].lower() == "list" else dict):
        yield place, f"{value!r} is no {inner[1]}"
        return
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        yield from walk(item, inner[2], f"{place}[{key}]")


def _record(value: Any, kind: str, place: str) -> Iterator[tuple[str, str]]:
    known = getattr(models, kind, None) or getattr(client, kind)
    fields = {known.attribute_map[name]: type_ for name, type_ in known.openapi_types.items()}
    for key, item in value.items():
        where = f"{place}.{key}"
        yield from walk(item, fields[key], where) if key in fields else [(where, f"{kind} has no such field")]


if __name__ == "__main__":
    sys.exit(main())
