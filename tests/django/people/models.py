"""The tables of a back office: columns that Wardroom knows, and a few that it does not."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.db import models
from django.utils import timezone


class Person(AbstractBaseUser, PermissionsMixin):
    """Unlike Django's own user it may have no e-mail address, and only the user name is unique."""

    username = models.CharField(max_length=150, unique=True)
    mobile_number = models.CharField(max_length=32, null=True, blank=True)
    email = models.EmailField(null=True, blank=True)
    # Not an image field, which would need an imaging library. The column is the same.
    avatar = models.FileField(upload_to="avatars/", null=True, blank=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    gender = models.CharField(max_length=16, null=True, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    # Wardroom has no columns for these.
    department = models.CharField(max_length=64, blank=True)
    employee_no = models.PositiveIntegerField(null=True, blank=True)
    salary_band = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"

    objects = BaseUserManager()


class GroupProfile(models.Model):
    """Fields for which Django's groups have no columns. Not every group has such a row."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="profile")
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
