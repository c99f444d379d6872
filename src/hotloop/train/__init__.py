"""The one training loop, its deferred metrics, and the strategies."""
