"""What an option of a transform may be, by the annotation of its field. Needs the standard library alone."""

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_IN_WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "a string", NoneType: "left out"}


@dataclass(frozen=True)
class AtLeast:
    """The smallest value that an option may have: `Annotated[int, AtLeast(1)]`."""

    value: float

    def __str__(self) -> str:
        return f"of at least {self.value:g}"


def allowed_values(annotation: Any) -> str:
    """The values that fit an annotation, in words. Raises TypeError for an annotation that cannot be checked."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated and all(isinstance(limit, AtLeast) for limit in arguments[1:]):
        return " ".join([allowed_values(arguments[0]), *map(str, arguments[1:])])
    if origin in (Union, UnionType, Literal):
        words = [repr(value) if origin is Literal else allowed_values(value) for value in arguments]
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    if annotation in _IN_WORDS:
        return _IN_WORDS[annotation]
    raise TypeError(f"cannot check {annotation}; give bool, int, float, str, None, Literal, or Annotated with AtLeast")


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value` is one that an annotation allows; an integer is a number, and neither is true or false."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return fits(value, arguments[0]) and all(value >= limit.value for limit in arguments[1:])
    if origin in (Union, UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    return type(value) is annotation or (annotation is float and type(value) is int)
