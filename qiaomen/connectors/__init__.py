"""The outside world: push, CRM; the only network code."""
