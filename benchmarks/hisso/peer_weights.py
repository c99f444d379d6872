"""Weights of the peer (psann 0.12.4) under our names, so that both can start from the same network.

As a program, inside an environment that has the peer, it writes what the peer's networks compute as a fixture:

python benchmarks/hisso/peer_weights.py tests/models/fixtures/peer.json
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_ACTIVATION = (
    (r"\._A$", ".amplitude"),
    (r"\._f$", ".frequency"),
    (r"\._d$", ".decay"),
    (r"\._phi$", ".phase"),
    (r"\._slope$", ".slope"),
    (r"\.psann\.", ".sine."),
)
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "dense": (
        (r"^body\.(\d+)\.act\.", r"layers.\1.activation."),
        (r"^body\.(\d+)\.state_ctrl\.", r"layers.\1.gain."),
        (r"^body\.", "layers."),
    ),
    "residual": ((r"^in_linear\.", "first."), (r"^body\.", "blocks."), (r"^head_norm\.", "norm.")),
    "conv": ((r"^body\.(\d+)\.act\.", r"layers.\1.activation."), (r"^body\.", "layers."), (r"^fc\.", "head.linear.")),
    "conv_residual": (
        (r"^in_proj\.", "first."),
        (r"^body\.", "blocks."),
        (r"^head_norm\.", "norm."),
        (r"^fc\.", "head.linear."),
    ),
    "wave_residual": (
        (r"^stem\.", "first."),
        (r"^stem_activation\.", "activation."),
        (r"\.input_linear\.", ".into."),
        (r"\.output_linear\.", ".out."),
        (r"\.phase_shift\.", ".phase."),
        (r"\.film\.linear\.", ".film."),
        (r"\.branch_norm\.scale$", ".norm.weight"),
        (r"\.residual_alpha$", ".alpha"),
        (r"\.weight_g$", ".parametrizations.weight.original0"),
        (r"\.weight_v$", ".parametrizations.weight.original1"),
    ),
}


def our_name(kind: str, name: str) -> str:
    """The name that the peer's entry `name` of a network of `kind` has in ours."""
    for pattern, replacement in (*_NAMES[kind], *_ACTIVATION):
        name = re.sub(pattern, replacement, name)
    return name


def convert(kind: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The peer's state dict of a network of `kind` (a name of ours: "dense", "residual", ...) as one of ours.

    Norms by channel are vectors here and (1, C, 1, 1) there. A wave network starts its schedule anew.
    """
    ours = {our_name(kind, name): value.detach().clone() for name, value in state.items()}
    ours = {name: value.flatten() if re.search(r"norm\.weight$", name) else value for name, value in ours.items()}
    if kind == "wave_residual":
        ours["finished_epochs"] = torch.zeros((), dtype=torch.int64)
    return ours


def _peer_cases() -> dict[str, tuple[str, dict[str, Any], Callable[[], nn.Module], tuple[int, ...]]]:
    """By title: our kind, our keywords, the maker of the peer's network, and the shape of an input."""
    from psann.conv import PSANNConv1dNet, PSANNConv2dNet, PSANNConv3dNet, ResidualPSANNConv2dNet
    from psann.models.wave_resnet import WaveResNet
    from psann.nn import PSANNNet, ResidualPSANNNet

    def wave(**options: Any) -> nn.Module:
        return WaveResNet(3, 8, 2, 2, first_layer_w0=10.0, hidden_w0=0.5, residual_alpha_init=0.4, **options)

    size = {"hidden_layers": 2}
    res = {**size, "residual_alpha_init": 0.4}
    waves = {**res, "hidden_units": 8}
    return {
        "dense": ("dense", {**size, "hidden_units": 8}, lambda: PSANNNet(3, 2, hidden_units=8, **size), (5, 3)),
        "dense, relu_sigmoid": (
            "dense",
            {**size, "hidden_units": 8, "activation": "relu_sigmoid_psann"},
            lambda: PSANNNet(3, 2, hidden_units=8, activation_type="relu_sigmoid_psann", **size),
            (5, 3),
        ),
        "residual": (
            "residual",
            {**res, "hidden_units": 8},
            lambda: ResidualPSANNNet(3, 2, hidden_units=8, hidden_width=8, **res),
            (5, 3),
        ),
        "residual, relu decay, layer norm": (
            "residual",
            {**res, "hidden_units": 8, "norm": "layer", "activation_options": {"decay_mode": "relu"}},
            lambda: ResidualPSANNNet(
                3, 2, hidden_units=8, hidden_width=8, norm="layer", act_kw={"decay_mode": "relu"}, **res
            ),
            (5, 3),
        ),
        "conv 1d": (
            "conv",
            {**size, "rank": 1, "channels": 6, "kernel_size": 3},
            lambda: PSANNConv1dNet(2, 3, conv_channels=6, kernel_size=3, **size),
            (4, 2, 7),
        ),
        "conv 2d by element": (
            "conv",
            {**size, "rank": 2, "channels": 6, "per_element": True},
            lambda: PSANNConv2dNet(2, 3, conv_channels=6, segmentation_head=True, **size),
            (4, 2, 3, 5),
        ),
        "conv 3d": (
            "conv",
            {**size, "rank": 3, "channels": 4, "kernel_size": 3},
            lambda: PSANNConv3dNet(2, 3, conv_channels=4, kernel_size=3, **size),
            (2, 2, 3, 4, 3),
        ),
        "conv residual": (
            "conv_residual",
            {**res, "channels": 6},
            lambda: ResidualPSANNConv2dNet(2, 3, conv_channels=6, **res),
            (4, 2, 5, 3),
        ),
        "wave": ("wave_residual", waves, wave, (5, 3)),
        "wave, rms": ("wave_residual", {**waves, "norm": "rms"}, lambda: wave(norm="rms"), (5, 3)),
        "wave, weight norm": ("wave_residual", {**waves, "norm": "weight"}, lambda: wave(norm="weight"), (5, 3)),
        "wave with context": (
            "wave_residual",
            {**waves, "context_features": 4},
            lambda: wave(context_dim=4),
            (5, 3),
        ),
    }


def _shaken(net: nn.Module) -> nn.Module:
    """`net` with all activation and norm parameters moved off their initial values, so that each of them counts."""
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.ndim == 1 or value.unique().numel() == 1:
                value.add_(0.2 * torch.randn(value.shape))
    return net


def record() -> list[dict[str, Any]]:
    """What the peer's networks compute: weights, input, output, gradients of the sum of squared outputs."""
    cases = []
    for number, (title, (kind, keywords, make, shape)) in enumerate(_peer_cases().items()):
        torch.manual_seed(number)
        net = _shaken(make())
        inputs = torch.randn(shape).requires_grad_()
        context = torch.randn(shape[0], keywords["context_features"]) if "context_features" in keywords else None
        outputs = net(inputs) if context is None else net(inputs, context)
        outputs.square().sum().backward()
        case = {"title": title, "kind": kind, "keywords": keywords, "features": [shape[1], outputs.shape[1]]}
        case |= {"weights": {name: value.tolist() for name, value in net.state_dict().items()}}
        gradients = {name: value.grad for name, value in net.named_parameters() if value.grad is not None}
        case |= {"gradients": {name: value.tolist() for name, value in gradients.items()}}
        case |= {"inputs": inputs.tolist(), "outputs": outputs.tolist(), "input_gradient": inputs.grad.tolist()}
        cases.append(case | {"context": None if context is None else context.tolist()})
    return cases


def _rounded(value: Any) -> Any:
    """`value` with every number cut to nine digits, which is all that fp32 holds."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    import psann

    document = {"peer": f"psann {psann.__version__}", "torch": torch.__version__, "cases": record()}
    unfinished = options.out.with_suffix(".tmp")
    unfinished.write_text(json.dumps(_rounded(document)) + "\n", encoding="utf-8")
    unfinished.replace(options.out)


if __name__ == "__main__":
    main()
