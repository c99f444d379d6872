"""Rewards of an episode, one a file, registered under the name of the file, and the metrics of a portfolio.

A reward is called with actions (B, T, M) and a context, and, where it has such a parameter, with transition_penalty.
The names are listed by `hotloop list rewards`; a third party adds one with an entry point `hotloop.rewards`.
"""

from hotloop.train.rewards._metrics import PortfolioMetrics, portfolio_metrics, wealth_curve

__all__ = ["PortfolioMetrics", "portfolio_metrics", "wealth_curve"]
