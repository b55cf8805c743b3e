"""Every encoding in which a Django project has ever stored a password.

Django's own hashers make those that it still offers, at the lowest costs they accept, so that 300
people are made quickly; `default ...` has the default costs of this Django. Salts are given, not
random. What Django has dropped (it still exists in tables) is made here in the old way.
"""

import hashlib

import argon2
from django.contrib.auth import hashers


class CheapArgon2(hashers.Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 64
    parallelism = 1


def pbkdf2(hasher):
    return lambda password, salt: hasher.encode(password, salt, iterations=1000)


def argon2i(password, salt):
    """As Django before 3.2 made them."""
    costs = {"time_cost": 2, "memory_cost": 64, "parallelism": 1, "hash_len": 16}
    made = argon2.low_level.hash_secret(password.encode(), salt.encode(), type=argon2.low_level.Type.I, **costs)
    return "argon2" + made.decode()


def bcrypt(hasher, version="2b"):
    def encode(password, salt):
        # 22 characters of bcrypt's own alphabet, the last with no bits to spare.
        return hasher.encode(password, f"${version}$04${salt[:21]}.".encode())

    return encode


def hex_of(algorithm, text):
    return hashlib.new(algorithm, text.encode()).hexdigest()


READABLE = {
    "pbkdf2_sha256": pbkdf2(hashers.PBKDF2PasswordHasher()),
    # Salts had 12 characters until Django 3.2.
    "pbkdf2_sha256 short salt": lambda password, salt: pbkdf2(hashers.PBKDF2PasswordHasher())(password, salt[:12]),
    "pbkdf2_sha1": pbkdf2(hashers.PBKDF2SHA1PasswordHasher()),
    "argon2": CheapArgon2().encode,
    "argon2i": argon2i,
    "bcrypt_sha256": bcrypt(hashers.BCryptSHA256PasswordHasher()),
    "bcrypt": bcrypt(hashers.BCryptPasswordHasher()),
    "bcrypt 2a": bcrypt(hashers.BCryptPasswordHasher(), "2a"),
    "scrypt": lambda password, salt: hashers.ScryptPasswordHasher().encode(password, salt, n=16, r=8, p=2),
    "default pbkdf2_sha256": hashers.PBKDF2PasswordHasher().encode,
    "default argon2": hashers.Argon2PasswordHasher().encode,
    "default scrypt": hashers.ScryptPasswordHasher().encode,
}
OUTDATED = {
    "md5": hashers.MD5PasswordHasher().encode,
    "sha1": lambda password, salt: f"sha1${salt}${hex_of('sha1', salt + password)}",
    "unsalted_md5": lambda password, _: hex_of("md5", password),
    "unsalted_sha1": lambda password, _: f"sha1$${hex_of('sha1', password)}",
    # One of the C library's, which Python no longer makes.
    "crypt": lambda _, __: "crypt$$wrYP6fA2KEVvU",
}
WITHOUT = {
    "unusable": lambda _, salt: hashers.UNUSABLE_PASSWORD_PREFIX + salt + salt[:18],
    "never set": lambda _, __: "",
}
ALL = READABLE | OUTDATED | WITHOUT
CHEAP = [name for name in ALL if not name.startswith("default ")]


def encode(person):
    """The value of the column `password`, and the password in clear text if there is one."""
    name = person["hasher"]
    # 22 characters, like Django's own.
    salt = hex_of("sha256", person["username"])[:22]
    password = person["password"]
    if name in WITHOUT:
        password = None
    if name == "crypt":
        password = "crypt is from another time"
    encoded = ALL[name](password, salt)
    if name in READABLE and name in CHEAP and not hashers.check_password(password, encoded):
        raise ValueError(f"Django does not read {encoded}")
    return encoded, password
