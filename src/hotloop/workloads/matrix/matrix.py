"""The matrix of `hotloop bench` and `hotloop guard`: models by plans by batch sizes by dtypes, read from TOML."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hotloop.errors import MatrixError

NO_PLAN = "nothing"

Dtype = Literal["float32", "float64", "bfloat16", "float16"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputConfig(_Section):
    """One random input: `shape` of one sample; whole numbers below `high` for an integer dtype."""

    shape: tuple[int, ...]
    dtype: Literal["float", "int64"] = "float"
    high: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_high_with_integers(self) -> "InputConfig":
        if (self.dtype == "int64") != (self.high is not None):
            raise ValueError('dtype = "int64" and high belong together: give both, or neither')
        if any(size < 1 for size in self.shape):
            raise ValueError(f"a shape has sizes of at least 1, got {list(self.shape)}: leave the batch out of it")
        return self


class ModelConfig(_Section):
    """A model by the import path of what makes it, with its inputs, its loss and its optimizer.

    `loss` is "square" (the mean of the squared outputs, which needs no target), "cross_entropy" (classes in the last
    dimension, targets fixed), or the import path of a function of the outputs.
    """

    model: str
    name: str = ""
    kwargs: dict[str, Any] = Field(default_factory=dict[str, Any])
    inputs: tuple[InputConfig, ...] = Field(min_length=1)
    loss: str = "square"
    optimizer: str = "torch.optim:AdamW"
    optimizer_kwargs: dict[str, Any] = Field(default_factory=dict[str, Any])

    @field_validator("model", "optimizer")
    @classmethod
    def _is_import_path(cls, value: str) -> str:
        module, _, name = value.partition(":")
        if not module or not name or value.endswith(".py"):
            raise ValueError('an import path reads "package.module:name"')
        return value

    @field_validator("loss")
    @classmethod
    def _is_loss(cls, value: str) -> str:
        if value not in ("square", "cross_entropy") and ":" not in value:
            raise ValueError('a loss is "square", "cross_entropy", or an import path "package.module:name"')
        return value

    @property
    def title(self) -> str:
        """The name that was given, or the import path."""
        return self.name or self.model


class MatrixRow(BaseModel):
    """One model with one batch size and one dtype; under which plan is not part of it."""

    model_config = ConfigDict(frozen=True)

    model: ModelConfig
    batch: int
    dtype: Dtype

    @property
    def title(self) -> str:
        """The name by which `matrix.toml:NAME` finds it."""
        return f"{self.model.title}/{self.batch}/{self.dtype}"


class Matrix(_Section):
    """Every model under every plan, with every batch size and dtype.

    `plans` are files of plans beside the matrix, or "nothing". `replicates` are fresh processes for each row, `steps`
    those that are timed in each, after `warmup`; training goes on to `converge` steps, and `target` is the loss that
    it should come down to.
    """

    model: tuple[ModelConfig, ...] = Field(min_length=1)
    plans: tuple[str, ...] = Field(default=(NO_PLAN,), min_length=1)
    batch: tuple[int, ...] = Field(default=(32,), min_length=1)
    dtype: tuple[Dtype, ...] = Field(default=("float32",), min_length=1)
    replicates: int = Field(default=3, ge=1)
    steps: int = Field(default=30, ge=3)
    warmup: int = Field(default=3, ge=1)
    converge: int = Field(default=100, ge=0)
    target: float | None = None
    seed: int = 0

    @field_validator("batch")
    @classmethod
    def _are_sizes(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in value):
            raise ValueError("a batch holds at least 1 sample")
        return value

    @model_validator(mode="after")
    def _has_each_row_once(self) -> "Matrix":
        titles = [model.title for model in self.model]
        for what, values in (("model", titles), ("plans", self.plans), ("batch", self.batch), ("dtype", self.dtype)):
            if len(set(values)) < len(values):
                advice = "give each its own name" if what == "model" else "name each once"
                raise ValueError(f"{what} has the same twice: {', '.join(map(str, values))}; {advice}")
        return self

    def rows(self) -> list[MatrixRow]:
        """What is trained, in the order of the file; each row runs under every plan."""
        return [
            MatrixRow(model=model, batch=batch, dtype=dtype)
            for model in self.model
            for batch in self.batch
            for dtype in self.dtype
        ]


def load_matrix(path: Path) -> Matrix:
    """The matrix in a TOML file. Raises MatrixError that names every wrong key."""
    try:
        return Matrix.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise MatrixError(f"cannot read matrix {path}: {error.strerror}; give the path of a TOML file") from error
    except ValidationError as error:
        lines = [_explained(problem["loc"], problem) for problem in error.errors()]
        raise MatrixError(f"{path} is no matrix:\n  " + "\n  ".join(lines)) from error
    except ValueError as error:
        raise MatrixError(f"{path} is no TOML: {error}; correct the file") from error


_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (("inputs", InputConfig), ("model", ModelConfig))


def _explained(place: tuple[int | str, ...], problem: Any) -> str:
    """One line: where, what, and for an unknown key the allowed ones."""
    where = ".".join(map(str, place)) or "the file"
    section = next((kind for name, kind in _SECTIONS if name in place[:-1]), Matrix)
    if problem["type"] == "extra_forbidden":
        return f"{where}: not a key here; allowed are {', '.join(section.model_fields)}"
    if problem["type"] == "missing":
        return f"{where}: is missing; give it"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        f"{where}: {message}" if isinstance(problem["input"], dict) else f"{where}: got {problem['input']!r}: {message}"
    )
