"""The one training loop of the house, its deferred metrics, and the strategies."""
