"""What `request.user` is: a light object, or a row of Django's own table."""

from __future__ import annotations

import logging
from typing import Any, Optional

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models.signals import post_save, pre_save

from .conf import settings
from .identity import Identity

logger = logging.getLogger("wardroom_django")
#: What a client reads whose token has scopes, where `ACCEPT_SCOPES` is off.
SCOPES_REFUSED = "This service does not accept tokens with scopes."
#: What a client reads whose id another account has here.
ANOTHER_ACCOUNT = "Another account of this service has the id of this user."
#: Where Django keeps the permissions that it has read for an object of its user model.
KEPT_PERMISSIONS = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")


class AnotherAccount(Exception):
    """The row with the id of a user is an account of Django's own."""


def code(permission: Any) -> Optional[int]:
    """The code that a name such as "1222" means."""
    written = str(permission)
    return int(written) if written.isascii() and written.isdigit() else None


def holds(known: Identity, permission: Any) -> bool:
    return known.is_admin or code(permission) in known.permissions


class WardroomUser:
    """A user without a row. It cannot be saved, and nothing can refer to it."""

    is_active = True
    is_authenticated = True
    is_anonymous = False

    def __init__(self, known: Identity) -> None:
        self.wardroom = known
        self.pk = self.id = known.user_id
        self.username = known.username
        self.email = known.email
        self.is_staff = known.is_staff
        self.is_superuser = known.is_admin
        #: Ids.
        self.groups = known.groups

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"<WardroomUser {self.pk}: {self.username}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WardroomUser) and other.pk == self.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def get_username(self) -> str:
        return self.username

    def has_perm(self, permission: Any, obj: Any = None) -> bool:
        """Whether the token has the permission with this code: "1222" or 1222."""
        return holds(self.wardroom, permission)

    def has_perms(self, permissions: Any, obj: Any = None) -> bool:
        return all(self.has_perm(one, obj) for one in permissions)

    def has_module_perms(self, _label: str) -> bool:
        return self.is_superuser


def user(known: Identity) -> Any:
    """The user of a request, as the setting `MODE` says."""
    return mirrored(known) if settings().mode == "mirror" else WardroomUser(known)


def mirrored(known: Identity) -> Any:
    """The row with the id that the user has in Wardroom. It is created if it is missing, without a password."""
    rows = get_user_model()._default_manager
    row = rows.filter(pk=known.user_id).first()
    if row is None:
        row = created(known)
    elif is_another_account(row, known.username):
        logger.error(
            "user %d is %r in Wardroom, and %r here, with rights and a password of its own: if both are one person, rename the row",
            known.user_id,
            known.username,
            row.get_username(),
        )
        raise AnotherAccount
    else:
        updated(row, known)
    row.wardroom = known
    shown(row, known)
    keep_narrow(type(row))
    return row


def is_another_account(row: Any, username: str) -> bool:
    """Whether a row is not that of the user with its id: it has another name, rights in Django, and a password that opens them.
    The row of a user who was renamed in Wardroom looks the same, so someone has to decide."""
    if row.get_username() in (username, apart(username, row.pk)) or not row.password or not row.has_usable_password():
        return False
    return bool(getattr(row, "is_superuser", False) or getattr(row, "is_staff", False))


def keep_narrow(model: Any) -> None:
    """Sees to it that `refresh_from_db` does not give the object of a narrow token the rights of its row. Django has no signal
    for that, so the method is replaced, once."""
    if "_wardroom_keeps_narrow" in vars(model):
        return
    read_again = model.refresh_from_db

    def refresh_from_db(self: Any, *arguments: Any, **more: Any) -> None:
        read_again(self, *arguments, **more)
        show_flags(model, self)

    model.refresh_from_db = refresh_from_db
    model._wardroom_keeps_narrow = True


def shown(row: Any, known: Identity) -> None:
    """Gives the object the rights of this request. Those of a narrow token may be less than those of the row."""
    row.is_staff, row.is_superuser = known.is_staff, known.is_admin
    if known.is_narrow:
        # No permission of Django's is a scope, so what both allow is nothing. This is also where Django's own backend looks.
        for name in KEPT_PERMISSIONS:
            setattr(row, name, set())


def keep_flags(sender: Any, instance: Any, **_more: Any) -> None:
    """Before an application saves the object of a request: the row keeps its own flags if the token is narrow."""
    known = getattr(instance, "wardroom", None)
    if not isinstance(known, Identity) or not known.is_narrow:
        return
    row = sender._base_manager.filter(pk=instance.pk).first()
    for flag in ("is_staff", "is_superuser"):
        if hasattr(row, flag):
            setattr(instance, flag, getattr(row, flag))


def show_flags(sender: Any, instance: Any, **_more: Any) -> None:
    """Afterwards the object has the rights of its request again."""
    del sender
    known = getattr(instance, "wardroom", None)
    if isinstance(known, Identity) and known.is_narrow:
        shown(instance, known)


pre_save.connect(keep_flags, dispatch_uid="wardroom_django.keep_flags")
post_save.connect(show_flags, dispatch_uid="wardroom_django.show_flags")


def values(known: Identity) -> dict[str, Any]:
    """What the row should have. A narrow token says nothing about the flags."""
    model = get_user_model()
    fields = {field.attname for field in model._meta.concrete_fields}
    wanted: dict[str, Any] = {model.USERNAME_FIELD: known.username, "is_active": True}
    if model.get_email_field_name() != model.USERNAME_FIELD:
        wanted[model.get_email_field_name()] = known.email
    if not known.is_narrow:
        wanted.update(is_staff=known.is_staff, is_superuser=known.is_admin)
    return {name: value for name, value in wanted.items() if name in fields}


def created(known: Identity) -> Any:
    model = get_user_model()
    row = model(pk=known.user_id, **values(known))
    row.set_unusable_password()
    if taken(known):
        setattr(row, model.USERNAME_FIELD, apart(known.username, known.user_id))
    try:
        with transaction.atomic():  # pyright: ignore[reportGeneralTypeIssues]
            row.save(force_insert=True)
    except IntegrityError:
        # Another request was faster.
        return model._default_manager.get(pk=known.user_id)
    return row


def updated(row: Any, known: Identity) -> None:
    model = get_user_model()
    differ = {name: value for name, value in values(known).items() if not same(getattr(row, name), value)}
    if model.USERNAME_FIELD in differ and taken(known):
        differ[model.USERNAME_FIELD] = apart(known.username, known.user_id)
        if row.get_username() == differ[model.USERNAME_FIELD]:
            del differ[model.USERNAME_FIELD]
    if model.USERNAME_FIELD in differ:
        logger.warning("the row of user %d was %r and is %r now", row.pk, row.get_username(), differ[model.USERNAME_FIELD])
    if differ:
        model._default_manager.filter(pk=row.pk).update(**differ)
        for name, value in differ.items():
            setattr(row, name, value)


def same(stored: Any, value: Any) -> bool:
    """No address is the same as an empty one."""
    return bool((stored or "") == value) if isinstance(value, str) else bool(stored == value)


def taken(known: Identity) -> bool:
    """Whether a row of another id has the username: an account of Django's own, or one that was renamed since."""
    model = get_user_model()
    others = model._default_manager.filter(**{model.USERNAME_FIELD: known.username}).exclude(pk=known.user_id)
    if not others.exists():
        return False
    logger.warning("user %d has another name here, because another row has its username", known.user_id)
    return True


def apart(username: str, user_id: int) -> str:
    return f"{username[:120]}~{user_id}"


class WardroomPermissions:
    """A backend for `AUTHENTICATION_BACKENDS`: gives mirrored users the permissions of their tokens. It has to come first, so
    that a narrow token does not get the permissions that the row has in Django."""

    def authenticate(self, _request: Any, **_credentials: Any) -> None:
        return None

    def get_user(self, _user_id: Any) -> None:
        return None

    async def aauthenticate(self, _request: Any, **_credentials: Any) -> None:
        return None

    async def aget_user(self, _user_id: Any) -> None:
        return None

    async def ahas_perm(self, row: Any, permission: Any, obj: Any = None) -> bool:
        return self.has_perm(row, permission, obj)

    def get_all_permissions(self, row: Any, obj: Any = None) -> set[str]:
        """The codes, as `has_perm` knows them. Django adds those of the other backends."""
        known = getattr(row, "wardroom", None)
        return {str(one) for one in known.permissions} if isinstance(known, Identity) else set()

    async def aget_all_permissions(self, row: Any, obj: Any = None) -> set[str]:
        return self.get_all_permissions(row, obj)

    def has_module_perms(self, row: Any, _label: str) -> bool:
        """A narrow token opens no part of Django's own admin."""
        known = getattr(row, "wardroom", None)
        if isinstance(known, Identity) and known.is_narrow:
            raise PermissionDenied
        return False

    async def ahas_module_perms(self, row: Any, label: str) -> bool:
        return self.has_module_perms(row, label)

    def has_perm(self, row: Any, permission: Any, obj: Any = None) -> bool:
        known = getattr(row, "wardroom", None)
        if not isinstance(known, Identity):
            return False
        if holds(known, permission):
            return True
        if known.is_narrow:
            raise PermissionDenied
        return False
