"""Generated from openapi.json by generate.py: do not edit."""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict


class AuditItem(TypedDict):
    """An event of the audit trail."""

    id: int
    at: str
    actor_kind: Literal["person", "operator", "anonymous"]
    actor_id: Optional[int]
    actor_name: str
    action: str
    object_kind: Literal["user", "group", "permission", "token", "directory"]
    object_id: Optional[int]
    object_name: str
    changes: dict[str, Any]
    address: Optional[str]
    request_id: Optional[str]
    hash: str


class AuditListing(TypedDict):
    """A page of the audit trail."""

    next: Optional[str]
    results: list[AuditItem]


class AuditVerification(TypedDict):
    """The result of verifying the audit trail."""

    good: int
    head: str
    broken_event: Optional[int]
    why: Optional[str]


class CallingToken(TypedDict):
    """The calling token, without its key."""

    id: int
    name: str
    kind: Literal["api", "sign_in", "imported", "browser"]
    expires_at: Optional[str]
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]


class CodeLeft(TypedDict):
    """The answer to a request for a code."""

    ttl: int


class CodeRequest(TypedDict, total=False):
    """What a code is asked for with: one of the two."""

    mobile_number: str
    email: str


class _CodeVerify(TypedDict):
    code: str


class CodeVerify(_CodeVerify, total=False):
    """A code, and what it was asked for with where that is needed."""

    mobile_number: str
    email: str


class DeletedGroupItem(TypedDict):
    """A group in the recycle bin."""

    id: int
    name: str
    users_count: int
    deleted_at: str
    deleted_by: str
    purge_at: str


class DeletedItem(TypedDict):
    """A user in the recycle bin."""

    id: int
    username: str
    email: Optional[str]
    deleted_at: str
    deleted_by: str
    purge_at: str


class Detail(TypedDict):
    """Any error that does not concern a field."""

    detail: str


class FailedAttempts(TypedDict):
    """The failed sign-ins that count against a user."""

    failed_attempts: list[FailedAttemptsItem]


class FailedAttemptsItem(TypedDict):
    """The failed sign-ins from one place."""

    network: Optional[str]
    failures: int
    blocked_until: Optional[str]

FieldErrors = dict[str, list[str]]


class _GroupCreate(TypedDict):
    name: str


class GroupCreate(_GroupCreate, total=False):
    """A new group."""

    notes: Optional[str]
    permissions: list[int]


class GroupItem(TypedDict):
    """A group."""

    id: int
    name: str
    notes: Optional[str]
    users_count: int
    created_at: str
    updated_at: str


class GroupMembers(TypedDict):
    """The users to add or remove."""

    users: list[int]


class GroupRecord(TypedDict):
    """A group with its permissions."""

    id: int
    name: str
    notes: Optional[str]
    users_count: int
    created_at: str
    updated_at: str
    permissions_data: list[PermissionItem]


class _GroupReplace(TypedDict):
    name: str


class GroupReplace(_GroupReplace, total=False):
    """A group as it becomes."""

    notes: Optional[str]
    permissions: list[int]


class GroupUpdate(TypedDict, total=False):
    """The fields of a group to change."""

    notes: Optional[str]
    permissions: list[int]
    name: str


class HolderListingGroupItem(TypedDict):
    """A page of those who have a permission."""

    next: Optional[str]
    results: list[GroupItem]


class HolderListingUserItem(TypedDict):
    """A page of those who have a permission."""

    next: Optional[str]
    results: list[UserItem]


class _Introspection(TypedDict):
    active: bool


class Introspection(_Introspection, total=False):
    """What is known of a key."""

    sub: str
    username: str
    token_type: str
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: str
    user_id: int
    email: Optional[str]
    groups: list[int]
    permissions: list[int]
    is_staff: bool
    is_admin: bool
    has_scopes: bool
    read_only: bool
    allowed_networks: Optional[list[str]]


class Invitation(TypedDict):
    """The last invitation of a user."""

    state: Literal["none", "pending", "used", "ended", "expired"]
    sent_at: Optional[str]
    expires_at: Optional[str]
    sent_by: Optional[str]


class IssuedToken(TypedDict):
    """A token just issued, with its key, which is shown only this once."""

    id: int
    name: str
    kind: Literal["api", "sign_in", "imported", "browser"]
    prefix: str
    last_four: str
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    last_used_at: Optional[str]
    made_by: Literal["sign_in", "token", "operator", "import", "unknown"]
    of_sign_in: bool
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]
    key: str

ItemErrors = dict[str, Any]


class LeakReport(TypedDict):
    """Keys that were found where they do not belong."""

    tokens: list[str]


class ListingDeletedGroupItem(TypedDict):
    """One page of a list."""

    count: Optional[int]
    next: Optional[str]
    previous: Optional[str]
    results: list[DeletedGroupItem]


class ListingDeletedItem(TypedDict):
    """One page of a list."""

    count: Optional[int]
    next: Optional[str]
    previous: Optional[str]
    results: list[DeletedItem]


class ListingGroupItem(TypedDict):
    """One page of a list."""

    count: Optional[int]
    next: Optional[str]
    previous: Optional[str]
    results: list[GroupItem]


class ListingOwnedTokenItem(TypedDict):
    """One page of a list."""

    count: Optional[int]
    next: Optional[str]
    previous: Optional[str]
    results: list[OwnedTokenItem]


class ListingUserItem(TypedDict):
    """One page of a list."""

    count: Optional[int]
    next: Optional[str]
    previous: Optional[str]
    results: list[UserItem]


class _Me(TypedDict):
    id: int
    username: str
    mobile_number: Optional[str]
    email: Optional[str]
    avatar: Optional[str]
    first_name: str
    last_name: str
    full_name: str
    gender: Optional[str]
    groups: list[int]
    last_login: Optional[str]
    created_at: str


class Me(_Me, total=False):
    """The currently authenticated user."""

    is_staff: bool
    is_admin: bool
    is_active: bool
    permissions: list[int]
    token: CallingToken


class MeUpdate(TypedDict, total=False):
    """The fields of their own record that users may change."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    avatar: Optional[str]
    username: str
    old_password: str


class MeUpdateForm(TypedDict, total=False):
    """The same fields as a form, with a new avatar."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    avatar: bytes
    username: str
    old_password: str


class OwnedTokenItem(TypedDict):
    """A token with its owner, without its key."""

    id: int
    name: str
    kind: Literal["api", "sign_in", "imported", "browser"]
    prefix: str
    last_four: str
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    last_used_at: Optional[str]
    made_by: Literal["sign_in", "token", "operator", "import", "unknown"]
    of_sign_in: bool
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]
    user_id: int
    username: Optional[str]


class _PasswordChange(TypedDict):
    old_password: str
    new_password: str


class PasswordChange(_PasswordChange, total=False):
    """The current password and the new one."""

    sign_out_others: bool


class PasswordForgot(TypedDict, total=False):
    """The account of a user who has forgotten the password: its email, or its username."""

    email: str
    username: str


class PasswordReset(TypedDict):
    """The key of a link, and the new password."""

    key: str
    password: str


class _PermissionCreate(TypedDict):
    name: str


class PermissionCreate(_PermissionCreate, total=False):
    """A new permission."""

    code: int


class PermissionDetail(TypedDict):
    """A permission, with the number of those who have it."""

    id: int
    code: int
    name: str
    users_count: int
    groups_count: int


class PermissionItem(TypedDict):
    """A permission."""

    id: int
    code: int
    name: str


class PermissionUpdate(TypedDict):
    """The new name of a permission."""

    name: str


class _Problem(TypedDict):
    type: str
    title: str
    status: int
    code: str


class Problem(_Problem, total=False):
    """An error in the shape of RFC 9457, for clients that send `Accept: application/problem+json`."""

    detail: Optional[str]
    errors: Optional[dict[str, Any]]


class RotatedToken(TypedDict):
    """A token that replaces another one, with its key, which is shown only this once."""

    id: int
    name: str
    kind: Literal["api", "sign_in", "imported", "browser"]
    prefix: str
    last_four: str
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    last_used_at: Optional[str]
    made_by: Literal["sign_in", "token", "operator", "import", "unknown"]
    of_sign_in: bool
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]
    key: str
    user_id: int


class SignIn(TypedDict):
    """Username and password."""

    username: str
    password: str


class SignOut(TypedDict, total=False):
    """The extent of a sign-out."""

    everywhere: bool


class SignedIn(TypedDict):
    """The key of a sign-in."""

    token: str


class SignedOut(TypedDict):
    """The result of a sign-out."""

    ended: int


class _TokenCreate(TypedDict):
    name: str


class TokenCreate(_TokenCreate, total=False):
    """A new token."""

    expires_at: Optional[str]
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]


class TokenFind(TypedDict):
    """A key whose token is wanted."""

    key: str


class _TokenIntrospect(TypedDict):
    token: str


class TokenIntrospect(_TokenIntrospect, total=False):
    """A key that a service was sent."""

    token_type_hint: str
    client_address: str


class TokenItem(TypedDict):
    """A token, without its key."""

    id: int
    name: str
    kind: Literal["api", "sign_in", "imported", "browser"]
    prefix: str
    last_four: str
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: Optional[str]
    revoked_at: Optional[str]
    last_used_at: Optional[str]
    made_by: Literal["sign_in", "token", "operator", "import", "unknown"]
    of_sign_in: bool
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]


class TokenRotate(TypedDict, total=False):
    """The parameters of a rotation."""

    overlap_seconds: int


class TokenUpdate(TypedDict, total=False):
    """The fields of a token to change."""

    name: str
    expires_at: Optional[str]
    scopes: Optional[list[str]]
    read_only: bool
    allowed_networks: Optional[list[str]]


class Unlocked(TypedDict):
    """The result of an unlock."""

    failed_attempts: int


class UserBulkCreate(TypedDict):
    """Users to create."""

    users: list[UserBulkCreateItem]


class _UserBulkCreateItem(TypedDict):
    username: str


class UserBulkCreateItem(_UserBulkCreateItem, total=False):
    """A new user among many: it has no password."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]


class UserBulkDelete(TypedDict):
    """Users to delete."""

    users: list[int]


class UserBulkUpdate(TypedDict):
    """Users to change."""

    users: list[UserBulkUpdateItem]


class _UserBulkUpdateItem(TypedDict):
    id: int


class UserBulkUpdateItem(_UserBulkUpdateItem, total=False):
    """A user with the fields to change."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    username: str
    sign_out: bool


class _UserCreate(TypedDict):
    username: str


class UserCreate(_UserCreate, total=False):
    """A new user."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    avatar: Optional[str]
    invite: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    password: str


class _UserCreateForm(TypedDict):
    username: str


class UserCreateForm(_UserCreateForm, total=False):
    """A new user as a form, with an avatar."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    invite: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    avatar: bytes
    password: str


class UserItem(TypedDict):
    """A user in a list."""

    id: int
    username: str
    mobile_number: Optional[str]
    email: Optional[str]
    avatar: Optional[str]
    first_name: str
    last_name: str
    full_name: str
    gender: Optional[str]
    groups: list[int]
    last_login: Optional[str]
    created_at: str
    is_active: bool
    is_staff: bool
    is_admin: bool
    is_online: bool
    updated_at: str


class UserItems(TypedDict):
    """The users of one request, in its order."""

    users: list[UserItem]


class UserRecord(TypedDict):
    """A user with groups and permissions."""

    id: int
    username: str
    mobile_number: Optional[str]
    email: Optional[str]
    avatar: Optional[str]
    first_name: str
    last_name: str
    full_name: str
    gender: Optional[str]
    groups: list[int]
    last_login: Optional[str]
    created_at: str
    is_active: bool
    is_staff: bool
    is_admin: bool
    is_online: bool
    updated_at: str
    groups_data: list[GroupItem]
    permissions_data: list[PermissionItem]
    effective_permissions_data: list[PermissionItem]


class _UserReplace(TypedDict):
    username: str


class UserReplace(_UserReplace, total=False):
    """A user as it becomes."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    avatar: Optional[str]
    password: str
    old_password: str
    sign_out: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]


class _UserReplaceForm(TypedDict):
    username: str


class UserReplaceForm(_UserReplaceForm, total=False):
    """A user as it becomes, as a form with a new avatar."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    password: str
    old_password: str
    sign_out: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    avatar: bytes


class UserUpdate(TypedDict, total=False):
    """The fields of a user to change."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    avatar: Optional[str]
    password: str
    old_password: str
    sign_out: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    username: str


class UserUpdateForm(TypedDict, total=False):
    """The fields of a user to change as a form, with a new avatar."""

    mobile_number: Optional[str]
    email: Optional[str]
    first_name: str
    last_name: str
    gender: Optional[Literal["male", "female", "non-binary", "other", ""]]
    password: str
    old_password: str
    sign_out: bool
    is_active: bool
    is_staff: bool
    is_admin: bool
    groups: list[int]
    permissions: list[int]
    avatar: bytes
    username: str
