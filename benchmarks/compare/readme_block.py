"""Tables of the README that are written from stored results, each between two comments that name its command."""

import re

END = "<!-- end of table -->"


def shown(readme: str, command: str) -> tuple[str, str]:
    """The name of the machine whose figures stand under `command`, and the table that stands there."""
    found = _pattern(command).search(readme)
    if found is None:
        raise ValueError(f"the README has no table of {command}: it begins <!-- table: {command} on MACHINE -->")
    return found[1], found[2].strip()


def rewritten(readme: str, command: str, *, measured_on: str, table: str) -> str:
    """The README with `table` under `command`."""
    shown(readme, command)
    block = f"<!-- table: {command} on {measured_on} -->\n\n{table.strip()}\n\n{END}"
    return _pattern(command).sub(lambda _: block, readme)


def _pattern(command: str) -> re.Pattern[str]:
    return re.compile(rf"<!-- table: {re.escape(command)} on (\S+) -->\n(.*?){END}", re.DOTALL)
