"""Files that are ZIP archives of XML, such as DOCX and EPUB, read in bounded memory and without entities."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

MAX_FILES = 20_000
MAX_PART_MB = 48
"""Of one file in an archive, unpacked: a long book is a tenth of it, and a bomb a thousand times more."""
ENCRYPTED = 0x1


class Archive:
    """A ZIP archive whose parts are read one by one; a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens the archive; raises ValueError where it is none."""
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"the file is broken or cut off ({error})") from None
        self.names = frozenset(self._zip.namelist())
        if len(self.names) > MAX_FILES:
            self._zip.close()
            raise ValueError(f"it holds {len(self.names):,} files, more than {MAX_FILES:,}")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """Returns one file of the archive.

        Raises:
            ValueError: There is none, it is encrypted or broken, or it grows beyond all measure.
        """
        if name not in self.names:
            raise ValueError(f"the file is broken: it has no '{name}'")
        if self._zip.getinfo(name).flag_bits & ENCRYPTED:
            raise ValueError("the file is encrypted: save it without a password")
        limit = MAX_PART_MB * 1_000_000
        try:
            with self._zip.open(name) as part:  # The size that the archive claims may be a lie.
                data = part.read(limit + 1)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as error:
            raise ValueError(f"the file is broken ('{name}': {error})") from None
        except Exception as error:  # zlib.error and its like of other compressions
            raise ValueError(f"the file is broken ('{name}': {error})") from None
        if len(data) > limit:
            raise ValueError(f"'{name}' in it unpacks to more than {MAX_PART_MB} MB")
        return data

    def xml(self, name: str) -> Any:
        """Returns the root of an XML file of the archive; entities stay what they are, and nothing is fetched."""
        data = self.read(name)
        if re.search(rb"<!ENTITY", data[:4096]):
            raise ValueError(f"'{name}' in it declares entities, which no such file needs")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=True, load_dtd=False)
        root = etree.fromstring(data, parser)
        if root is None:
            raise ValueError(f"the file is broken: '{name}' is no XML")
        return root
