"""Growth M2: checking a device before anything is built on it."""

from collections.abc import Callable, Mapping

import torch

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.trial import Claim, Judgement, Ruling

Device = str | torch.device
AVAILABLE: Mapping[str, int] = {"cpu": 1, "cuda": 1}  # a machine with one GPU, whether or not this one has any

GOOD: tuple[Device, ...] = ("cpu", "cuda", "cuda:0", torch.device("cuda:0"))
BAD: tuple[Device, ...] = (
    "cuda:5",
    "cuda:x",
    "cuda:-1",
    "gpu",
    "cuda:1:2",
    "mps",
    "xpu:0",
    torch.device("cuda", 5),
)


def proposed(device: Device, available: Mapping[str, int]) -> None:
    """What the claim proposes: read the number after the colon."""
    if device.startswith("cuda"):
        index = int(device.split(":")[1]) if ":" in device else 0
        if index >= available["cuda"]:
            raise ValueError(f"device {device} is not available: {available['cuda']} GPUs")


def checked(device: Device, available: Mapping[str, int]) -> torch.device:
    """The device. Raises ValueError, naming it and what there is, where it cannot be used here."""
    there = ", ".join(f"{kind} ({count})" for kind, count in available.items() if count)
    try:
        parsed = torch.device(device)
    except RuntimeError:
        raise ValueError(f"{device!r} is no device; this machine has {there}: name one of them") from None
    if (parsed.index or 0) >= available.get(parsed.type, 0):
        raise ValueError(f"device {str(device)!r} is not here; this machine has {there}: name one of them")
    return parsed


def is_right(check: Callable[[Device, Mapping[str, int]], object], device: Device, *, good: bool) -> bool:
    """Whether a good device passes, and a bad one is refused by a ValueError that names it and what there is."""
    try:
        check(device, AVAILABLE)
    except (ValueError, AttributeError, IndexError) as error:
        text = str(error)
        return not good and isinstance(error, ValueError) and str(device) in text and "1" in text
    return good


def wrong(check: Callable[[Device, Mapping[str, int]], object]) -> list[str]:
    """The devices that a check treats wrongly."""
    return [
        repr(device)
        for devices, good in ((GOOD, True), (BAD, False))
        for device in devices
        if not is_right(check, device, good=good)
    ]


def counts() -> Mapping[str, float]:
    return {
        "devices tried": len(GOOD) + len(BAD),
        "treated wrongly by the proposed check": len(wrong(proposed)),
        "treated wrongly by torch.device and a count": len(wrong(checked)),
        "the claim's own example, cuda:5, refused by the proposed check": int(is_right(proposed, "cuda:5", good=False)),
    }


def judge(seen: Evidence) -> Judgement:
    tried, bad = seen.count("devices tried"), seen.count("treated wrongly by the proposed check")
    example = seen.count("the claim's own example, cuda:5, refused by the proposed check")
    ours = seen.count("treated wrongly by torch.device and a count")
    return Judgement(
        ruling=Ruling.HOLDS if bad == 0 else Ruling.HALF if example else Ruling.FAILS,
        measured=f"the proposed check treats {digits(bad)} of {digits(tried)} devices wrongly; torch.device and a "
        f"count {digits(ours)}",
        why="An early check is right, and catches its own example. Reading the number by hand crashes on some strings, "
        "lets others through, and does not know torch.device objects or other kinds of device.",
    )


CLAIM = Claim(
    item="M2",
    title="device validation",
    text="A wrong device string fails deep inside the model; check it first by reading the number after cuda:.",
    figure="poor error messages",
    judge=judge,
    counts=counts,
)
