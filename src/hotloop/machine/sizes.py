"""Sizes of memory as people write them."""

import re

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_size(text: str) -> int:
    """Bytes of "24GiB", "1.5 gb" or "800 MiB". Raises ValueError for anything else, and for nothing."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?b|b)\s*", text, re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if not size:
        raise ValueError(f"got size {text!r}; give a number and a unit, such as 24GiB or 800MB")
    return size
