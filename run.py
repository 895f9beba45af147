"""The command line: `python run.py --pipeline retrain --docs my-docs`. It is `finetrieve.cli`."""

from __future__ import annotations

from finetrieve.cli.main import main

if __name__ == "__main__":
    main()
