"""Subscriptions, digest budget, what to push to whom."""
