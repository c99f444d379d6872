"""Trains for real under a plan, and watches."""
