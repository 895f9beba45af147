"""Rules that write the queries people would ask, from what a chunk itself says."""

from __future__ import annotations

from finetrieve.generation.recipes.rules.writer import VERSION, RuleQueries, write_queries

__all__ = ["VERSION", "RuleQueries", "write_queries"]
