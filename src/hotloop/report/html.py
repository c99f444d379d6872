"""What all pages share: the templates, the rows of the environment, and a page written whole."""

import functools
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.whole_file import write_whole

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup


@functools.cache
def _templates() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hotloop.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breakable": _breakable, "unbroken": unbroken}
    return environment


def render(template: str, context: Mapping[str, Any]) -> str:
    """The text of a template in `templates/`."""
    return _templates().get_template(template).render(context)


def write_html(page: str, path: str | Path) -> None:
    """Write a page to `path`; a reader sees the former file or the whole new one, never a part."""
    # A file name may hold bytes that are not text; UTF-8 cannot spell those, so they are shown escaped.
    write_whole(Path(path), page.encode("utf-8", errors="backslashreplace"))


def unbroken(names: str) -> str:
    """Names joined by plus signs, none of which is broken at a space of its own."""
    return " + ".join(name.replace(" ", "\N{NO-BREAK SPACE}") for name in names.split(" + "))


def _breakable(text: str) -> "Markup":
    """The text as HTML that a narrow column may break after a bracket, a slash or a plus, not inside a word."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[(/+])", text))


def environment_rows(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of the environment table, from its document, less those with nothing to say."""
    revision = f"{machine['git_revision']}{', with uncommitted changes' if machine['git_dirty'] else ''}"
    rows = [
        ("Processor", machine["cpu"]),
        ("Cores used", ", ".join(map(str, machine["cores"]))),
        ("Threads", str(machine["threads"])),
        ("Governor", machine["governor"]),
        ("Load at the start", f"{machine['load']:.2f}, of which by others {machine['foreign_cores']:.2f} cores"),
        ("Memory", f"{machine['memory'] / 2**30:.1f} GiB"),
        ("GPU", ", ".join(machine["gpus"])),
        ("GPU driver", machine["gpu_driver"]),
        ("GPU clocks", ", ".join(machine["gpu_clocks"])),
        ("Platform", machine["platform"]),
        ("Python", machine["python"]),
        ("torch", machine["torch"]),
        ("hotloop", machine["hotloop"]),
        ("Compiler", machine["compiler"]),
        ("Allocators", _assignments(machine["allocators"])),
        ("Git revision", revision if machine["git_revision"] else ""),
        ("Call", shlex.join(machine["argv"])),
        ("Variables", _assignments(machine["variables"])),
    ]
    return [(name, value) for name, value in rows if value]


def _assignments(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in values.items())
