"""Fitted estimators on disk: one JSON document and one safetensors file, in a folder or in one zip file.

The document names its weights file, which carries a hash: a save writes the new weights, then replaces the document,
then removes the old weights, so that a process killed at any moment leaves the old estimator or the new one.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from hotloop.estimators.json_values import Encoder
from hotloop.estimators.saved_estimator import FORMAT, VERSION, SavedEstimator, from_document
from hotloop.train.callers import warn
from hotloop.whole_file import whole_file, write_whole

_DOCUMENT = "estimator.json"


def save(saved: SavedEstimator, path: str | os.PathLike[str]) -> None:
    """Writes an estimator to the folder `path`, or to one file where it has a suffix."""
    from safetensors.torch import save as to_bytes

    encoder = Encoder()
    document = saved.document(encoder)
    weights = to_bytes(saved.tensors())
    document["weights"] = f"weights-{hashlib.sha256(weights).hexdigest()[:12]}.safetensors"
    document["must_be_given_again"] = encoder.missing
    text = json.dumps(document, indent=1, allow_nan=False).encode()
    target = Path(path)
    if target.suffix and not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_DOCUMENT, text)
            archive.writestr(document["weights"], weights)
    else:
        _write_folder(target, text, document["weights"], weights)
    if encoder.missing:
        warn(
            f"saved without {', '.join(f'{role} ({was})' for role, was in encoder.missing.items())}: only what can be "
            "imported by name can be stored; give it again on load, or move it to a module"
        )


def load(
    path: str | os.PathLike[str], *, kind: str, device: str | torch.device, params: Mapping[str, Any]
) -> SavedEstimator:
    """The estimator of the class `kind` at `path`, its network on `device`; `params` replace those that were saved.

    Raises FileNotFoundError where there is none, ValueError for another class, another format, or a pickle.
    """
    from safetensors.torch import load as from_bytes

    read = _reader(Path(path))
    document = json.loads(read(_DOCUMENT))
    _check_document(document, kind)
    tensors = from_bytes(read(document["weights"]))
    return from_document(document, tensors, device=torch.device(device), params=params)


def _check_document(document: Mapping[str, Any], wanted: str) -> None:
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise ValueError(
            f"got a document of format {document.get('format')!r}, version {document.get('version')!r}; this "
            f"hotloop reads {FORMAT!r}, version {VERSION}: load it with the version that wrote it"
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


def _write_folder(target: Path, document: bytes, weights_name: str, weights: bytes) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / _DOCUMENT).is_file():
        raise FileExistsError(f"{target} is a folder with other files in it; give a new folder, or a file name")
    target.mkdir(parents=True, exist_ok=True)
    write_whole(target / weights_name, weights)
    write_whole(target / _DOCUMENT, document)
    for old in target.glob("weights-*.safetensors"):
        if old.name != weights_name:
            old.unlink()
