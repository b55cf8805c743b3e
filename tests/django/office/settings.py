"""The project's settings. Three environment variables make several projects of one:

    OFFICE_USER_MODEL   plain (auth.User) or custom (people.Person)
    OFFICE_DATABASE     the path of an SQLite file, or postgres://user@host:port/name
    OFFICE_MEDIA        the directory of uploaded files
"""

import os
from urllib.parse import unquote, urlsplit

CUSTOM = {"plain": False, "custom": True}[os.environ["OFFICE_USER_MODEL"]]


def database(told):
    if "://" not in told:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": told}
    url = urlsplit(told)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": unquote(url.username),
        "PASSWORD": unquote(url.password or ""),
        "NAME": url.path.lstrip("/"),
    }


DATABASES = {"default": database(os.environ["OFFICE_DATABASE"])}
MEDIA_ROOT = os.environ["OFFICE_MEDIA"]
MEDIA_URL = "/media/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "knox",
]
if CUSTOM:
    INSTALLED_APPS.append("people")
    AUTH_USER_MODEL = "people.Person"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = "of a project that lives as long as a test"
ALLOWED_HOSTS = ["www.example.com", "localhost", "127.0.0.1"]
ROOT_URLCONF = "office.urls"
WSGI_APPLICATION = "office.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Django's five, and those that a project has enabled for users from other systems.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # As on the page that documents the endpoint. The framework by itself drops a fraction of zero.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
