"""The notes of a session as they are shown: each once, and what was not tried for want of time in one line."""

import re
from collections.abc import Iterable

from hotloop.report.short_names import shortened

# A session whose budget ran out in several places says so in each of them.
_UNTRIED = re.compile(r"not tried for want of time: (?P<names>.*); (?P<cure>.*)", re.DOTALL)
_COMMA = re.compile(r", (?![^()]*\))")  # between names, not between the options of one


def shown_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Each note once, in short names; those on what was not tried for want of time become one, which comes last."""
    others: dict[str, None] = {}
    names: dict[str, None] = {}
    cure = ""
    for note in notes:
        if untried := _UNTRIED.fullmatch(note):
            names.update(dict.fromkeys(shortened(name) for name in _COMMA.split(untried["names"])))
            cure = untried["cure"]
        else:
            others[shortened(note)] = None
    last = (f"not tried for want of time: {', '.join(names)}; {cure}",) if names else ()
    return (*others, *last)
