"""The ZenML steps, a file per stage. Importing one registers how its artifacts are stored, by their types."""

from steps import materializers as materializers
