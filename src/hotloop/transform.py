"""Transform: a named change that may make training faster. Plan: transforms in order, plain TOML, never code."""

import dataclasses
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, dataclass_transform, get_type_hints, runtime_checkable

from hotloop import registry
from hotloop.errors import PlanError, RegistryError
from hotloop.measurement import Environment
from hotloop.option import allowed_values, fits


class Stage(StrEnum):
    """Where a transform acts, in the order in which a process meets the stages; `apply` receives the thing in brackets.

    LAUNCH (dict of environment variables), TORCH (None, after `import torch`), PROGRAM (ProgramSite, before a script's
    source is loaded), DATA (dict of DataLoader arguments), DDP (DDPSite), OPTIMIZER (OptimizerSite), MODULE (a root
    nn.Module before its first call), STEP (a Job).
    """

    LAUNCH = "launch"
    TORCH = "torch"
    PROGRAM = "program"
    DATA = "data"
    DDP = "ddp"
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
    """An optimizer about to be built: its class, its default options, which a transform may change in place, and what
    it will update, as far as the program has said so.
    """

    kind: type
    defaults: dict[str, Any]
    parameters: tuple[Any, ...] = ()


@dataclasses.dataclass(kw_only=True)
class DDPSite:
    """A DistributedDataParallel about to be built over `num_ranks` ranks.

    A transform may change its `arguments` in place, by name (`module` is one), and add to `after` what gets it once it
    is built.
    """

    arguments: dict[str, Any]
    num_ranks: int
    after: list[Callable[[Any], None]] = dataclasses.field(default_factory=list[Callable[[Any], None]])


class SourceLoader(Protocol):
    """Loads the source of a program in a way of its own."""

    def loading(self) -> AbstractContextManager[None]:
        """Modules that are imported while inside are loaded so."""
        ...

    def run_script(self, path: Path) -> None:
        """Run a file as `python path` would."""
        ...


@dataclasses.dataclass(kw_only=True)
class ProgramSite:
    """A script about to be loaded, and what loads it, where a transform says so."""

    loader: SourceLoader | None = None


class Transform(Protocol):
    """One change: a dataclass whose fields are its options in a plan. `TransformBase` has a default for most members.

    Seven more members are optional, and are read by the functions of the same names: `affects_phases`, `compiles`,
    `saves_memory`, `warmup_steps`, `changes_settings`, `short_name` and `figures`.
    """

    @property
    def name(self) -> str:
        """Its name in a plan, which is the name that it is registered under."""
        ...

    @property
    def stage(self) -> Stage:
        """Where it acts."""
        ...

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


@runtime_checkable
class Telling(Protocol):
    """A transform that has more to tell of a run than how many sites it was applied to."""

    def told(self) -> str:
        """In words, for a person: what it has done in this process so far."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A transform that knows some errors that a program raises only under it, where it does not apply after all."""

    def limit(self, error: BaseException) -> str | None:
        """The reason why it does not apply, where `error` is one of them."""
        ...


@dataclass_transform(frozen_default=True, kw_only_default=True)
class TransformBase(ABC):
    """A transform that needs only `name`, `stage` and `apply`. Each subclass is made a frozen dataclass.

    Its annotated fields are its options: bool, int, float, str, None, Literal, unions of them, and
    `Annotated[int, AtLeast(1)]` for numbers. Other values raise ValueError, which says what is allowed.
    What is not overridden says the most: that it applies on every machine, may act on all phases, and rounds nothing.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    roundoff: ClassVar[float] = 0.0
    affects_phases: ClassVar[tuple[str, ...] | None] = None
    compiles: ClassVar[bool] = False
    saves_memory: ClassVar[bool] = False
    changes_settings: ClassVar[tuple[str, ...]] = ()
    _annotations: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls) -> None:
        """Make the subclass a dataclass. Raises TypeError for an annotation that options cannot be checked against."""
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        hints = get_type_hints(cls, include_extras=True)
        cls._annotations = {field.name: hints[field.name] for field in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]
        for annotation in cls._annotations.values():
            allowed_values(annotation)

    def __post_init__(self) -> None:
        """Raise ValueError for an option that its annotation does not allow."""
        for option, annotation in self._annotations.items():
            value = getattr(self, option)
            if not fits(value, annotation):
                raise ValueError(f"{option}: Input should be {allowed_values(annotation)}, got {value!r}")

    @property
    def promise(self) -> Promise:
        """EXACT where it rounds nothing, else CLOSE; what computes something else must say STATISTICAL itself."""
        return Promise.CLOSE if self.roundoff else Promise.EXACT

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one with default options."""
        return (cls(),)

    def check(self, environment: Environment) -> None:  # noqa: B027  # a default, not a gap
        """Every machine will do."""

    @abstractmethod
    def apply(self, site: Any) -> None:
        """Act on one site of its stage. Raises NotApplicable where this site has nothing to act on."""

    def confirm(self) -> None:  # noqa: B027  # a default, not a gap
        """Having been applied is enough."""


def affects_phases(transform: Transform | type[Transform]) -> tuple[str, ...] | None:
    """The phases of a step that it may shorten ("forward", "optimizer", ...); None where it may act on everything."""
    return getattr(transform, "affects_phases", None)


def compiles(transform: Transform | type[Transform]) -> bool:
    """Whether the first step under it waits for a compiler."""
    return getattr(transform, "compiles", False)


def saves_memory(transform: Transform | type[Transform]) -> bool:
    """Whether it lowers the peak of memory and costs time for it, so that it is tried where it is asked for."""
    return getattr(transform, "saves_memory", False)


def warmup_steps(transform: Transform | type[Transform]) -> int:
    """How many steps a process makes before it runs as it does from then on; 1 where the first step is enough."""
    return getattr(transform, "warmup_steps", 1)


def changes_settings(transform: Transform) -> tuple[str, ...]:
    """The settings of optimizers that it changes ("fused"); verification demands that all others stay equal."""
    return getattr(transform, "changes_settings", ())


def figures(transform: Transform) -> Mapping[str, float]:
    """What it has counted in the process that trains, by name ("backward_ratio"); empty where it counts nothing."""
    counted = getattr(transform, "figures", None)
    return {} if counted is None else counted()


def short_name(transform: Transform) -> str:
    """A few words for tables, such as "bf16" or "loader 2 workers"; name and options where it has none of its own."""
    return getattr(transform, "short_name", None) or describe(transform)


def describe(transform: Transform) -> str:
    """Name and options of one transform, for people."""
    options = ", ".join(f"{key}={value}" for key, value in _options(transform).items())
    return f"{transform.name}({options})" if options else transform.name


def _options(transform: Transform) -> dict[str, Any]:
    values = {name: getattr(transform, name) for name in _option_names(type(transform))}
    return {name: value for name, value in values.items() if value is not None}


def _option_names(kind: type[Transform]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


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
    def comparable(self) -> "Plan":
        """What of it can be compared with the untransformed program step by step: all but what promises STATISTICAL."""
        return Plan(tuple(t for t in self.transforms if t.promise is not Promise.STATISTICAL))

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

    @property
    def short_title(self) -> str:
        """The short names in one line, for tables; "nothing" for the empty plan."""
        return " + ".join(map(short_name, self.transforms)) or "nothing"

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


def _build(table: Mapping[str, Any]) -> Transform:
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
    except (TypeError, ValueError) as error:
        problem, allowed = " ".join(str(error).split()), ", ".join(_option_names(kind)) or "none"
        raise PlanError(f"transform {name!r} cannot take {options}: {problem}; its options are: {allowed}") from error


def _known() -> str:
    return ", ".join(registry.names("transforms"))


def limit_met(plan: Plan, error: BaseException) -> str | None:
    """Why a transform of `plan` does not apply to the program that raised `error`; None where none knows it."""
    reasons = [(one.name, one.limit(error)) for one in plan.transforms if isinstance(one, Limited)]
    return next((f"{name}: {reason}" for name, reason in reasons if reason), None)
