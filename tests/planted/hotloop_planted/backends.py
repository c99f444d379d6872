"""A Dynamo backend that always fails, found by its entry point."""

from typing import Any, NoReturn


def refusing(_graph: Any, _inputs: list[Any]) -> NoReturn:
    """Compile nothing."""
    raise LookupError("planted: this backend compiles nothing")
