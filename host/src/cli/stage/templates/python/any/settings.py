"""Reads settings by the JSON Schema that the host shows as a form.

It supports whole numbers and objects; add what your settings need.
"""

import json
from typing import Any

from componentize_py_types import Err
from wit_world.imports.types import Error_InvalidSettings, Problem

Properties = dict[str, dict[str, Any]]


def read(text: str, properties: Properties) -> dict[str, Any]:
    """Reads a JSON object; empty text means the defaults. Raises the contract's `invalid-settings` with every problem."""
    problems: list[Problem] = []
    given = _parse(text.strip() or "{}", problems)
    settings = {}
    for key, schema in properties.items():
        value = settings[key] = given.pop(key, schema["default"])
        if wanted := _fault(value, schema):
            problems.append(Problem(key, f"{value!r} is not {wanted}"))
    problems += [Problem(key, "there is no such setting") for key in given]
    if problems:
        raise Err(Error_InvalidSettings(problems))
    return settings


def schema(title: str, properties: Properties) -> str:
    """The JSON Schema of the settings, as text."""
    return json.dumps(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
    )


def _parse(text: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError as error:
        problems.append(Problem("", f"the settings are not JSON: {error}"))
        return {}
    if isinstance(given, dict):
        return given
    problems.append(Problem("", "the settings are not a JSON object"))
    return {}


def _fault(value: Any, schema: dict[str, Any]) -> str | None:
    """What the value should be, if it is not valid."""
    match schema["type"]:
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            # A bool is an int to Python.
            if type(value) is not int or not low <= value <= high:
                return f"a whole number from {low} to {high}"
        case "object":
            if not isinstance(value, dict):
                return "a JSON object"
    return None
