"""Figures of metrics as people read them."""

from hotloop.report.wording import duration


def seconds(value: float) -> str:
    """A time in the unit that a person would choose."""
    return duration(value)


def mebibytes(value: float) -> str:
    """Bytes as MiB."""
    return f"{value / 2**20:.1f} MiB"


def per_second(value: float) -> str:
    """Steps a second."""
    return f"{value:.4g} steps/s"
