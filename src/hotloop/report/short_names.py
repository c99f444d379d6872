"""Short names of transforms, made from the tables of a plan alone: a result that was read back has nothing else.

`autocast(dtype=bfloat16)` is `bf16`, `data_loading(workers=2, prefetch=2, pin_memory=False)` is `loader 2 workers`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hotloop.trial import Trial

# By transform: what to call it, with options in braces, and the options that go without saying at these values.
_SHORT: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "allocator": ("{library}", {}),
    "autocast": ("{dtype}", {}),
    "checkpointing": ("checkpointing", {"every": "1", "keep": "nothing"}),
    "cached_samples": ("cached samples {memory_mib} MiB", {"file_mib": "4096"}),
    "comm_hook": ("{kind} hook", {}),
    "compile": ("compile", {"mode": "default"}),
    "data_loading": ("loader {workers} workers", {"prefetch": "2", "pin_memory": "False", "persistent": "False"}),
    "ddp_settings": ("ddp", {"bucket_view": "True", "static_graph": "False", "ignore_unused": "False"}),
    "fused_optimizer": ("{implementation} optimizer", {}),
    "gradient_accumulation": ("{microbatches} microbatches", {}),
    "learning_rate": ("learning rate x {factor}", {}),
    "math_attention": ("math_attention", {"low_precision": "True"}),
    "matmul_precision": ("matmul {precision}", {}),
    "openmp": ("openmp {wait_policy}", {}),
    "prefetch_thread": ("prefetch {batches}", {"copies": "plain"}),
    "resident_data": ("resident data", {"device": "cuda"}),
    "phases": ("phases {predictor} {full_steps}/{predict_steps}/{correct_every}", {"guard": "True"}),
    "selective_sampling": ("sampling keep {keep}", {}),
    "threads": ("{num} threads", {}),
    "whole_step": ("whole_step", {}),
}
_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_CALL = re.compile(r"\b(?P<name>\w+)\((?P<options>\w+=[^()]*)\)")


def short_name(table: Mapping[str, Any]) -> str:
    """The short name of the transform in one table of a plan.

    One that is not known here keeps its name, and its options follow.
    """
    options = {key: str(value) for key, value in table.items() if key != "name" and value is not None}
    name = str(table.get("name", "unnamed"))
    pattern, usual = _SHORT.get(name, ("", {}))
    in_pattern = re.findall(r"{(\w+)}", pattern)
    if not pattern or not options.keys() >= set(in_pattern):
        return " ".join([name, *(_option(*option) for option in options.items())])
    title = pattern.format(**{key: _DTYPES.get(options[key], options[key]) for key in in_pattern})
    rest = {key: value for key, value in options.items() if key not in in_pattern and value != usual.get(key)}
    return " ".join([re.sub(r"\b1 (worker|thread)s", r"1 \1", title), *(_option(*option) for option in rest.items())])


def short_plan(tables: Sequence[Mapping[str, Any]]) -> str:
    """Short names of a plan in one line; "nothing" for the empty plan."""
    return " + ".join(map(short_name, tables)) or "nothing"


def short_change(trial: Trial) -> str:
    """What a trial changed, in short names."""
    return shortened(trial.change, also=(str(table.get("name")) for table in trial.plan))


def shortened(text: str, *, also: Iterable[str] = ()) -> str:
    """The text with short names in place of names with options, of the transforms known here and those in `also`."""
    known = {*_SHORT, *also}

    def short(call: re.Match[str]) -> str:
        options = (option.split("=", 1) for option in re.split(r", (?=\w+=)", call["options"]))
        return short_name({**dict(options), "name": call["name"]}) if call["name"] in known else call[0]

    return _CALL.sub(short, text)


def _option(key: str, value: str) -> str:
    """Numbers behind their names, flags by their names, text as it is."""
    if value in ("True", "False"):
        return key if value == "True" else f"no {key}"
    return f"{key} {value}" if re.match(r"[-+.\d]", value) else _DTYPES.get(value, value)
