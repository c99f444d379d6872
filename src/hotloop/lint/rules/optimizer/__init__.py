"""OP: optimizer, gradients and precision."""
