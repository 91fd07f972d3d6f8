"""Alembic scripts of the operational store, numbered in order; the DDL is written out, no table is imported."""
