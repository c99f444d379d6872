"""A fitted estimator as one JSON document and one safetensors file, in a folder or in one zip file.

The document names its weights file, which carries a hash: a save writes the new weights, then replaces the document,
then removes the old weights, so that a process killed at any moment leaves the old estimator or the new one.
"""

import dataclasses
import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hotloop.estimators.context import ContextColumns
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.network import NetPlan
from hotloop.estimators.old_payload import saved_options
from hotloop.estimators.options import Extractor, Hisso
from hotloop.estimators.plain import Encoder, decode, decode_items
from hotloop.estimators.scaling import AffineScaler, OwnScaler, Scaler
from hotloop.estimators.shapes import InputShape, OutputShape
from hotloop.train.episodic.callers import outside_level
from hotloop.whole_file import whole_file, write_whole

if TYPE_CHECKING:
    from hotloop.estimators.regressor import NetRegressor

_DOCUMENT, _FORMAT, _VERSION = "estimator.json", "hotloop.estimator", 1
_SCALERS = ("input_scaler", "target_scaler")


def save(estimator: "NetRegressor", path: str | os.PathLike[str]) -> None:
    """Writes `estimator` to the folder `path`, or to one file where it has a suffix."""
    from safetensors.torch import save as to_bytes

    encoder = Encoder()
    document = _document(estimator, encoder)
    weights = to_bytes(_tensors(estimator.fitted_))
    document["weights"] = f"weights-{hashlib.sha256(weights).hexdigest()[:12]}.safetensors"
    document["must_be_given_again"] = encoder.missing
    text = json.dumps(document, indent=1, allow_nan=False).encode()
    target = Path(path)
    if target.suffix and not target.is_dir():
        _write_zip(target, {_DOCUMENT: text, document["weights"]: weights})
    else:
        _write_folder(target, text, document["weights"], weights)
    if encoder.missing:
        warnings.warn(
            f"saved without {', '.join(f'{role} ({was})' for role, was in encoder.missing.items())}: only what can be "
            "imported by name can be stored; give it again on load, or move it to a module",
            UserWarning,
            stacklevel=outside_level(),
        )


def load(
    cls: "type[NetRegressor]", path: str | os.PathLike[str], *, device: str | torch.device, params: Mapping[str, Any]
) -> Any:
    """The estimator at `path`, its network on `device`; `params` replace those that were saved.

    Raises FileNotFoundError where there is none, ValueError for another class, another format, or a pickle.
    """
    from safetensors.torch import load as from_bytes

    read = _reader(Path(path))
    document = json.loads(read(_DOCUMENT))
    _check_document(document, cls.__name__)
    tensors = from_bytes(read(document["weights"]))
    given = {name: decode(value, name) for name, value in document["params"].items()}
    estimator = cls(**{**given, **params})
    estimator.fitted_ = _fitted(estimator, document, tensors, torch.device(device))
    for name, value in decode_items(document["learned"], "learned").items():
        setattr(estimator, name, value)
    if document["hisso"] is not None:
        estimator.hisso_ = _hisso(document["hisso"])
    return estimator


def give_again(estimator: "NetRegressor", reward: Callable[..., Any] | None, context: Extractor | None) -> None:
    """Puts a reward and an extractor in the place of those that were saved, where they are given."""
    changes = {name: value for name, value in (("reward", reward), ("context", context)) if value is not None}
    if not changes:
        return
    if not hasattr(estimator, "hisso_"):
        raise ValueError(f"got {', '.join(changes)}, but this estimator was not fitted on episodes: leave them out")
    estimator.hisso_ = dataclasses.replace(estimator.hisso_, **changes)


def _document(estimator: "NetRegressor", encoder: Encoder) -> dict[str, Any]:
    from importlib.metadata import version

    fitted = estimator.fitted_
    learned = ("history_", "n_iter_", "n_features_in_", "feature_names_in_", "warm_start_history_", "hisso_profile_")
    own = {name: fitted.__dict__[name] for name in _SCALERS}
    params = estimator.get_params(deep=False)
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "hotloop": version("hotloop"),
        "class": type(estimator).__name__,
        "params": {name: encoder.encode(value, name) for name, value in params.items()},
        "plan": encoder.encode(dataclasses.asdict(fitted.plan), "plan"),
        "inputs": encoder.encode(dataclasses.asdict(fitted.inputs), "inputs"),
        "outputs": encoder.encode(dataclasses.asdict(fitted.outputs), "outputs"),
        "context_columns": fitted.context.columns,
        "scalers": {name: _scaler_kind(scaler, encoder, name) for name, scaler in own.items()},
        "learned": encoder.items({name: getattr(estimator, name) for name in learned if hasattr(estimator, name)}, ""),
        "hisso": _hisso_document(estimator.hisso_, encoder) if hasattr(estimator, "hisso_") else None,
    }


def _hisso_document(asked: Hisso, encoder: Encoder) -> dict[str, Any]:
    if isinstance(asked.context, np.ndarray):  # it belongs to the series of one fit
        context = encoder.name_only("context_extractor", "an array for the fitted series")
    else:
        context = encoder.encode(asked.context, "context_extractor")
    return {
        "options": dataclasses.asdict(asked.options),  # pyright: ignore[reportArgumentType]
        "reward_fn": encoder.encode(asked.reward, "reward_fn"),
        "context_extractor": context,
        "warm_start": asked.warm_start is not None,
    }


def _hisso(document: Mapping[str, Any]) -> Hisso:
    return Hisso(
        options=saved_options(document["options"]),
        reward=decode(document["reward_fn"], "reward_fn"),
        context=decode(document["context_extractor"], "context_extractor"),
        warm_start={} if document["warm_start"] else None,
    )


def _tensors(fitted: Fitted) -> dict[str, Tensor]:
    tensors = {
        f"net.{name}": value.detach().cpu().clone().contiguous() for name, value in fitted.net.state_dict().items()
    }
    for name in _SCALERS:
        scaler = fitted.__dict__[name]
        if isinstance(scaler, AffineScaler):
            tensors[f"{name}.shift"] = torch.tensor(scaler.shift)
            tensors[f"{name}.step"] = torch.tensor(scaler.step)
    return tensors


def _scaler_kind(scaler: Scaler | None, encoder: Encoder, role: str) -> Any:
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


def _fitted(
    estimator: "NetRegressor", document: Mapping[str, Any], tensors: Mapping[str, Tensor], device: torch.device
) -> Fitted:
    plan = NetPlan(**decode(document["plan"], "plan"))
    with torch.random.fork_rng(devices=[]):
        net = plan.build()
    net.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("net.")})
    scalers = {name: _scaler(document["scalers"][name], tensors, name) for name in _SCALERS}
    return Fitted(
        plan=plan,
        net=net.to(device).eval(),
        inputs=InputShape(**decode(document["inputs"], "inputs")),
        outputs=OutputShape(**decode(document["outputs"], "outputs")),
        input_scaler=scalers["input_scaler"],
        target_scaler=scalers["target_scaler"],
        context=ContextColumns(
            columns=document["context_columns"],
            builder=estimator.context_builder,
            params=dict(estimator.context_builder_params or {}),
        ),
        device=device,
    )


def _scaler(kind: Any, tensors: Mapping[str, Tensor], name: str) -> Scaler | None:
    if kind is None:
        return None
    if kind == "affine":
        return AffineScaler(shift=tensors[f"{name}.shift"].numpy(), step=tensors[f"{name}.step"].numpy())
    return OwnScaler(transformer=decode(kind, name))


def _check_document(document: Mapping[str, Any], wanted: str) -> None:
    if document.get("format") != _FORMAT or document.get("version") != _VERSION:
        raise ValueError(
            f"got a document of format {document.get('format')!r}, version {document.get('version')!r}; this "
            f"hotloop reads {_FORMAT!r}, version {_VERSION}: load it with the version that wrote it"
        )
    if document["class"] != wanted:
        raise ValueError(f"got a saved {document['class']}; {wanted}.load was called: use {document['class']}.load")


def _reader(path: Path) -> Callable[[str], bytes]:
    if path.is_dir():
        if not (path / _DOCUMENT).is_file():
            raise FileNotFoundError(f"{path} holds no {_DOCUMENT}; give a folder that save wrote")
        return lambda name: (path / Path(name).name).read_bytes()
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; give the folder or the file that save wrote")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a saved estimator; give the folder or the file that save wrote")

    def read(name: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)

    with zipfile.ZipFile(path) as archive:
        if _DOCUMENT not in archive.namelist():
            raise ValueError(
                f"{path} is not a saved estimator (a file of torch.save holds a pickle, which is not read); fit again, "
                "or copy the weights over with load_state_dict"
            )
    return read


def _write_zip(target: Path, members: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _write_folder(target: Path, document: bytes, weights_name: str, weights: bytes) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / _DOCUMENT).is_file():
        raise FileExistsError(f"{target} is a folder with other files in it; give a new folder, or a file name")
    target.mkdir(parents=True, exist_ok=True)
    write_whole(target / weights_name, weights)
    write_whole(target / _DOCUMENT, document)
    for old in target.glob("weights-*.safetensors"):
        if old.name != weights_name:
            old.unlink()
