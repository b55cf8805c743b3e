"""Returns the caller. The fields and their order are those of the page that documents the endpoint."""

from django.conf import settings
from django.contrib.auth import get_user_model
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework import serializers
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView


class StaffOrAdmin(BasePermission):
    def has_permission(self, request, view):
        user = request.user
        return bool(user and (user.is_staff or user.is_superuser))


class Nothing(serializers.Field):
    """Fields for which the plain user model has no column."""

    def __init__(self):
        super().__init__(read_only=True)

    def get_attribute(self, user):
        return None


class MeSerializer(serializers.ModelSerializer):
    full_name = serializers.SerializerMethodField()
    groups = serializers.SerializerMethodField()
    if not settings.CUSTOM:
        mobile_number = Nothing()
        avatar = Nothing()
        gender = Nothing()
        created_at = serializers.DateTimeField(source="date_joined")

    class Meta:
        model = get_user_model()
        fields = [
            "id",
            "username",
            "mobile_number",
            "email",
            "avatar",
            "first_name",
            "last_name",
            "full_name",
            "gender",
            "groups",
            "last_login",
            "created_at",
        ]

    def get_full_name(self, user):
        return f"{user.first_name} {user.last_name}".strip()

    def get_groups(self, user):
        return sorted(user.groups.values_list("id", flat=True))


class Me(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [StaffOrAdmin]

    def get(self, request):
        return Response(MeSerializer(request.user, context={"request": request}).data)


class KnoxMe(Me):
    authentication_classes = [KnoxAuthentication]
