"""Activations and norms in one pass, forward and backward, with a pure-torch twin for every machine."""

from hotloop.kernels.dispatch import residual_network, rms_norm, runs_network, sine
from hotloop.kernels.selection import Status, prefer, status

__all__ = ["Status", "prefer", "residual_network", "rms_norm", "runs_network", "sine", "status"]
