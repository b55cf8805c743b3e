"""A small project with views that are authenticated by Django REST Framework itself, and by Wardroom."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import django
from django.conf import settings

URL = os.environ.get("WARDROOM_URL", "http://127.0.0.1:9")
KEY = os.environ.get("WARDROOM_KEY", "wrd_" + "0" * 36)
FOLDER = tempfile.mkdtemp(prefix="wardroom-django-")

if not settings.configured:
    settings.configure(
        SECRET_KEY="tests",
        # Fast, because many tests make passwords.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DEBUG=False,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="project",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.path.join(FOLDER, "db.sqlite3"),
                "OPTIONS": {"timeout": 30},
            }
        },
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "rest_framework.authtoken",
            "wardroom_django",
        ],
        MIDDLEWARE=[],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["wardroom_django.authentication.WardroomAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        AUTHENTICATION_BACKENDS=["wardroom_django.users.WardroomPermissions", "django.contrib.auth.backends.ModelBackend"],
        WARDROOM={"URL": URL, "KEY": KEY},
    )
    django.setup()

from django.urls import path  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from wardroom_django.authentication import ForwardedAuthentication, WardroomAuthentication  # noqa: E402


class MayReadUsers(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.has_perm("1222"))


class Who(APIView):
    permission_classes: list[Any] = [IsAuthenticated]

    def get(self, request: Any) -> Response:
        return Response(
            {
                "id": request.user.pk,
                "username": request.user.get_username(),
                "token": getattr(request.auth, "name", None),
                "kind": type(request.user).__name__,
            }
        )

    post = get


def view(authentication: Any, *permissions: Any) -> Any:
    return Who.as_view(authentication_classes=[authentication], permission_classes=list(permissions))


urlpatterns = [
    path("old", view(TokenAuthentication, IsAuthenticated)),
    path("new", view(WardroomAuthentication, IsAuthenticated)),
    path("open", view(WardroomAuthentication, AllowAny)),
    path("staff", view(WardroomAuthentication, IsAdminUser)),
    path("readers", view(WardroomAuthentication, IsAuthenticated, MayReadUsers)),
    path("forwarded", view(ForwardedAuthentication, IsAuthenticated)),
]
