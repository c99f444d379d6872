"""`hotloop report`: the page of an evidence folder or a result.json."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hotloop.cli.arguments import Json
from hotloop.errors import EvidenceError
from hotloop.records.documents import read_result, result_json
from hotloop.trial import Result


def report(
    source: Annotated[Path, typer.Argument(metavar="EVIDENCE_OR_RESULT", help="An evidence folder, or a result.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Draw the page again from what a session left behind."""
    result = _read(source)
    if as_json:
        typer.echo(result_json(result), nl=False)
        return
    from hotloop.report import write_page

    write_page(result, out)
    typer.echo(f"wrote {out}")


def _read(source: Path) -> Result:
    if source.is_dir() and (source / "samples.jsonl").exists():
        from hotloop.records.evidence import load_evidence

        result = load_evidence(source).result
        if result is None:
            raise EvidenceError(f"the session in {source} was cut off before it had a result; measure again")
        return result
    path = source / "result.json" if source.is_dir() else source
    try:
        return read_result(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EvidenceError(f"cannot read {path}: {error}; give an evidence folder or a result.json") from None
