"""Values of parameters as JSON and back; what cannot be stored is named, never pickled.

Functions and classes are stored by import path. On the way back, a named function is imported but not called; a class
is called only where it is a dataclass or a scikit-learn estimator.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from hotloop.import_path import import_path, imported


class Missing:
    """Stands for a function or object that a file could only name; raises ValueError when it is used."""

    def __init__(self, role: str, was: str) -> None:
        self.role, self.was = role, was

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(
            f"this estimator was saved with {self.was} as {self.role}, which could not be stored; give it again: "
            f"load(path, {_again(self.role)})"
        )

    def __repr__(self) -> str:
        return f"Missing({self.role!r}, was={self.was!r})"


class Encoder:
    """Values as JSON; `missing` collects the roles of what could only be named."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def encode(self, value: Any, role: str) -> Any:
        """JSON for `value`, which is used as `role`."""
        if value is None or isinstance(value, (bool, str)):
            return value
        for kind, encoded in _ENCODERS:
            if isinstance(value, kind):
                return encoded(self, value, role)
        return self._thing(value, role)

    def _thing(self, value: Any, role: str) -> Any:
        path = import_path(value) if callable(value) else None
        if path is not None:
            return {"kind": "import", "path": path}
        path = import_path(type(value))
        if path is not None and dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
            return {"kind": "dataclass", "class": path, "fields": self.items(fields, role)}
        if path is not None and isinstance(value, BaseEstimator):
            return self._estimator(value, path, role)
        return self.name_only(role, _described(value))

    def name_only(self, role: str, was: str) -> Any:
        """JSON that says what was used as `role`, and that it must be given again."""
        self.missing[role] = was
        return {"kind": "missing", "was": was, "note": f"give it again: load(path, {_again(role)})"}

    def _estimator(self, value: BaseEstimator, path: str, role: str) -> Any:
        learned = {name: item for name, item in vars(value).items() if name.endswith("_") and not name.startswith("_")}
        params = value.get_params(deep=False)
        inner = Encoder()
        data = {"params": inner.items(params, role), "learned": inner.items(learned, role)}
        if inner.missing:
            return self.name_only(role, _described(value))
        return {"kind": "estimator", "class": path, **data}

    def items(self, values: Mapping[str, Any], role: str) -> dict[str, Any]:
        """JSON for each of the values, all used as `role`."""
        return {str(name): self.encode(value, role) for name, value in values.items()}


_ENCODERS: tuple[tuple[Any, Callable[[Encoder, Any, str], Any]], ...] = (
    ((int, np.integer), lambda encoder, value, role: int(value)),
    (
        (float, np.floating),
        lambda encoder, value, role: (
            float(value) if math.isfinite(value) else {"kind": "float", "value": str(float(value))}
        ),
    ),
    (np.bool_, lambda encoder, value, role: bool(value)),
    (torch.device, lambda encoder, value, role: {"kind": "device", "name": str(value)}),
    (torch.dtype, lambda encoder, value, role: {"kind": "dtype", "name": str(value).removeprefix("torch.")}),
    (torch.Tensor, lambda encoder, value, role: encoder.encode(value.detach().cpu().numpy(), role)),
    (list, lambda encoder, value, role: [encoder.encode(item, role) for item in value]),
    (tuple, lambda encoder, value, role: {"kind": "tuple", "items": [encoder.encode(item, role) for item in value]}),
    (Mapping, lambda encoder, value, role: {"kind": "mapping", "items": encoder.items(value, role)}),
    (
        np.ndarray,
        lambda encoder, value, role: (
            {"kind": "array", "dtype": value.dtype.str, "values": value.tolist()}
            if value.dtype.kind in "biufU"
            else {"kind": "array", "dtype": "O", "values": [encoder.encode(item, role) for item in value.tolist()]}
        ),
    ),
)


def decode(value: Any, role: str) -> Any:
    """The value that was encoded. Raises ValueError for a kind that is not known, or a class that may not be called."""
    if isinstance(value, list):
        return [decode(item, role) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("kind")
    if kind not in _DECODERS:
        raise ValueError(f"got a value of kind {kind!r} for {role}; allowed are {', '.join(_DECODERS)}: save it anew")
    return _DECODERS[kind](value, role)


def decode_items(values: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Each of the values that were encoded."""
    return {name: decode(value, role) for name, value in values.items()}


def _import(value: Mapping[str, Any], role: str) -> Any:
    try:
        return imported(value["path"])
    except (ImportError, AttributeError):
        return Missing(role, value["path"])


def _dataclass(value: Mapping[str, Any], role: str) -> Any:
    found = _class_of(value, role, dataclasses.is_dataclass, "dataclasses")
    return found if isinstance(found, Missing) else found(**decode_items(value["fields"], role))


def _estimator(value: Mapping[str, Any], role: str) -> Any:
    found = _class_of(value, role, lambda kind: issubclass(kind, BaseEstimator), "scikit-learn estimators")
    if isinstance(found, Missing):
        return found
    made = found(**decode_items(value["params"], role))
    for name, item in decode_items(value["learned"], role).items():
        setattr(made, name, item)
    return made


def _class_of(value: Mapping[str, Any], role: str, is_allowed: Callable[[type], bool], allowed: str) -> Any:
    found = _import({"path": value["class"]}, role)
    if isinstance(found, Missing) or (isinstance(found, type) and is_allowed(found)):
        return found
    raise ValueError(f"got the class {value['class']!r} for {role}; only {allowed} are built: save it anew")


_DECODERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "float": lambda value, role: float(value["value"]),
    "device": lambda value, role: torch.device(value["name"]),
    "dtype": lambda value, role: getattr(torch, value["name"]),
    "tuple": lambda value, role: tuple(decode(item, role) for item in value["items"]),
    "mapping": lambda value, role: decode_items(value["items"], role),
    "array": lambda value, role: np.array(
        decode(value["values"], role) if value["dtype"] == "O" else value["values"], dtype=value["dtype"]
    ),
    "import": _import,
    "dataclass": _dataclass,
    "estimator": _estimator,
    "missing": lambda value, role: Missing(role, value["was"]),
}


def _again(role: str) -> str:
    return f"{role}=..." if role in ("reward_fn", "context_extractor") else f"params={{{role!r}: ...}}"


def _described(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", None) or type(thing).__name__)
