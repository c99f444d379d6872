"""Rewards of an episode, one a file under its name (or by an entry point `hotloop.rewards`); metrics of a portfolio."""

from hotloop.train.rewards._metrics import PortfolioMetrics, portfolio_metrics, wealth_curve

__all__ = ["PortfolioMetrics", "portfolio_metrics", "wealth_curve"]
