"""The parameters of the regressors: names, defaults and meaning, declared here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from hotloop.estimators.network import NetPlan
from hotloop.estimators.scaling import Transformer
from hotloop.estimators.shapes import InputShape
from hotloop.models.state import StateConfig


@dataclass(kw_only=True, eq=False, repr=False)
class NetParameters:
    """What every regressor is given, and the network that it asks for; each kind has defaults of its own.

    Parameters are stored as given and checked by `fit`, as scikit-learn wants it.
    """

    hidden_layers: int = 2  # hidden layers, or residual blocks
    hidden_width: int | None = None  # old name of hidden_units
    hidden_units: int | None = None  # width of hidden layers; None is 64
    epochs: int = 200
    batch_size: int = 128  # rows of an update on targets
    lr: float = 1e-3
    optimizer: str = "adam"  # or "adamw", "sgd"
    weight_decay: float = 0.0
    activation: Mapping[str, Any] | None = None  # options of the activation
    device: str | torch.device = "auto"  # "auto" is CUDA where there is one
    random_state: int | np.random.RandomState | None = None
    early_stopping: bool = False  # after `patience` epochs without a better score; the best weights are put back
    patience: int = 20
    num_workers: int = 0  # no effect
    loss: str | Callable[..., Any] = "mse"  # or "l1" ("mae"), "smooth_l1", "huber", a function of (outputs, targets)
    loss_params: Mapping[str, Any] | None = None  # beta of "smooth_l1", delta of "huber", keywords of a function
    loss_reduction: str = "mean"  # or "sum", "none"
    w0: float = 30.0  # scale of the initial weights behind the first layer: a large one draws them small
    preserve_shape: bool = False  # rows are channels at positions, and the network is convolutional
    data_format: Literal["channels_first", "channels_last"] = "channels_first"
    conv_kernel_size: int = 1
    conv_channels: int | None = None  # None is hidden_units
    per_element: bool = False  # one prediction for each position
    activation_type: str = "psann"  # or "relu", "tanh", "relu_sigmoid_psann"
    attention: Mapping[str, Any] | None = None  # not offered
    stateful: bool = False  # keep a state even where `state` is None, by its defaults
    state: StateConfig | Mapping[str, Any] | None = None  # how the state moves
    state_reset: Literal["batch", "epoch", "none"] = "batch"  # before what the state is put back to 1
    stream_lr: float | None = None  # learning rate of step and predict_sequence_online
    output_shape: tuple[int, ...] | None = None  # shape of one prediction; None is that of a row of y
    lsm: Any = None  # not offered, as the three that follow
    lsm_train: bool = False
    lsm_pretrain_epochs: int = 0
    lsm_lr: float | None = None
    warm_start: bool = False  # a second fit goes on with the network of the first
    scaler: str | Transformer | None = None  # of X: "standard", "minmax", or an object with fit and transform
    scaler_params: Mapping[str, Any] | None = None  # with_mean, with_std; feature_range
    target_scaler: str | Transformer | None = None  # of y
    target_scaler_params: Mapping[str, Any] | None = None
    amp: bool = False  # run the network in amp_dtype
    amp_dtype: str | torch.dtype | None = "bfloat16"  # or "float16", on CUDA alone
    compile: bool = False  # by torch.compile, with the four that follow
    compile_backend: str = "inductor"
    compile_mode: str = "default"
    compile_fullgraph: bool = False
    compile_dynamic: bool = False
    context_builder: str | Callable[..., Any] | None = None  # makes a context of X: "cosine", or a function
    context_builder_params: Mapping[str, Any] | None = None  # keywords of the builder

    def plan(self, inputs: InputShape, columns: int, context_columns: int) -> NetPlan:
        """The network for such inputs, `columns` outputs and so many context columns."""
        raise NotImplementedError(f"{type(self).__name__} names no network; give it a method plan")

    def input_shape(self, row: tuple[int, ...]) -> InputShape:
        """How a row of X reaches the network."""
        return InputShape(row=row, grid=self.preserve_shape, data_format=self.data_format)

    def largest_gradient(self) -> float | None:
        """The 2-norm to which gradients of supervised training are clipped; None for no clipping."""
        return None


@dataclass(kw_only=True, eq=False, repr=False)
class ResidualParameters:
    """What regressors with residual blocks of two layers are given besides."""

    w0_first: float = 12.0  # no effect, as in psann: the first layer is drawn within 1/features
    w0_hidden: float = 1.0  # scale of the initial weights of the blocks
    norm: Literal["rms", "layer", "none"] = "rms"  # in front of each block
    drop_path_max: float = 0.0  # how often the last block is left out in training; earlier ones less often
    residual_alpha_init: float = 0.0  # what the branches are multiplied by at first

    def residual_keywords(self) -> dict[str, Any]:
        """Keywords of the network."""
        return {
            "w0_hidden": float(self.w0_hidden),
            "norm": self.norm,
            "drop_path_max": float(self.drop_path_max),
            "residual_alpha_init": float(self.residual_alpha_init),
        }
