"""`hotloop lint`: what is slow or unsafe in training code, read from its source."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotloop.cli.arguments import Json, parse_names

if TYPE_CHECKING:
    from hotloop.finding import Finding
    from hotloop.lint.patches.patch import Patch

_ALLOW_LIST = Path("hotloop-allow.toml")


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


def lint(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATHS", help="Python files and folders.")] = None,
    format: Annotated[Format, typer.Option(help="text, json, sarif (2.1.0) or github annotations.")] = Format.text,
    as_json: Json = False,
    hot: Annotated[
        Path | None,
        typer.Option(
            metavar="REPORT", help="Keep only lines that this `hotloop diagnose --json` report saw cost time."
        ),
    ] = None,
    allow_list: Annotated[
        Path | None,
        typer.Option(help="Allowed findings, with owner and reason; else hotloop-allow.toml if it is here."),
    ] = None,
    select: Annotated[list[str] | None, typer.Option(help="Only these codes or families: SY, CO01.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Not these codes or families.")] = None,
    torchfix: Annotated[bool | None, typer.Option(help="Run TorchFix too; by default where it is installed.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Print a patch that cures what can be cured without a change to any number.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="With --fix: change the files, print what is left.")] = False,
    list_codes: Annotated[
        bool, typer.Option("--list", help="List all codes, and rules of other tools to turn on.")
    ] = False,
) -> None:
    """Read source for slow and unsafe patterns. Exit 1 with findings, 0 without, 2 if a file cannot be read."""
    from hotloop.lint.allow_list import load_allow_list
    from hotloop.lint.formats import render
    from hotloop.lint.measured_costs import load_measured_costs
    from hotloop.lint.run import LintOptions, lint_paths

    if list_codes:
        from hotloop.lint.rule_reference import catalogue_text

        typer.echo(catalogue_text(), nl=False)
        return
    if not paths:
        raise typer.BadParameter("got no paths; give Python files or folders, or --list")
    listed = allow_list or (_ALLOW_LIST if _ALLOW_LIST.exists() else None)
    options = LintOptions(
        select=_codes(select),
        ignore=_codes(ignore),
        allow=load_allow_list(listed) if listed else None,
        hot=load_measured_costs(hot) if hot else None,
        torchfix=torchfix,
    )
    chosen = Format.json if as_json else format
    if write and not fix:
        raise typer.BadParameter("--write writes what --fix proposes; give --fix --write")
    if fix and not write and chosen is not Format.text:
        raise typer.BadParameter("--fix prints a patch, and stdout has one document; give --fix --write, or no format")
    result = lint_paths(paths, options)
    if fix:
        patches = _fix(result.findings, write=write)
        if not write:
            raise typer.Exit(1 if result.findings else 0)
        fixed = [finding for patch in patches for finding in patch.fixed]
        kept = tuple(finding for finding in result.findings if finding not in fixed)
        # The lines of a report of a run are those before the fixes: only without one can the files be read anew.
        result = replace(result, findings=kept) if hot else lint_paths(paths, options)
    typer.echo(render(result.findings, chosen.value), nl=False)
    if chosen is Format.text:
        gap = "\n" if result.findings else ""  # the count is no part of the last finding
        sys.stderr.write(f"{gap}{_count(len(result.findings), 'finding')} in {_count(result.num_files, 'file')}\n")
    raise typer.Exit(1 if result.findings else 0)


def _fix(findings: Iterable["Finding"], *, write: bool) -> list["Patch"]:
    """The patches, printed or written; what was left and why goes to stderr."""
    from hotloop.lint.propose import propose_patches

    patches = propose_patches(findings)
    for patch in patches:
        if write:
            patch.write()
        else:
            sys.stdout.buffer.write(patch.unified().encode(patch.text_encoding))
            sys.stdout.flush()  # before what is said of it on stderr
        for unfixed in patch.unfixed:
            at = f"{unfixed.finding.path}:{unfixed.finding.line}"
            sys.stderr.write(f"not fixed: {at}: {unfixed.finding.code}: {unfixed.reason}\n")
    num_fixed = sum(len(patch.fixed) for patch in patches)
    sys.stderr.write(f"{_count(num_fixed, 'finding')} {'fixed' if write else 'would be fixed'}\n")
    return patches


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _codes(given: list[str] | None) -> tuple[str, ...]:
    return tuple(code.upper() for code in parse_names(given or []))
