#!/usr/bin/env python3
"""Writes tests/pictures/seeds: small pictures by another encoder, from which the corpus of the tests is made.

The seeds are committed, so that the tests need nothing installed. To write them again, for a new seed:

    python3 -m venv target/pictures && target/pictures/bin/pip install Pillow==13.0.0
    target/pictures/bin/python tests/pictures/seeds.py

Upright, every picture has four quarters: red, green (above), blue, white (below). It has 64 x 48 pixels.
"""

import struct
import zlib
from pathlib import Path

from PIL import Image, ImageCms, PngImagePlugin

SEEDS = Path(__file__).parent / "seeds"
WIDTH, HEIGHT = 64, 48
QUARTERS = [(220, 20, 30), (20, 180, 40), (30, 40, 210), (250, 250, 250)]

XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">secret place</x:xmpmeta><?xpacket end="w"?>'
# How an upright picture is stored so that the orientation brings it back.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright(width=WIDTH, height=HEIGHT):
    picture = Image.new("RGB", (width, height))
    boxes = [(0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)]
    for color, (left, top) in zip(QUARTERS, boxes):
        right = width if left else width // 2
        bottom = height if top else height // 2
        picture.paste(color, (left, top, right, bottom))
    return picture


def with_alpha():
    picture = upright().convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.paste((255, 0, 255, 0), (40, 30, 64, 48))
    return picture


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "SecretCamera"
    gps = data.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 31.0, 12.0), "E", (13.0, 24.0, 36.0)
    return data.tobytes()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, color, rows, interlaced=False, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def rows_of(picture, left=0, top=0, across=1, down=1, wide=False):
    rows = b""
    for y in range(top, picture.height, down):
        line = b"".join(bytes(picture.getpixel((x, y))) for x in range(left, picture.width, across))
        if wide:
            line = b"".join(bytes((byte, byte)) for byte in line)
        if line:
            rows += b"\0" + line
    return rows


def interlaced(picture):
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    return b"".join(rows_of(picture, *each) for each in passes)


def save(name, picture, **how):
    picture.save(SEEDS / name, **how)


def profiles():
    """A profile whose red and green are exchanged, so that a conversion is visible."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = bytearray(plain)
    count = struct.unpack_from(">I", plain, 128)[0]
    entries = {plain[132 + 12 * at: 136 + 12 * at]: 132 + 12 * at for at in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    exchanged[red + 4: red + 12], exchanged[green + 4: green + 12] = (
        plain[green + 4: green + 12], plain[red + 4: red + 12])
    return plain, bytes(exchanged)


def jpegs():
    picture = upright()
    srgb, exchanged = profiles()
    save("baseline-444.jpg", picture, quality=95, subsampling=0)
    save("baseline-422.jpg", picture, quality=95, subsampling=1)
    save("baseline-420.jpg", picture, quality=95, subsampling=2)
    save("odd-size.jpg", upright(61, 47), quality=95, subsampling=2)
    save("progressive.jpg", picture, quality=95, progressive=True)
    save("restarts.jpg", picture, quality=95, restart_marker_blocks=2)
    save("gray.jpg", picture.convert("L"), quality=95)
    save("cmyk.jpg", picture.convert("CMYK"), quality=95)
    save("rgb.jpg", picture, quality=95, keep_rgb=True)
    save("metadata.jpg", picture, quality=95, exif=exif(1), xmp=XMP, icc_profile=srgb, comment=b"../../etc/passwd")
    save("exchanged.jpg", picture, quality=95, subsampling=0, icc_profile=exchanged)
    save("photo.jpg", upright(1600, 1200), quality=60)
    for orientation, stored in STORED.items():
        turned = picture.transpose(stored) if stored is not None else picture
        save(f"orientation-{orientation}.jpg", turned, quality=95, subsampling=0, exif=exif(orientation))


def pngs():
    picture = upright()
    srgb, exchanged = profiles()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "../../etc/passwd")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    save("rgb.png", picture)
    save("metadata.png", picture, exif=exif(1), icc_profile=srgb, pnginfo=text)
    save("exchanged.png", picture, icc_profile=exchanged)
    turned = picture.transpose(STORED[6])
    save("orientation-6.png", turned, exif=exif(6))
    save("alpha.png", with_alpha())
    save("opaque-alpha.png", picture.convert("RGBA"))
    save("gray.png", picture.convert("L"))
    save("gray-alpha.png", with_alpha().convert("LA"))
    save("bilevel.png", picture.convert("1"))
    save("gray-16.png", picture.convert("I;16"))
    for bits in (1, 2, 4, 8):
        save(f"palette-{bits}.png", picture.quantize(1 << bits if bits < 8 else 200), bits=bits)
    save("palette-transparent.png", picture.quantize(8), transparency=0)
    save("animated.png", picture, save_all=True, append_images=[picture.transpose(STORED[3])], duration=50)
    (SEEDS / "rgb-16.png").write_bytes(png(WIDTH, HEIGHT, 16, 2, rows_of(picture, wide=True)))
    alpha = rows_of(with_alpha(), wide=True)
    (SEEDS / "alpha-16.png").write_bytes(png(WIDTH, HEIGHT, 16, 6, alpha))
    (SEEDS / "interlaced.png").write_bytes(png(WIDTH, HEIGHT, 8, 2, interlaced(picture), interlaced=True))
    key = chunk(b"tRNS", struct.pack(">HHH", *QUARTERS[3]))
    (SEEDS / "key-color.png").write_bytes(png(WIDTH, HEIGHT, 8, 2, rows_of(picture), extra=key))


def gifs():
    picture = upright().quantize(16)
    save("plain.gif", picture)
    save("interlaced.gif", picture, interlace=True)
    save("comment.gif", picture, comment=b"../../etc/passwd")
    save("transparent.gif", picture, transparency=0)
    later = upright().transpose(STORED[3]).quantize(16)
    save("animated.gif", picture, save_all=True, append_images=[later, later], duration=50, loop=0)


def webps():
    picture = upright()
    srgb, exchanged = profiles()
    save("lossy.webp", picture, quality=90)
    save("lossless.webp", picture, lossless=True)
    save("alpha.webp", with_alpha(), quality=90)
    save("lossless-alpha.webp", with_alpha(), lossless=True)
    save("metadata.webp", picture, quality=90, exif=exif(1), xmp=XMP, icc_profile=srgb)
    save("exchanged.webp", picture, lossless=True, icc_profile=exchanged)
    save("orientation-6.webp", picture.transpose(STORED[6]), quality=90, exif=exif(6))
    later = picture.transpose(STORED[3])
    save("animated.webp", picture, save_all=True, append_images=[later], duration=50, quality=90)
    save("animated-lossless.webp", picture, save_all=True, append_images=[later], duration=50, lossless=True)
    noise = Image.effect_noise((160, 120), 60).convert("RGB")
    noise.paste(upright(80, 60), (0, 0))
    save("groups.webp", noise, lossless=True, quality=100, method=6)


def foreign():
    picture = upright()
    save("tiff.tif", picture)
    save("bitmap.bmp", picture)
    save("icon.ico", picture)
    save("avif.avif", picture)
    save("pdf.pdf", picture)
    save("jpeg2000.jp2", picture)


if __name__ == "__main__":
    SEEDS.mkdir(exist_ok=True)
    for make in (jpegs, pngs, gifs, webps, foreign):
        make()
