"""Evidence: a self-contained folder from which a page can be redrawn and a claim repeated."""

import json
import tomllib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from hotloop.errors import EvidenceError
from hotloop.measurement import Block, Environment
from hotloop.records.documents import from_data, read_result, result_json, to_data, upgraded
from hotloop.transform import Plan
from hotloop.trial import Result, Trial
from hotloop.whole_file import write_whole
from hotloop.workload import Script, Workload

Noun = TypeVar("Noun")
_AGAIN = "copy the folder again from where it was made, or measure again"
_README = """\
This folder is the evidence of one session of hotloop: what was called (command.json), on which machine
(environment.json), every block of raw samples in the order in which it was taken (samples.jsonl), what was tried
(trials.jsonl), how many lines these two must have (counts.json), the plan (plan.toml) and the verdicts (result.json).
`hotloop report FOLDER` redraws the page from it; `hotloop prove --replay FOLDER` repeats the claim, with fresh
samples, on the machine it is run on.
"""


@dataclass(frozen=True, kw_only=True)
class Command:
    """The call that a session answers: `line` as it was typed, `options` as they were understood."""

    verb: Literal["tune", "prove", "machine", "guard"]
    workload: Workload
    line: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An evidence folder as read back. A session that was killed has no `result`; `notes` says so."""

    folder: Path
    command: Command
    environment: Environment
    blocks: Mapping[str, tuple[Block, ...]]
    trials: tuple[Trial, ...]
    result: Result | None
    notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan | None:
        """The plan of the result, built when asked for: PlanError where a transform in it is not installed here."""
        return None if self.result is None else Plan.load(self.folder / "plan.toml")


class Evidence:
    """An evidence folder being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counts = {"samples.jsonl": 0, "trials.jsonl": 0}

    @classmethod
    def create(cls, folder: Path, *, command: Command, environment: Environment) -> "Evidence":
        """A new evidence folder. Raises EvidenceError where `folder` holds evidence already or cannot be written."""
        if (folder / "command.json").exists():
            raise EvidenceError(f"{folder} holds evidence already; it is never overwritten; name another folder")
        evidence = cls(folder)
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in evidence._counts:
                (folder / name).touch()
        evidence._write("README.txt", _README)
        evidence._write("environment.json", _text(environment))
        kind = "script" if isinstance(command.workload, Script) else "recipe"
        document = to_data(command)
        evidence._write("command.json", _text({**document, "workload": {"kind": kind, **document["workload"]}}))
        return evidence

    def block(self, comparison: str, block: Block) -> None:
        """Append one block of the comparison of that title."""
        self._append("samples.jsonl", {"comparison": comparison, **to_data(block)})

    def trial(self, trial: Trial) -> None:
        """Append one trial."""
        self._append("trials.jsonl", to_data(trial))

    def finish(self, plan: Plan, result: Result) -> None:
        """Write the plan, and last of all the result, which makes the evidence complete."""
        self._write("plan.toml", plan.to_toml())
        self._write("counts.json", _text(self._counts))
        self._write("result.json", result_json(result))

    def _append(self, name: str, document: Mapping[str, Any]) -> None:
        with _writing(self.folder), (self.folder / name).open("ab") as file:
            file.write(json.dumps(to_data(document), allow_nan=False).encode("ascii") + b"\n")
        self._counts[name] += 1

    def _write(self, name: str, content: str) -> None:
        """Write a whole file or none of it."""
        with _writing(self.folder):
            write_whole(self.folder / name, content)


def load_evidence(folder: Path) -> Recorded:
    """The evidence in `folder`.

    A line cut off at the end of samples.jsonl or trials.jsonl is left out and noted: so a killed process leaves it.
    Raises EvidenceError for any other damage.
    """
    result = _result(folder) if (folder / "result.json").exists() else None
    counts = None if result is None else _document(folder / "counts.json")
    notes = [] if result else [f"the session in {folder} did not finish: it has samples and no result"]
    samples = _lines(folder / "samples.jsonl", counts, notes)
    trials = _lines(folder / "trials.jsonl", counts, notes)
    return Recorded(
        folder=folder,
        command=_noun(Command, _document(folder / "command.json"), folder / "command.json"),
        environment=_noun(Environment, _document(folder / "environment.json"), folder / "environment.json"),
        blocks=_by_comparison(samples, folder / "samples.jsonl"),
        trials=tuple(_noun(Trial, item, folder / "trials.jsonl") for item in trials),
        result=result,
        notes=tuple(notes),
    )


def _result(folder: Path) -> Result:
    """The result, of which the plan is a part that must be readable as TOML."""
    try:
        tomllib.loads(_bytes(folder / "plan.toml").decode("utf-8"))
    except ValueError as error:
        raise _damaged(folder / "plan.toml", error) from error
    try:
        return read_result(_document(folder / "result.json"))
    except EvidenceError as error:
        raise _damaged(folder / "result.json", error) from error


def _by_comparison(samples: Sequence[Mapping[str, Any]], path: Path) -> dict[str, tuple[Block, ...]]:
    blocks: dict[str, list[Block]] = {}
    for sample in samples:
        title = upgraded(sample).get("comparison")
        if not isinstance(title, str):
            raise _damaged(path, f"a block belongs to comparison {title!r}, which is no title")
        blocks.setdefault(title, []).append(_noun(Block, sample, path))
    return {title: tuple(items) for title, items in blocks.items()}


def _lines(path: Path, counts: Mapping[str, Any] | None, notes: list[str]) -> list[dict[str, Any]]:
    """Documents in a file of one a line; adds to `notes` where the last was cut off."""
    *whole, torn = _bytes(path).split(b"\n")
    documents = [_parsed(line, path) for line in whole]
    if torn:
        notes.append(f"{path.name} ends in a line that was cut off; the {len(documents)} before it are whole")
    elif counts is not None and counts.get(path.name) != len(documents):
        raise _damaged(path, f"it has {len(documents)} lines, and {counts.get(path.name)} were written")
    return documents


def _document(path: Path) -> dict[str, Any]:
    return _parsed(_bytes(path), path)


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(document, dict):
        raise _damaged(path, f"it holds a {type(document).__name__} where an object belongs")
    return cast("dict[str, Any]", document)


def _noun(kind: type[Noun], data: Mapping[str, Any], path: Path) -> Noun:
    try:
        return from_data(kind, data)
    except ValueError as error:
        raise _damaged(path, error) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error


def _damaged(path: Path, reason: object) -> EvidenceError:
    return EvidenceError(f"cannot read evidence {path}: {reason}; every file must be as hotloop wrote it; {_AGAIN}")


def _text(value: object) -> str:
    return json.dumps(to_data(value), indent=2, allow_nan=False) + "\n"


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        advice = "make room there or name another folder"
        raise EvidenceError(
            f"cannot write evidence {folder}: {error.strerror}; it must be writable; {advice}"
        ) from error
