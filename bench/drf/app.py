"""A minimal version of the service that Wardroom replaces: one view of Django REST Framework behind TokenAuthentication."""

import os
import urllib.parse

import django
from django.conf import settings

# A file of SQLite, or the URL of a database on PostgreSQL.
place = os.environ["BENCH_DATABASE"]
if place.startswith("postgres://"):
    url = urllib.parse.urlsplit(place)
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username, "HOST": url.hostname, "PORT": url.port}
else:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": place}

settings.configure(
    SECRET_KEY="bench",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="app",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    DATABASES={"default": {**database, "CONN_MAX_AGE": None}},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    USE_TZ=True,
    TIME_ZONE="UTC",
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402


class MeSerializer(serializers.ModelSerializer):
    full_name = serializers.CharField(source="get_full_name")
    groups = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    created_at = serializers.DateTimeField(source="date_joined")

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "full_name", "groups", "last_login", "created_at"]


class Me(APIView):
    def get(self, request):
        return Response(MeSerializer(request.user).data)


urlpatterns = [path("api/users/me", Me.as_view())]
application = get_wsgi_application()
