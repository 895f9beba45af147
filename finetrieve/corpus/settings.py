"""What a configuration says about how documents are cut; where they come from is said in `sources`."""

from __future__ import annotations

from pydantic import Field, model_validator

from finetrieve.core.settings import Settings


class ChunkSettings(Settings):
    """How documents are cut into chunks and which of those are duplicates."""

    max_tokens: int = Field(default=128, ge=32, le=8192)
    """Tokens of title, section and text together, as the model reads them."""
    overlap_tokens: int = Field(default=24, ge=0)
    """Tokens that a chunk may repeat of the one before it in the same section, in whole sentences."""
    min_tokens: int = Field(default=24, ge=0)
    """Sections with less text than this are joined with their neighbours where they fit."""
    near_duplicate_threshold: float = Field(default=0.9, gt=0, le=1)
    """Share of word triples (Jaccard, 0..1) from which two chunks count as the same, if their titles and sections are the same
    and they differ in no number, name or other word that says something; 1 finds exact copies only."""

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> ChunkSettings:
        if self.overlap_tokens * 2 > self.max_tokens:
            raise ValueError(f"overlap_tokens {self.overlap_tokens} is over half of max_tokens {self.max_tokens}; give less.")
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens {self.min_tokens} is over max_tokens {self.max_tokens}; give less.")
        return self
