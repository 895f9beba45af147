"""Rules that write the queries people would ask, from what a passage itself says."""

from __future__ import annotations

from finetrieve.generation.recipes.rules.writer import VERSION, Written, written_queries

__all__ = ["VERSION", "Written", "written_queries"]
