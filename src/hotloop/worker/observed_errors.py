"""Keeps errors of hotloop's own out of the program that it watches."""

import functools
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

Fail = Callable[[Exception], NoReturn]


def contained(function: Callable[_P, _R], fail: Fail) -> Callable[_P, _R]:
    """The same function; what it raises is handed to `fail`, which ends the process, and not to the program."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, the program has not raised it
            fail(error)

    return call
