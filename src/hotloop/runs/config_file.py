"""Config files: read from YAML, JSON or TOML, and checked, with every wrong key named."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from hotloop.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)


def parsed_config(path: Path) -> Mapping[str, Any]:
    """What a .yaml, .yml, .json or .toml file holds. Raises ConfigError where it cannot be read."""
    readers = {".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".json": json.loads, ".toml": tomllib.loads}
    if path.suffix not in readers:
        raise ConfigError(f"got {path.name}; a config ends in {', '.join(readers)}: rename it")
    try:
        parsed = readers[path.suffix](path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: {path} (looked in {Path.cwd()}); give the path of a config") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; correct the file") from error
    if not isinstance(parsed, Mapping):
        raise ConfigError(f"{path} holds a {type(parsed).__name__}; a config is a mapping with estimator and data")
    return parsed


def validated(model: type[Config], data: Mapping[str, Any], path: Path) -> Config:
    """The config that `data` of the file `path` is. Raises ConfigError that names every wrong key."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explained(model, dict(problem)) for problem in error.errors()]
        raise ConfigError(f"{path} is no config of hotloop train:\n  " + "\n  ".join(lines)) from error


def _explained(model: type[BaseModel], problem: dict[str, Any]) -> str:
    """One line: where, what, and for an unknown key the allowed ones."""
    place = [str(part) for part in problem["loc"]]
    where = ".".join(place) or "the file"
    if problem["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where}: got {problem.get('input')!r}: {problem['msg']}"
    return f"{where}: not a key here; allowed are {', '.join(_keys(model, place[:-1]))}"


def _keys(model: type[Any], place: list[str]) -> list[str]:
    for part in place:
        annotation = get_type_hints(model).get(part)
        kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in kinds if _fields(kind)), model)
    return _fields(model)


def _fields(kind: type[Any]) -> list[str]:
    if issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
