"""The flat step: flat parameters and gradients, few operations an update, fused or compiled where that fits."""
