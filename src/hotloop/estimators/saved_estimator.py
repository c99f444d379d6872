"""What is saved of a fitted estimator, as a JSON document and named tensors, and back."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from hotloop.estimators.context import ContextColumns
from hotloop.estimators.episode_settings import EpisodeSettings
from hotloop.estimators.fit_params import Extractor, Reward
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.json_values import Encoder, decode, decode_items
from hotloop.estimators.network import NetPlan
from hotloop.estimators.scaling import AffineScaler, OwnScaler, Scaler
from hotloop.estimators.shapes import InputShape, OutputShape
from hotloop.train.episodic import EpisodicOptions

FORMAT, VERSION = "hotloop.estimator", 1
_SHAPES, _SCALERS = ("plan", "inputs", "outputs"), ("input_scaler", "target_scaler")


@dataclass(frozen=True, kw_only=True)
class SavedEstimator:
    """A fitted estimator: its class by name, its parameters, its network, and what else it learned by attribute."""

    kind: str
    params: Mapping[str, Any]
    network: Fitted
    learned: Mapping[str, Any]
    episodes: EpisodeSettings | None

    def given_again(self, reward: Reward | None, context: Extractor | None) -> Self:
        """This one with a reward and an extractor in the place of those that were saved, where they are given."""
        changes: dict[str, Any] = {"reward": reward, "context": context}
        changes = {name: value for name, value in changes.items() if value is not None}
        if not changes:
            return self
        if self.episodes is None:
            raise ValueError(f"got {', '.join(changes)}, but this estimator was not fitted on episodes: leave them out")
        return dataclasses.replace(self, episodes=dataclasses.replace(self.episodes, **changes))

    def attributes(self) -> dict[str, Any]:
        """What an estimator learned, by the names of its attributes."""
        episodes = {} if self.episodes is None else {"hisso_": self.episodes}
        return {**self.learned, **episodes, "fitted_": self.network}

    def document(self, encoder: Encoder) -> dict[str, Any]:
        """Everything but the tensors, as JSON; the encoder collects what can only be named."""
        from importlib.metadata import version

        network = self.network
        own = {name: getattr(network, name) for name in _SCALERS}
        return {
            "format": FORMAT,
            "version": VERSION,
            "hotloop": version("hotloop"),
            "class": self.kind,
            "params": {name: encoder.encode(value, name) for name, value in self.params.items()},
            **{name: encoder.encode(dataclasses.asdict(getattr(network, name)), name) for name in _SHAPES},
            "context_columns": network.context.columns,
            "scalers": {name: _scaler_document(scaler, name) for name, scaler in own.items()},
            "learned": encoder.items(self.learned, ""),
            "hisso": None if self.episodes is None else _episodes_document(self.episodes, encoder),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The weights under `net.`, and the numbers of the scalers."""
        weights = self.network.net.state_dict()
        tensors = {f"net.{name}": value.detach().cpu().clone().contiguous() for name, value in weights.items()}
        for name in _SCALERS:
            scaler = getattr(self.network, name)
            if isinstance(scaler, AffineScaler):
                tensors[f"{name}.shift"] = torch.tensor(scaler.shift)
                tensors[f"{name}.step"] = torch.tensor(scaler.step)
        return tensors


def from_document(
    document: Mapping[str, Any], tensors: Mapping[str, Tensor], *, device: torch.device, params: Mapping[str, Any]
) -> SavedEstimator:
    """The estimator in a document, its network on `device`; `params` replace those that were saved."""
    given = {name: decode(value, name) for name, value in document["params"].items()} | dict(params)
    context = ContextColumns(
        columns=document["context_columns"],
        builder=given.get("context_builder"),
        params=dict(given.get("context_builder_params") or {}),
    )
    return SavedEstimator(
        kind=document["class"],
        params=given,
        network=_network(document, tensors, context, device),
        learned=decode_items(document["learned"], "learned"),
        episodes=None if document["hisso"] is None else _episodes(document["hisso"]),
    )


def saved_options(mapping: Mapping[str, Any]) -> EpisodicOptions:
    """The options in a saved mapping; those that came later than the file have their defaults.

    Raises ValueError for options that are not known.
    """
    known = {field.name for field in dataclasses.fields(EpisodicOptions)}  # pyright: ignore[reportArgumentType]
    unknown = set(mapping) - known
    if unknown:
        raise ValueError(f"got the options {sorted(unknown)}; a newer version wrote them: load with that version")
    return EpisodicOptions(**mapping)


def _episodes_document(settings: EpisodeSettings, encoder: Encoder) -> dict[str, Any]:
    if isinstance(settings.context, np.ndarray):  # it belongs to the series of one fit
        context = encoder.name_only("context_extractor", "an array for the fitted series")
    else:
        context = encoder.encode(settings.context, "context_extractor")
    return {
        "options": dataclasses.asdict(settings.options),  # pyright: ignore[reportArgumentType]
        "reward_fn": encoder.encode(settings.reward, "reward_fn"),
        "context_extractor": context,
        "warm_start": settings.warm_start is not None,
    }


def _episodes(document: Mapping[str, Any]) -> EpisodeSettings:
    return EpisodeSettings(
        options=saved_options(document["options"]),
        reward=decode(document["reward_fn"], "reward_fn"),
        context=decode(document["context_extractor"], "context_extractor"),
        warm_start={} if document["warm_start"] else None,
    )


def _network(
    document: Mapping[str, Any], tensors: Mapping[str, Tensor], context: ContextColumns, device: torch.device
) -> Fitted:
    plan = NetPlan(**decode(document["plan"], "plan"))
    with torch.random.fork_rng(devices=[]):
        net = plan.build()
    net.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("net.")})
    input_scaler, target_scaler = (_scaler(document["scalers"][name], tensors, name) for name in _SCALERS)
    return Fitted(
        plan=plan,
        net=net.to(device).eval(),
        inputs=InputShape(**decode(document["inputs"], "inputs")),
        outputs=OutputShape(**decode(document["outputs"], "outputs")),
        input_scaler=input_scaler,
        target_scaler=target_scaler,
        context=context,
        device=device,
    )


def _scaler_document(scaler: Scaler | None, role: str) -> Any:
    if scaler is None:
        return None
    if not isinstance(scaler, OwnScaler):
        return "affine"
    inner = Encoder()
    data = inner.encode(scaler.transformer, role)
    if inner.missing:
        raise ValueError(
            f"got {type(scaler.transformer).__name__} as scaler, which cannot be stored without pickle; give "
            "'standard' or 'minmax', or a scikit-learn transformer whose fitted attributes are numbers and arrays"
        )
    return data


def _scaler(kind: Any, tensors: Mapping[str, Tensor], name: str) -> Scaler | None:
    if kind is None:
        return None
    if kind == "affine":
        return AffineScaler(shift=tensors[f"{name}.shift"].numpy(), step=tensors[f"{name}.step"].numpy())
    return OwnScaler(transformer=decode(kind, name))
