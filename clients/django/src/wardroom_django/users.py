"""What `request.user` is: a light object, or a row of Django's own table."""

from __future__ import annotations

import inspect
import logging
import shlex
import threading
from typing import Any, Optional

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.crypto import get_random_string

from .conf import settings
from .identity import Identity

logger = logging.getLogger("wardroom_django")
#: What a client reads whose token has scopes, where `ACCEPT_SCOPES` is off.
SCOPES_REFUSED = "This service does not accept tokens with scopes."
#: What a client reads whose id another account has here.
ANOTHER_ACCOUNT = "Another account of this service has the id of this user."
#: Where Django keeps the permissions that it has read for an object of its user model.
KEPT_PERMISSIONS = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")
#: The flags of a row that follow Wardroom.
FLAGS = ("is_staff", "is_superuser")
#: How the password of a row begins that is Wardroom's. Django's own unusable passwords have no dash.
MARK = f"{UNUSABLE_PASSWORD_PREFIX}wardroom-"


class AnotherAccount(Exception):
    """The row with the id of a user is Django's own."""


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
    """The row of a user: it has the id that the user has in Wardroom, and the mark. It is created if it is missing."""
    if not has_passwords():
        logger.error("the user model has no column for passwords, so no row can be marked as Wardroom's: use MODE light")
        raise AnotherAccount
    row = get_user_model()._default_manager.filter(pk=known.user_id).first()
    if row is None:
        row = created(known)
    else:
        updated(row, known)
    row.wardroom = known
    shown(row, known)
    return row


def has_passwords() -> bool:
    """Whether the user model has the column that the mark is in."""
    return any(field.attname == "password" for field in get_user_model()._meta.concrete_fields)


def mark() -> str:
    """A value for the column of passwords which says that the row is Wardroom's. For Django it is an unusable password. No two
    are the same, so that a session of an earlier owner of the row does not come back."""
    return f"{MARK}{get_random_string(32)}"


def is_wardrooms(row: Any) -> bool:
    """Whether a row is Wardroom's, and not Django's own. Neither an id nor a name says that: ids of accounts that someone
    creates in Django can be the same, and names are what users call themselves."""
    password = getattr(row, "password", None)
    return isinstance(password, str) and password.startswith(MARK)


def refused(row: Any, known: Identity) -> AnotherAccount:
    name = row.get_username()
    logger.error(
        "user %d is %r in Wardroom, and the row with this id is %r and Django's own, so it is not handed over. If both are one "
        "person: manage.py wardroom_hand_over %s. If not, give the account of Django another id",
        known.user_id,
        known.username,
        name,
        shlex.quote(name),
    )
    return AnotherAccount()


class Flag:
    """A flag of the user model that an object with a narrow token never has, whatever is read, set or saved. It stands in front
    of what the model has: a field, a property or a value."""

    def __init__(self, name: str, own: Any) -> None:
        self.name, self.own = name, own

    def __get__(self, row: Any, owner: Any = None) -> Any:
        if row is not None and is_narrow(row):
            return False
        if row is not None and self.name in vars(row) and not hasattr(type(self.own), "__set__"):
            return vars(row)[self.name]
        return self.own.__get__(row, owner) if hasattr(type(self.own), "__get__") else self.own

    def __set__(self, row: Any, value: Any) -> None:
        if not hasattr(type(self.own), "__set__"):
            vars(row)[self.name] = False if is_narrow(row) else value
        elif not is_narrow(row):
            self.own.__set__(row, value)

    def __delete__(self, row: Any) -> None:
        vars(row).pop(self.name, None)


def is_narrow(row: Any) -> bool:
    known = vars(row).get("wardroom")
    return isinstance(known, Identity) and known.is_narrow


_guarding = threading.Lock()


def guard_flags(model: Any) -> None:
    """Puts a `Flag` in front of the flags of a user model, once. Django has no signal for all the ways in which an object can
    get the flags of its row."""
    with _guarding:
        for name in FLAGS:
            own = inspect.getattr_static(model, name, None)
            if own is not None and not isinstance(own, Flag):
                keep_saved(model, name)
                setattr(model, name, Flag(name, own))


def keep_saved(model: Any, name: str) -> None:
    """Where an application saves the object of a narrow token, the row keeps the flag that it has."""
    field = next((field for field in model._meta.concrete_fields if field.attname == name), None)
    if field is None:
        return
    value_of = field.pre_save

    def pre_save(row: Any, add: bool) -> Any:
        return F(name) if is_narrow(row) and not add else value_of(row, add)

    field.pre_save = pre_save


def shown(row: Any, known: Identity) -> None:
    """Gives the object the rights of this request. Those of a narrow token may be less than those of the row."""
    if known.is_narrow:
        guard_flags(type(row))
        # No permission of Django's is a scope, so what both allow is nothing. This is also where Django's own backend looks.
        for name in KEPT_PERMISSIONS:
            setattr(row, name, set())
    for name, value in zip(FLAGS, (known.is_staff, known.is_admin)):
        own = inspect.getattr_static(type(row), name, None)
        # A model may have a property that says it in its own way.
        if not isinstance(own.own if isinstance(own, Flag) else own, property):
            setattr(row, name, value)


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
    row = model(pk=known.user_id, password=mark(), **values(known))
    if taken(known):
        setattr(row, model.USERNAME_FIELD, apart(known.username, known.user_id))
    try:
        with transaction.atomic():  # pyright: ignore[reportGeneralTypeIssues]
            row.save(force_insert=True)
    except IntegrityError:
        # Another request was faster, or someone who has created an account in Django.
        row = model._default_manager.filter(pk=known.user_id).first()
        if row is None:
            raise
        updated(row, known)
    return row


def updated(row: Any, known: Identity) -> None:
    """Changes what differs in a row that is Wardroom's."""
    if not is_wardrooms(row):
        raise refused(row, known)
    model = get_user_model()
    differ = {name: value for name, value in values(known).items() if not same(getattr(row, name), value)}
    if model.USERNAME_FIELD in differ and taken(known):
        differ[model.USERNAME_FIELD] = apart(known.username, known.user_id)
        if row.get_username() == differ[model.USERNAME_FIELD]:
            del differ[model.USERNAME_FIELD]
    if model.USERNAME_FIELD in differ:
        logger.warning("the row of user %d was %r and is %r now", row.pk, row.get_username(), differ[model.USERNAME_FIELD])
    if not differ:
        return
    # With the mark that was read: the row may have become Django's meanwhile.
    if not model._default_manager.filter(pk=row.pk, password=row.password).update(**differ):
        raise refused(row, known)
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
