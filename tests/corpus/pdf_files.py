"""PDF files written down by hand, so that a test knows where each word stands on the page."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

FONTS = ("Helvetica", "Helvetica-Bold", "Courier")
PAGE = (612, 792)


@dataclass
class Page:
    """Instructions that draw a page, its origin at the lower left."""

    drawn: list[str] = field(default_factory=list)
    picture: bool = False

    def text(self, x: float, y: float, words: str, size: float = 10, font: int = 0) -> Page:
        escaped = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        self.drawn.append(f"BT /F{font} {size} Tf {x} {y} Td ({escaped}) Tj ET")
        return self

    def lines(self, x: float, y: float, *lines: str, size: float = 10, font: int = 0) -> Page:
        for at, line in enumerate(lines):
            self.text(x, y - 1.2 * size * at, line, size, font)
        return self

    def grid(self, xs: list[float], ys: list[float]) -> Page:
        self.drawn += [f"{x} {ys[0]} m {x} {ys[-1]} l S" for x in xs]
        self.drawn += [f"{xs[0]} {y} m {xs[-1]} {y} l S" for y in ys]
        return self


def pdf(pages: list[Page], title: str = "", bookmarks: list[tuple[str, int]] | None = None, encrypted: bool = False) -> bytes:
    """Returns a file; `bookmarks` are titles and the numbers of their pages."""
    objects: dict[int, bytes] = {}
    fonts = " ".join(f"/F{at} {10 + at} 0 R" for at in range(len(FONTS)))
    for at, font in enumerate(FONTS):
        objects[10 + at] = f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode()
    objects[20] = _stream(
        b"\x00" * 300, "/Type /XObject /Subtype /Image /Width 10 /Height 10 /BitsPerComponent 8 /ColorSpace /DeviceRGB"
    )
    numbers = [100 + 2 * at for at in range(len(pages))]
    for number, page in zip(numbers, pages, strict=True):
        drawn = [*page.drawn, *(["q 600 0 0 700 0 0 cm /I Do Q"] if page.picture else [])]
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE[0]} {PAGE[1]}] /Contents {number + 1} 0 R "
            f"/Resources << /Font << {fonts} >> /XObject << /I 20 0 R >> >> >>"
        ).encode()
        objects[number + 1] = _stream("\n".join(drawn).encode("cp1252"))
    objects[2] = f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}] >>".encode()
    outline = ""
    for at, (words, page_number) in enumerate(bookmarks or []):
        following = f"/Next {31 + at} 0 R" if at + 1 < len(bookmarks or []) else ""
        objects[30 + at] = f"<< /Title ({words}) /Dest [{numbers[page_number - 1]} 0 R /Fit] {following} >>".encode()
    if bookmarks:
        objects[3] = f"<< /First 30 0 R /Last {29 + len(bookmarks)} 0 R >>".encode()
        outline = "/Outlines 3 0 R"
    objects[1] = f"<< /Type /Catalog /Pages 2 0 R {outline} >>".encode()
    objects[4] = f"<< /Title ({title}) >>".encode()
    security = ""
    if encrypted:
        objects[5] = b"<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> >>"
        security = "/Encrypt 5 0 R /ID [<01> <01>]"
    data = b"%PDF-1.4\n"
    places = {}
    for number, content in sorted(objects.items()):
        places[number] = len(data)
        data += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(data)
    data += f"xref\n0 {max(objects) + 1}\n".encode()
    for number in range(max(objects) + 1):
        data += f"{places.get(number, 0):010d} 00000 {'n' if number in places else 'f'} \n".encode()
    trailer = f"trailer << /Size {max(objects) + 1} /Root 1 0 R /Info 4 0 R {security} >>\nstartxref\n{start}\n%%EOF\n"
    return data + trailer.encode()


def _stream(content: bytes, entries: str = "") -> bytes:
    packed = zlib.compress(content)
    return f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode() + packed + b"\nendstream"
