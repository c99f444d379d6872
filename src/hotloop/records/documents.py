"""JSON documents of nouns, both ways. Nothing is ever unpickled; what JSON cannot say is written as text."""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from hotloop.errors import EvidenceError
from hotloop.trial import Result

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Noun = TypeVar("Noun")

SCHEMA = 2
"""Version of the documents of results, trials and blocks.

1: the first.
2: `median` is called `ratio`, which is a trimmed mean; `pairs` are `replicates`, and count what was measured in every
   trial; a trial's `bound` is its `amdahl_limit`; of a block `race` is `comparison` and `pair` is `replicate`. NaN and
   infinities are "nan", "inf" and "-inf" everywhere (in results they were null).
Documents of version 1 are read, and written as version 2.
"""


def to_data(value: Any) -> Any:
    """`value` in JSON's own types; NaN and infinities become "nan", "inf" and "-inf", which `from_data` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_data(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_data(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, str) else value


def from_data(kind: type[Noun], data: Any) -> Noun:
    """The inverse of `to_data`, of version 1 as well.

    Raises ValueError, with every problem named, where `data` is not such a noun.
    """
    return _adapter(kind).validate_python(upgraded(data))


def result_data(result: Result) -> dict[str, Any]:
    """The document of `--json` and result.json."""
    data: dict[str, Any] = {"schema": SCHEMA, **to_data(result)}
    for figures in (data, *data["trials"]):
        if figures["speedup"] is not None:
            figures["speedup"]["clock"] = result.clock.value
    return data


def result_json(result: Result) -> str:
    """The text of result.json: indented, keys in a fixed order, no NaN."""
    return json.dumps(result_data(result), indent=2, allow_nan=False) + "\n"


def read_result(data: Mapping[str, Any]) -> Result:
    """The inverse of `result_data`. Raises EvidenceError for an unknown schema, missing keys or wrong types."""
    if data.get("schema") not in range(1, SCHEMA + 1):
        raise EvidenceError(
            f"result has schema {data.get('schema')!r}; this hotloop reads 1 to {SCHEMA}: measure again, or read it "
            "with the hotloop that wrote it"
        )
    try:
        return from_data(Result, data)
    except ValueError as error:
        problems = "; ".join(str(error).splitlines())
        raise EvidenceError(f"result is incomplete or damaged ({problems}); measure again") from error


def upgraded(data: Any) -> Any:
    """A document of any version with the names of this one; what is of this version stays as it is."""
    if isinstance(data, dict):
        names = _RENAMED if {"kept", "arm", "median"} & set(data) else {}
        found: dict[str, Any] = {names.get(key, key): upgraded(value) for key, value in data.items()}
        if "median" in data:  # version 1 wrote null for an upper end that is infinite, and for what is no number
            unknown = {"ratio": math.nan, "low": math.nan, "high": math.inf}
            return {key: unknown.get(key) if value is None else value for key, value in found.items()}
        return found
    if isinstance(data, (list, tuple)):  # version 1 wrote null for the losses of a curve that are not finite
        return [math.nan if item is None else upgraded(item) for item in data]
    return data


_RENAMED: Mapping[str, str] = {
    "median": "ratio",
    "pairs": "replicates",
    "bound": "amdahl_limit",
    "race": "comparison",
    "pair": "replicate",
}


@lru_cache
def _adapter(kind: type[Noun]) -> "TypeAdapter[Noun]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
