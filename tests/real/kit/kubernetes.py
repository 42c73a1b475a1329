"""Objects of Kubernetes, judged by the schemas of its versions, and those of Prometheus' operator by its own."""

import copy
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
from cloudcoil.models.prometheus_operator import v1 as operator

# The oldest that the chart is for, and a new one.
VERSIONS = ("1.25", "1.37")


def check(thing: dict, versions: tuple[str, ...] = VERSIONS) -> None:
    """Fails where a field is unknown, missing or of another type."""
    if thing["apiVersion"] == "monitoring.coreos.com/v1":
        kind = thing["kind"]
        if thing.keys() != {"apiVersion", "kind", "metadata", "spec"}:
            raise AssertionError(f"{kind}: {thing.keys()}")
        jsonschema.validate(thing["spec"], schema(f"{kind}Spec"))
        return
    for version in versions:
        kubernetes_validate.validate(copy.deepcopy(thing), version, strict=True)


@cache
def schema(name: str) -> dict:
    """The schema of a type of the operator, by which a field that is not known is an error."""
    told = getattr(operator, name).model_json_schema()
    close(told)
    return told


def close(told: Any) -> None:
    """Forbids fields of which a schema says nothing, at every depth."""
    if isinstance(told, dict):
        if "properties" in told:
            told["additionalProperties"] = False
        # Go takes a flag in the midst of an expression, Python at its beginning alone.
        if str(told.get("pattern")).startswith("^(?i)"):
            told["pattern"] = "(?i)^" + told["pattern"].removeprefix("^(?i)")
        for below in told.values():
            close(below)
    elif isinstance(told, list):
        for below in told:
            close(below)
