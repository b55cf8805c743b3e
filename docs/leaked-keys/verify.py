#!/usr/bin/env python3
"""Reads texts from standard input, such as a report of gitleaks, and prints each Wardroom key in them, one on each line.

What only looks like a key has a wrong checksum and is left out. No network is used, and it is not known whether a key is
still valid. `wardroom token revoke --leaked FILE` and POST /api/users/auth/leaked take the list.
"""

import re
import sys
import zlib

KEY = re.compile(r"(?<![0-9A-Za-z_])wrd_[0-9A-Za-z]{36}(?![0-9A-Za-z_])")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(text):
    """The CRC-32 of a text as six digits of base 62."""
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = DIGITS[digit] + digits
    return digits


def is_key(text):
    return checksum(text[:-6]) == text[-6:]


if __name__ == "__main__":
    found = {key for key in KEY.findall(sys.stdin.read()) if is_key(key)}
    print("".join(f"{key}\n" for key in sorted(found)), end="")
