"""Activations and norms in one pass, forward and backward, and in pure torch for every machine."""

from hotloop.kernels.dispatch import rms_norm, sine
from hotloop.kernels.excitation import squeeze_excitation
from hotloop.kernels.selection import Status, prefer, status

__all__ = ["Status", "prefer", "rms_norm", "sine", "squeeze_excitation", "status"]
