#!/usr/bin/env python3
"""Opens pictures that Wardroom made with Pillow: each is whole, and has no metadata and nothing after its end.

pictures.py FOLDER
"""

import sys
from pathlib import Path

from PIL import Image, ImageFile

# What the header of a JPEG file states; nothing that a person or a camera wrote.
HARMLESS = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"\0\0\0\0IEND\xae\x42\x60\x82"}


def faults(path):
    with Image.open(path) as picture:
        picture.load()
        if picture.format != {".jpg": "JPEG", ".png": "PNG"}[path.suffix]:
            yield f"is {picture.format}"
        if getattr(picture, "n_frames", 1) != 1:
            yield "is animated"
        if picture.getexif():
            yield "has EXIF"
        if picture.getxmp():
            yield "has XMP"
        if "icc_profile" in picture.info:
            yield "has a color profile"
        if set(picture.info) - HARMLESS:
            yield f"has {sorted(set(picture.info) - HARMLESS)}"
        if getattr(picture, "text", None):
            yield "has text"
        content = path.read_bytes()
        end = ENDS[picture.format]
        if not content.endswith(end):
            yield "has bytes after its end"
        if picture.format == "PNG" and content.count(end) != 1:
            yield "has two ends"


def main():
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    paths = sorted(Path(sys.argv[1]).iterdir())
    found = [f"{path.name} {fault}" for path in paths for fault in faults(path)]
    print("\n".join(found))
    print(f"{len(paths)} pictures, {len(found)} faults")
    return 1 if found or len(paths) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
