"""Transform: a named change that may make training faster. Plan: transforms in order, plain TOML, never code."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from hotloop import registry
from hotloop.errors import PlanError, RegistryError
from hotloop.measurement import Environment


class Stage(StrEnum):
    """Where a transform acts, in the order in which a process meets the stages; `apply` receives the thing in brackets.

    LAUNCH (dict of environment variables), TORCH (None, after `import torch`), DATA (dict of DataLoader arguments),
    OPTIMIZER (OptimizerSite), MODULE (a root nn.Module before its first call), STEP (a Job).
    """

    LAUNCH = "launch"
    TORCH = "torch"
    DATA = "data"
    OPTIMIZER = "optimizer"
    MODULE = "module"
    STEP = "step"


class Promise(StrEnum):
    """What a transform says about numerics, and so which gates it must pass.

    EXACT: the same arithmetic, equal within a few ulp. CLOSE: the same mathematics in another order or precision.
    STATISTICAL: another computation that should learn the same thing.
    """

    EXACT = "EXACT"
    CLOSE = "CLOSE"
    STATISTICAL = "STATISTICAL"


@dataclasses.dataclass(kw_only=True)
class OptimizerSite:
    """An optimizer about to be built: its class, and its default options, which a transform may change in place."""

    kind: type
    defaults: dict[str, Any]


class Transform(Protocol):
    """One change. Built-ins are frozen pydantic dataclasses, one a file; their fields are the options in TOML.

    Two class variables may say more, and are read by the functions of the same names: `affects_phases`, the phases of a
    step that it may shorten ("forward", "optimizer", ...; without it no limit is known for what it can win), and
    `compiles`, True where the first step waits for a compiler.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    @property
    def promise(self) -> Promise:
        """What this change, with these options, says about numerics."""
        ...

    @property
    def roundoff(self) -> float:
        """Relative size of the rounding that it may add to a number (2**-24 for fp32, 2**-9 for bf16, 0 for none)."""
        ...

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Option sets worth trying on this machine, best guess first; all of them may still be refused by `check`."""
        ...

    def check(self, environment: Environment) -> None:
        """Raise NotApplicable, with the reason, where this machine has nothing for it to act on."""
        ...

    def apply(self, site: Any) -> None:
        """Act on one site of its stage. Raises NotApplicable where this site has nothing to act on."""
        ...

    def confirm(self) -> None:
        """After the warmup, in the process that trained: raise NotApplicable where nothing was in fact changed."""
        ...


def affects_phases(transform: Transform | type[Transform]) -> tuple[str, ...] | None:
    """The phases of a step that it may shorten; None where it may act on everything."""
    return getattr(transform, "affects_phases", None)


def compiles(transform: Transform | type[Transform]) -> bool:
    """Whether the first step under it waits for a compiler."""
    return getattr(transform, "compiles", False)


_ORDER = list(Stage)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Transforms in stage order, at most one of each name. The empty plan is the script as it stands."""

    transforms: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        found = [transform.name for transform in self.transforms]
        twice = sorted({name for name in found if found.count(name) > 1})
        if twice:
            raise PlanError(f"a plan holds each transform once, got {', '.join(twice)} more than once; drop one")
        ordered = sorted(self.transforms, key=lambda transform: _ORDER.index(transform.stage))
        object.__setattr__(self, "transforms", tuple(ordered))

    def at(self, stage: Stage) -> tuple[Transform, ...]:
        """Those of one stage, in order."""
        return tuple(transform for transform in self.transforms if transform.stage is stage)

    def with_(self, transform: Transform) -> "Plan":
        """This plan with `transform` added, in place of one of the same name."""
        return Plan((*(kept for kept in self.transforms if kept.name != transform.name), transform))

    def without(self, name: str) -> "Plan":
        """This plan less the transform of that name."""
        return Plan(tuple(kept for kept in self.transforms if kept.name != name))

    @property
    def roundoff(self) -> float:
        """The coarsest rounding that any of its transforms may add."""
        return max((transform.roundoff for transform in self.transforms), default=0.0)

    @property
    def promise(self) -> Promise:
        """The weakest promise of its transforms."""
        weakest = (Promise.STATISTICAL, Promise.CLOSE)
        return next((p for p in weakest if any(t.promise is p for t in self.transforms)), Promise.EXACT)

    @property
    def title(self) -> str:
        """Names and options in one line; "nothing" for the empty plan."""
        return " + ".join(describe(transform) for transform in self.transforms) or "nothing"

    def to_data(self) -> list[dict[str, Any]]:
        """One table for each transform, as in the TOML file."""
        return [{"name": transform.name, **_options(transform)} for transform in self.transforms]

    def to_toml(self) -> str:
        """The text of plan.toml."""
        import tomli_w

        return "\n".join(f"[[transform]]\n{tomli_w.dumps(table)}" for table in self.to_data())

    @staticmethod
    def from_data(tables: Iterable[Mapping[str, Any]]) -> "Plan":
        """The inverse of `to_data`. Raises PlanError for unknown names and options."""
        return Plan(tuple(_build(table) for table in tables))

    @staticmethod
    def load(path: str | Path) -> "Plan":
        """The plan in a TOML file. Raises PlanError where it cannot be read."""
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PlanError(f"cannot read plan {path}: {error}; give a TOML file of [[transform]] tables") from None
        unknown = sorted(set(data) - {"transform"})
        tables = data.get("transform", [])
        if unknown or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise PlanError(f"plan {path} holds {', '.join(data)}; only an array of [[transform]] tables is allowed")
        return Plan.from_data(tables)


def load_plan(path: str | Path) -> Plan:
    """The plan in a TOML file; the public spelling of `Plan.load`."""
    return Plan.load(path)


def describe(transform: Transform) -> str:
    """Name and options of one transform, for people."""
    options = ", ".join(f"{key}={value}" for key, value in _options(transform).items())
    return f"{transform.name}({options})" if options else transform.name


def _options(transform: Transform) -> dict[str, Any]:
    fields = dataclasses.fields(transform)  # pyright: ignore[reportArgumentType]
    return {f.name: value for f in fields if (value := getattr(transform, f.name)) is not None}


def _build(table: Mapping[str, Any]) -> Transform:
    from pydantic import ValidationError

    options = dict(table)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise PlanError(f"a [[transform]] needs a name, got {dict(table)}; add name = one of {_known()}")
    try:
        kind = registry.load("transforms", name)
    except RegistryError:
        raise PlanError(f"no transform is named {name!r}; known are: {_known()}") from None
    try:
        return kind(**options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        allowed = ", ".join(f.name for f in dataclasses.fields(kind)) or "none"
        raise PlanError(f"transform {name!r} cannot take {options}: {problems}; its options are: {allowed}") from None


def _known() -> str:
    return ", ".join(registry.names("transforms"))
