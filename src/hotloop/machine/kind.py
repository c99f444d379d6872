"""Whether another machine is of the same kind, so that what is measured there holds here."""

from collections.abc import Collection

from hotloop.measurement import Environment


def differences(ours: Environment, theirs: Environment) -> tuple[str, ...]:
    """What of `theirs` is not as in `ours`, in words; empty where both machines are of one kind.

    Load, memory, and numbers of cores are not of the kind: they may be what they are.
    """
    facts: dict[str, tuple[object, object]] = {
        "CPU": (ours.cpu, theirs.cpu),
        "number of cores": (len(ours.cores), len(theirs.cores)),
        "number of threads": (ours.threads, theirs.threads),
        "governor": (ours.governor, theirs.governor),
        "GPUs": (", ".join(ours.gpus) or "none", ", ".join(theirs.gpus) or "none"),
        "GPU driver": (ours.gpu_driver, theirs.gpu_driver),
        "Python": (ours.python, theirs.python),
        "torch": (ours.torch, theirs.torch),
        "hotloop": (ours.hotloop, theirs.hotloop),
        "compiler": (ours.compiler or "none", theirs.compiler or "none"),
        "allocators": (_listed(ours.allocators.values()), _listed(theirs.allocators.values())),
    }
    found = [f"its {name}: {there}, here: {here}" for name, (here, there) in facts.items() if here != there]
    missing = set(ours.cpu_flags) ^ set(theirs.cpu_flags)
    return (*found, *([f"CPU flags of one alone: {_listed(missing)}"] if missing else []))


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
