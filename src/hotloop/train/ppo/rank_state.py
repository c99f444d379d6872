"""The state of one rank as one tensor of bytes, so that ranks with states of different shapes can exchange theirs."""

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_LENGTH = 8  # bytes that say how many follow; what comes after those is padding


def packed(data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Tensor:
    """JSON types and tensors as bytes, uint8 (N,), on the CPU."""
    from safetensors.torch import save

    text = torch.tensor(list(json.dumps(data).encode()), dtype=torch.uint8)
    named = {f"tensor.{name}": value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save({"data": text, **named})
    return torch.frombuffer(bytearray(len(content).to_bytes(_LENGTH, "little") + content), dtype=torch.uint8)


def unpacked(parcel: Tensor) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What was packed; bytes after it are left out. Nothing is unpickled."""
    from safetensors.torch import load

    content = parcel.cpu().numpy().tobytes()
    length = int.from_bytes(content[:_LENGTH], "little")
    found = load(content[_LENGTH : _LENGTH + length])
    data = json.loads(found.pop("data").numpy().tobytes())
    return data, {name.removeprefix("tensor."): value for name, value in found.items()}
