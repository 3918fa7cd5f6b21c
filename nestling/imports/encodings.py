"""Which encoding a text file is in: its mark, else the one in which the fewest lines are broken."""

import codecs
from pathlib import Path

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SAMPLE = 4_096


def detect_encoding(path: Path) -> str:
    """utf-8-sig, utf-16, utf-16-le, utf-16-be, utf-8 or gb18030. Reads the file once, line by line."""
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    zeros = start[0::2].count(0), start[1::2].count(0)
    if max(zeros) > len(start) // 8:  # Latin letters in UTF-16 are every other byte a zero
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    broken = {"utf-8": 0, "gb18030": 0}
    with path.open("rb") as file:
        for line in file:
            if line.isascii():
                continue
            for name in broken:
                try:
                    line.decode(name)
                except UnicodeDecodeError:
                    broken[name] += 1
    return "utf-8" if broken["utf-8"] <= broken["gb18030"] else "gb18030"
