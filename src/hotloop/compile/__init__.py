"""How a step runs: eagerly, or captured whole as one graph and compiled."""
