"""The public surface, frozen: a change here is a change for somebody, and belongs into the change log."""

import pytest
import typer

import hotloop
from hotloop import registry
from hotloop.cli.app import app
from hotloop.measurement import Clock, Environment
from hotloop.records import database
from hotloop.records.documents import SCHEMA, result_data
from hotloop.trial import Result
from hotloop.verdict import Outcome

NAMES = [
    "Environment",
    "Interval",
    "Job",
    "Loss",
    "Outcome",
    "Plan",
    "Recipe",
    "Result",
    "Script",
    "Transform",
    "Trial",
    "Verdict",
    "apply",
    "compile_step",
    "find_plan",
    "load_plan",
    "prove",
]
COMMANDS = {
    "bench": [
        "--history",
        "--json",
        "--module",
        "--out",
        "--plan",
        "--profile",
        "--replicates",
        "--steps",
        "--target",
        "--track",
        "arguments",
        "target",
    ],
    "cache": ["--json", "--module", "--most", "--out", "--plan", "action", "arguments", "target"],
    "diagnose": ["--budget", "--json", "--may-overwrite", "--module", "--out", "--steps", "arguments", "target"],
    "guard": [
        "--base",
        "--base-python",
        "--bisect",
        "--budget",
        "--calibrate",
        "--head",
        "--head-python",
        "--json",
        "--markdown",
        "--settings",
        "arguments",
        "target",
    ],
    "lint": [
        "--allow-list",
        "--fix",
        "--format",
        "--hot",
        "--ignore",
        "--json",
        "--list",
        "--select",
        "--torchfix",
        "--write",
        "paths",
    ],
    "history": [
        "--dry-run",
        "--history",
        "--import",
        "--json",
        "--keep",
        "--machine",
        "--out",
        "--since",
        "--verb",
        "--workload",
    ],
    "list": ["--json", "kind"],
    "machine": ["--budget", "--history", "--json", "--module", "target"],
    "memory": [
        "--batch-size",
        "--card",
        "--json",
        "--may-overwrite",
        "--module",
        "--room",
        "arguments",
        "target",
    ],
    "prove": [
        "--budget",
        "--history",
        "--json",
        "--may-overwrite",
        "--module",
        "--nproc",
        "--out",
        "--plan",
        "--replay",
        "--steps",
        "--track",
        "arguments",
        "target",
    ],
    "report": ["--json", "--out", "source"],
    "run": ["--module", "--plan", "--strict", "arguments", "target"],
    "train": ["--device", "--json", "--name", "--out", "--resume", "--seed", "--verbose", "config"],
    "tune": [
        "--budget",
        "--executor",
        "--history",
        "--json",
        "--may-overwrite",
        "--module",
        "--nproc",
        "--objective",
        "--out",
        "--steps",
        "--track",
        "--transforms",
        "arguments",
        "target",
    ],
}
# For those who report to a tracker or measure over a cluster; nobody else must know them.
FOR_FEW = {"--executor", "--track"}
TRANSFORMS = (
    "allocator",
    "autocast",
    "batched_fetch",
    "cached_samples",
    "captured_loop",
    "channels_last",
    "checkpointing",
    "comm_hook",
    "compile",
    "cudnn_benchmark",
    "data_loading",
    "ddp_settings",
    "fused_optimizer",
    "gradient_accumulation",
    "learning_rate",
    "math_attention",
    "matmul_precision",
    "openmp",
    "phases",
    "prefetch_thread",
    "resident_data",
    "selective_sampling",
    "threads",
    "whole_step",
)
DOCUMENT = [
    "aa",
    "baseline_memory",
    "baseline_step",
    "clock",
    "command",
    "curves",
    "environment",
    "evidence",
    "memory",
    "memory_aa",
    "memory_ratio",
    "message",
    "method",
    "notes",
    "objective",
    "payback_seconds",
    "payback_steps",
    "plan",
    "program",
    "schema",
    "speedup",
    "step",
    "stopped_by",
    "trials",
    "tuning_seconds",
    "verdict",
    "verdicts",
    "workload",
]
TABLES = {"blocks", "schema_version", "sessions", "trials"}


def options(command):
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    found = [p for p in shown if "--help" not in p.opts and "--show-completion" not in p.opts]
    return sorted(p.opts[0] if p.param_type_name == "option" else p.name for p in found)


def test_the_names_of_the_root_are_these():
    assert sorted(hotloop.__all__) == NAMES
    assert all(getattr(hotloop, name) is not None for name in NAMES)


def test_every_command_has_these_options():
    group = typer.main.get_command(app)
    assert {name: options(command) for name, command in group.commands.items()} == COMMANDS


def test_the_former_spelling_of_the_transforms_to_try_is_still_taken():
    tune = typer.main.get_command(app).commands["tune"]
    assert sorted(p.opts[0] for p in tune.params if getattr(p, "hidden", False)) == ["--only", "--skip"]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_has_more_than_ten_options(name):
    options = [option for option in COMMANDS[name] if option.startswith("--")]
    assert len(options) <= 10 + len(FOR_FEW & set(options))


def test_the_transforms_are_these():
    assert registry.names("transforms") == TRANSFORMS


def test_the_document_has_these_keys():
    environment = Environment(**{**dict.fromkeys(Environment.__dataclass_fields__, "")})
    result = Result(
        workload="",
        verdict=Outcome.FAIL,
        message="",
        speedup=None,
        aa=None,
        clock=Clock.WALL,
        plan=(),
        payback_steps=None,
        payback_seconds=None,
        trials=(),
        environment=environment,
        evidence="",
        command="",
    )
    assert sorted(result_data(result)) == DOCUMENT
    assert SCHEMA == 2


def test_the_history_has_this_schema():
    assert database.SCHEMA == 2
    assert set(database.metadata.tables) == TABLES
