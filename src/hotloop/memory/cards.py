"""Cards by name, and sizes of memory as people write them."""

from collections.abc import Mapping
from types import MappingProxyType

from hotloop.errors import WorkloadError
from hotloop.machine.sizes import parse_size

# What the driver shows as total, rounded down to whole GiB.
CARDS: Mapping[str, int] = MappingProxyType(
    {
        "T4": 14 * 2**30,
        "L4": 22 * 2**30,
        "RTX 4090": 23 * 2**30,
        "RTX 5090": 31 * 2**30,
        "A100 40GB": 39 * 2**30,
        "A100 80GB": 79 * 2**30,
        "H100": 79 * 2**30,
        "H200": 139 * 2**30,
    }
)


def parse_room(text: str) -> int:
    """Bytes of a size such as "2GiB". Raises WorkloadError."""
    try:
        return parse_size(text)
    except ValueError:
        raise WorkloadError(f"got {text!r} as the memory of trials; give a size such as 2GiB") from None


def parse_card(text: str) -> tuple[str, int]:
    """Name and bytes of a card that is known by name, or of a size such as "24GiB". Raises WorkloadError."""
    for name, capacity in CARDS.items():
        if name.lower() == text.strip().lower():
            return name, capacity
    try:
        return text.strip(), parse_size(text)
    except ValueError:
        raise WorkloadError(f"got card {text!r}; give a size such as 24GiB, or one of: {', '.join(CARDS)}") from None
