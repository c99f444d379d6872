"""The options of a model: the annotated fields of its own config dataclass, checked before anything is built."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from hotloop.errors import ModelError
from hotloop.option import allowed_values, fits


def option_annotations(config: Any, *, owner: str) -> dict[str, Any]:
    """The annotation of each option. Raises ModelError where `config` is no dataclass or has one without a check."""
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        raise ModelError(f"{owner} has {config!r} as its Config; a dataclass is needed: decorate it with @dataclass")
    hints = get_type_hints(config, include_extras=True)
    annotations = {field.name: hints[field.name] for field in dataclasses.fields(config) if field.init}
    for name, annotation in annotations.items():
        try:
            allowed_values(annotation)
        except TypeError as error:
            raise ModelError(f"{owner}: option {name}: {error}") from error
    return annotations


def checked_config(config: Any, options: Mapping[str, Any], *, owner: str) -> Any:
    """A `config` made of `options`; 0 and False are values like any other.

    Raises ModelError that names each unknown and each missing option, and each of a wrong type with what is allowed.
    """
    annotations = option_annotations(config, owner=owner)
    known = ", ".join(annotations) or "none"
    problems = [f"{name}: not an option; allowed are {known}" for name in options if name not in annotations]
    problems += [
        f"{name}: missing; give {allowed_values(annotations[name])}"
        for name in _required(config)
        if name not in options
    ]
    problems += [
        f"{name}: got {options[name]!r}; allowed is {allowed_values(annotation)}"
        for name, annotation in annotations.items()
        if name in options and not fits(options[name], annotation)
    ]
    if problems:
        raise ModelError(f"{owner} cannot be built:\n  " + "\n  ".join(problems))
    try:
        return config(**options)
    except ValueError as error:
        raise ModelError(f"{owner} cannot be built: {error}") from error


def _required(config: Any) -> list[str]:
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.init and field.default is missing and field.default_factory is missing
    ]
