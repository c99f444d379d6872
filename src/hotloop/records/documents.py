"""JSON documents of nouns, both ways. Nothing is ever unpickled; what JSON cannot say is written as text."""

import dataclasses
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Noun = TypeVar("Noun")


def to_data(value: Any) -> Any:
    """`value` in JSON's own types; NaN and infinities become "nan", "inf" and "-inf", which `from_data` reads back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {text(str(key)): to_data(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_data(item) for item in value]
    if isinstance(value, os.PathLike):
        return text(os.fspath(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return text(value) if isinstance(value, str) else value


def from_data(kind: type[Noun], data: Any) -> Noun:
    """The inverse of `to_data`. Raises ValueError, with every problem named, where `data` is not such a noun."""
    return _adapter(kind).validate_python(data)


def text(value: str) -> str:
    """`value` with what no database takes (NUL, bytes of file names that are not UTF-8) spelled with backslashes."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


@lru_cache
def _adapter(kind: type[Noun]) -> "TypeAdapter[Noun]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
