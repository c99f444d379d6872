"""How a person asks for a program of several ranks: `--nproc 2 train.py`, or the call of torchrun after `--`."""

from dataclasses import replace

from hotloop.errors import WorkloadError
from hotloop.workload import Script, Workload, parse_workload

_NUMBER = ("--nproc-per-node", "--nproc_per_node")
_UNDERSTOOD = "--nproc-per-node N, --standalone and -m"


def read_workload(target: str, arguments: tuple[str, ...], *, is_module: bool, num_ranks: int) -> Workload:
    """The workload of a command line. Raises WorkloadError for a call of torchrun that cannot be repeated here."""
    if target == "torchrun":
        target, arguments, is_module, num_ranks = _of_torchrun(arguments)
    workload = parse_workload(target, arguments, is_module=is_module)
    if num_ranks == 1:
        return workload
    if not isinstance(workload, Script):
        raise WorkloadError(f"{target} is a recipe, which has one rank, got {num_ranks}; give a script that uses DDP")
    return replace(workload, num_ranks=num_ranks)


def _of_torchrun(arguments: tuple[str, ...]) -> tuple[str, tuple[str, ...], bool, int]:
    """Target, its arguments, whether it is a module, and the number of ranks."""
    rest, number, is_module = list(arguments), "", False
    while rest and rest[0].startswith("-"):
        option, _, value = rest.pop(0).partition("=")
        if option in _NUMBER:
            number = value or (rest.pop(0) if rest else "")
        elif option in ("-m", "--module"):
            is_module = True
        elif option != "--standalone":
            raise WorkloadError(
                f"torchrun {option}: hotloop starts all ranks on this machine by itself, and understands "
                f"{_UNDERSTOOD}; leave it out"
            )
    if not rest or not number.isdigit() or int(number) < 1:
        raise WorkloadError(
            f"torchrun {' '.join(arguments)!r}: give torchrun --nproc-per-node N train.py, N at least 1"
        )
    return rest[0], tuple(rest[1:]), is_module, int(number)
