"""Generated from openapi.json by generate.py: do not edit."""

from __future__ import annotations

from typing import Any, Iterator, Literal, Optional

from . import types
from .surface import File, Picture, Stream, Surface, segment


class Operations(Surface):
    """Every operation of the API, as a method with its name in openapi.json."""

    def auth_forward(
        self,
        rule: str,
    ) -> None:
        """Authenticate for a Proxy."""
        self._call(
            "GET",
            f"/api/auth/forward/{segment(rule)}",
        )

    def auth_introspect(
        self,
        form: types.TokenIntrospect,
    ) -> types.Introspection:
        """Introspect Token."""
        made: types.Introspection = self._call(
            "POST",
            "/api/auth/introspect",
            form=form,
        )
        return made

    def users_list(
        self,
        *,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        cursor: Optional[str] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        updated_date: Optional[str] = None,
        updated_from: Optional[str] = None,
        updated_to: Optional[str] = None,
        ordering: Optional[str] = None,
        last_login_date: Optional[str] = None,
        last_login_from: Optional[str] = None,
        last_login_to: Optional[str] = None,
        has_email: Optional[bool] = None,
        has_avatar: Optional[bool] = None,
        has_phone: Optional[bool] = None,
        has_token: Optional[bool] = None,
        has_first_name: Optional[bool] = None,
        has_last_name: Optional[bool] = None,
        has_groups: Optional[bool] = None,
        is_active: Optional[bool] = None,
        is_staff: Optional[bool] = None,
        is_admin: Optional[bool] = None,
        is_online: Optional[bool] = None,
        username: Optional[str] = None,
        email: Optional[str] = None,
        mobile_number: Optional[str] = None,
        gender: Optional[Literal["male", "female", "non-binary", "other"]] = None,
        group_id: Optional[int] = None,
        groups_in: Optional[str] = None,
    ) -> types.ListingUserItem:
        """List Users."""
        made: types.ListingUserItem = self._call(
            "GET",
            "/api/users",
            query={
                "search": search,
                "limit": limit,
                "offset": offset,
                "cursor": cursor,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "updated_date": updated_date,
                "updated_from": updated_from,
                "updated_to": updated_to,
                "ordering": ordering,
                "last_login_date": last_login_date,
                "last_login_from": last_login_from,
                "last_login_to": last_login_to,
                "has_email": has_email,
                "has_avatar": has_avatar,
                "has_phone": has_phone,
                "has_token": has_token,
                "has_first_name": has_first_name,
                "has_last_name": has_last_name,
                "has_groups": has_groups,
                "is_active": is_active,
                "is_staff": is_staff,
                "is_admin": is_admin,
                "is_online": is_online,
                "username": username,
                "email": email,
                "mobile_number": mobile_number,
                "gender": gender,
                "group_id": group_id,
                "groups_in": groups_in,
            },
        )
        return made

    def users_iterate(
        self,
        *,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        updated_date: Optional[str] = None,
        updated_from: Optional[str] = None,
        updated_to: Optional[str] = None,
        ordering: Optional[str] = None,
        last_login_date: Optional[str] = None,
        last_login_from: Optional[str] = None,
        last_login_to: Optional[str] = None,
        has_email: Optional[bool] = None,
        has_avatar: Optional[bool] = None,
        has_phone: Optional[bool] = None,
        has_token: Optional[bool] = None,
        has_first_name: Optional[bool] = None,
        has_last_name: Optional[bool] = None,
        has_groups: Optional[bool] = None,
        is_active: Optional[bool] = None,
        is_staff: Optional[bool] = None,
        is_admin: Optional[bool] = None,
        is_online: Optional[bool] = None,
        username: Optional[str] = None,
        email: Optional[str] = None,
        mobile_number: Optional[str] = None,
        gender: Optional[Literal["male", "female", "non-binary", "other"]] = None,
        group_id: Optional[int] = None,
        groups_in: Optional[str] = None,
    ) -> Iterator[types.UserItem]:
        """List Users: every row of every page."""
        made: Iterator[types.UserItem] = self._pages(
            "cursor",
            "/api/users",
            query={
                "search": search,
                "limit": limit,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "updated_date": updated_date,
                "updated_from": updated_from,
                "updated_to": updated_to,
                "ordering": ordering,
                "last_login_date": last_login_date,
                "last_login_from": last_login_from,
                "last_login_to": last_login_to,
                "has_email": has_email,
                "has_avatar": has_avatar,
                "has_phone": has_phone,
                "has_token": has_token,
                "has_first_name": has_first_name,
                "has_last_name": has_last_name,
                "has_groups": has_groups,
                "is_active": is_active,
                "is_staff": is_staff,
                "is_admin": is_admin,
                "is_online": is_online,
                "username": username,
                "email": email,
                "mobile_number": mobile_number,
                "gender": gender,
                "group_id": group_id,
                "groups_in": groups_in,
            },
        )
        return made

    def users_create(
        self,
        body: types.UserCreate,
        *,
        avatar: Optional[File] = None,
    ) -> types.UserRecord:
        """Create User."""
        made: types.UserRecord = self._call(
            "POST",
            "/api/users",
            body=body,
            avatar=avatar,
        )
        return made

    def audit_list(
        self,
        *,
        action: Optional[str] = None,
        actor_id: Optional[int] = None,
        actor_name: Optional[str] = None,
        object_kind: Optional[Literal["user", "group", "permission", "token", "directory"]] = None,
        object_id: Optional[int] = None,
        object_name: Optional[str] = None,
        address: Optional[str] = None,
        from_: Optional[str] = None,
        to: Optional[str] = None,
        limit: Optional[int] = None,
        before: Optional[int] = None,
    ) -> types.AuditListing:
        """List Audit Events."""
        made: types.AuditListing = self._call(
            "GET",
            "/api/users/audit",
            query={
                "action": action,
                "actor_id": actor_id,
                "actor_name": actor_name,
                "object_kind": object_kind,
                "object_id": object_id,
                "object_name": object_name,
                "address": address,
                "from": from_,
                "to": to,
                "limit": limit,
                "before": before,
            },
        )
        return made

    def audit_iterate(
        self,
        *,
        action: Optional[str] = None,
        actor_id: Optional[int] = None,
        actor_name: Optional[str] = None,
        object_kind: Optional[Literal["user", "group", "permission", "token", "directory"]] = None,
        object_id: Optional[int] = None,
        object_name: Optional[str] = None,
        address: Optional[str] = None,
        from_: Optional[str] = None,
        to: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> Iterator[types.AuditItem]:
        """List Audit Events: every row of every page."""
        made: Iterator[types.AuditItem] = self._pages(
            "before",
            "/api/users/audit",
            query={
                "action": action,
                "actor_id": actor_id,
                "actor_name": actor_name,
                "object_kind": object_kind,
                "object_id": object_id,
                "object_name": object_name,
                "address": address,
                "from": from_,
                "to": to,
                "limit": limit,
            },
        )
        return made

    def audit_export(
        self,
        *,
        action: Optional[str] = None,
        actor_id: Optional[int] = None,
        actor_name: Optional[str] = None,
        object_kind: Optional[Literal["user", "group", "permission", "token", "directory"]] = None,
        object_id: Optional[int] = None,
        object_name: Optional[str] = None,
        address: Optional[str] = None,
        from_: Optional[str] = None,
        to: Optional[str] = None,
        after: Optional[int] = None,
    ) -> Stream[types.AuditItem]:
        """Export Audit Events."""
        made: Stream[types.AuditItem] = self._stream(
            "GET",
            "/api/users/audit/export",
            query={
                "action": action,
                "actor_id": actor_id,
                "actor_name": actor_name,
                "object_kind": object_kind,
                "object_id": object_id,
                "object_name": object_name,
                "address": address,
                "from": from_,
                "to": to,
                "after": after,
            },
        )
        return made

    def audit_verify(
        self,
        *,
        expect_head: Optional[str] = None,
    ) -> types.AuditVerification:
        """Verify Audit Trail."""
        made: types.AuditVerification = self._call(
            "GET",
            "/api/users/audit/verify",
            query={
                "expect_head": expect_head,
            },
        )
        return made

    def auth_leaked(
        self,
        body: types.LeakReport,
    ) -> None:
        """Report Leaked Keys."""
        self._call(
            "POST",
            "/api/users/auth/leaked",
            body=body,
        )

    def auth_code_request(
        self,
        body: Optional[types.CodeRequest] = None,
    ) -> types.CodeLeft:
        """Ask for a One-Time Code."""
        made: types.CodeLeft = self._call(
            "POST",
            "/api/users/auth/otp/signin",
            body=body,
        )
        return made

    def auth_code_verify(
        self,
        body: types.CodeVerify,
    ) -> types.SignedIn:
        """Sign In with a One-Time Code."""
        made: types.SignedIn = self._call(
            "POST",
            "/api/users/auth/otp/verify",
            body=body,
        )
        return made

    def auth_password_forgot(
        self,
        body: Optional[types.PasswordForgot] = None,
    ) -> None:
        """Ask For A Link."""
        self._call(
            "POST",
            "/api/users/auth/pwd/forgot",
            body=body,
        )

    def auth_password_reset(
        self,
        body: types.PasswordReset,
    ) -> None:
        """Set A Password By A Link."""
        self._call(
            "POST",
            "/api/users/auth/pwd/reset",
            body=body,
        )

    def auth_password_sign_in(
        self,
        body: types.SignIn,
    ) -> types.SignedIn:
        """Sign In."""
        made: types.SignedIn = self._call(
            "POST",
            "/api/users/auth/pwd/signin",
            body=body,
        )
        return made

    def auth_sign_out(
        self,
        body: Optional[types.SignOut] = None,
    ) -> None:
        """Sign Out."""
        self._call(
            "POST",
            "/api/users/auth/signout",
            body=body,
        )

    def users_bulk_create(
        self,
        body: types.UserBulkCreate,
    ) -> types.UserItems:
        """Create Users."""
        made: types.UserItems = self._call(
            "POST",
            "/api/users/bulk",
            body=body,
        )
        return made

    def users_bulk_destroy(
        self,
        body: types.UserBulkDelete,
    ) -> None:
        """Delete Users."""
        self._call(
            "DELETE",
            "/api/users/bulk",
            body=body,
        )

    def users_bulk_update(
        self,
        body: types.UserBulkUpdate,
    ) -> types.UserItems:
        """Change Users."""
        made: types.UserItems = self._call(
            "PATCH",
            "/api/users/bulk",
            body=body,
        )
        return made

    def users_deleted_list(
        self,
        *,
        search: Optional[str] = None,
        ordering: Optional[str] = None,
        fields: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        cursor: Optional[str] = None,
        count: Optional[Literal["none"]] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        deleted_date: Optional[str] = None,
        deleted_from: Optional[str] = None,
        deleted_to: Optional[str] = None,
    ) -> types.ListingDeletedItem:
        """List Deleted Users."""
        made: types.ListingDeletedItem = self._call(
            "GET",
            "/api/users/deleted",
            query={
                "search": search,
                "ordering": ordering,
                "fields": fields,
                "limit": limit,
                "offset": offset,
                "cursor": cursor,
                "count": count,
                "id_min": id_min,
                "id_max": id_max,
                "deleted_date": deleted_date,
                "deleted_from": deleted_from,
                "deleted_to": deleted_to,
            },
        )
        return made

    def users_deleted_iterate(
        self,
        *,
        search: Optional[str] = None,
        ordering: Optional[str] = None,
        fields: Optional[str] = None,
        limit: Optional[int] = None,
        count: Optional[Literal["none"]] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        deleted_date: Optional[str] = None,
        deleted_from: Optional[str] = None,
        deleted_to: Optional[str] = None,
    ) -> Iterator[types.DeletedItem]:
        """List Deleted Users: every row of every page."""
        made: Iterator[types.DeletedItem] = self._pages(
            "cursor",
            "/api/users/deleted",
            query={
                "search": search,
                "ordering": ordering,
                "fields": fields,
                "limit": limit,
                "count": count,
                "id_min": id_min,
                "id_max": id_max,
                "deleted_date": deleted_date,
                "deleted_from": deleted_from,
                "deleted_to": deleted_to,
            },
        )
        return made

    def users_deleted_purge(
        self,
        id: int,
    ) -> None:
        """Purge User."""
        self._call(
            "DELETE",
            f"/api/users/deleted/{segment(id)}",
        )

    def users_deleted_restore(
        self,
        id: int,
    ) -> types.UserRecord:
        """Restore User."""
        made: types.UserRecord = self._call(
            "POST",
            f"/api/users/deleted/{segment(id)}/restore",
        )
        return made

    def groups_list(
        self,
        *,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        cursor: Optional[str] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        updated_date: Optional[str] = None,
        updated_from: Optional[str] = None,
        updated_to: Optional[str] = None,
        ordering: Optional[str] = None,
        users_count_min: Optional[int] = None,
        users_count_max: Optional[int] = None,
    ) -> types.ListingGroupItem:
        """List Groups."""
        made: types.ListingGroupItem = self._call(
            "GET",
            "/api/users/groups",
            query={
                "search": search,
                "limit": limit,
                "offset": offset,
                "cursor": cursor,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "updated_date": updated_date,
                "updated_from": updated_from,
                "updated_to": updated_to,
                "ordering": ordering,
                "users_count_min": users_count_min,
                "users_count_max": users_count_max,
            },
        )
        return made

    def groups_iterate(
        self,
        *,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        updated_date: Optional[str] = None,
        updated_from: Optional[str] = None,
        updated_to: Optional[str] = None,
        ordering: Optional[str] = None,
        users_count_min: Optional[int] = None,
        users_count_max: Optional[int] = None,
    ) -> Iterator[types.GroupItem]:
        """List Groups: every row of every page."""
        made: Iterator[types.GroupItem] = self._pages(
            "cursor",
            "/api/users/groups",
            query={
                "search": search,
                "limit": limit,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "updated_date": updated_date,
                "updated_from": updated_from,
                "updated_to": updated_to,
                "ordering": ordering,
                "users_count_min": users_count_min,
                "users_count_max": users_count_max,
            },
        )
        return made

    def groups_create(
        self,
        body: types.GroupCreate,
    ) -> types.GroupItem:
        """Create Group."""
        made: types.GroupItem = self._call(
            "POST",
            "/api/users/groups",
            body=body,
        )
        return made

    def groups_deleted_list(
        self,
        *,
        search: Optional[str] = None,
        ordering: Optional[str] = None,
        fields: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        cursor: Optional[str] = None,
        count: Optional[Literal["none"]] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        deleted_date: Optional[str] = None,
        deleted_from: Optional[str] = None,
        deleted_to: Optional[str] = None,
    ) -> types.ListingDeletedGroupItem:
        """List Deleted Groups."""
        made: types.ListingDeletedGroupItem = self._call(
            "GET",
            "/api/users/groups/deleted",
            query={
                "search": search,
                "ordering": ordering,
                "fields": fields,
                "limit": limit,
                "offset": offset,
                "cursor": cursor,
                "count": count,
                "id_min": id_min,
                "id_max": id_max,
                "deleted_date": deleted_date,
                "deleted_from": deleted_from,
                "deleted_to": deleted_to,
            },
        )
        return made

    def groups_deleted_iterate(
        self,
        *,
        search: Optional[str] = None,
        ordering: Optional[str] = None,
        fields: Optional[str] = None,
        limit: Optional[int] = None,
        count: Optional[Literal["none"]] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        deleted_date: Optional[str] = None,
        deleted_from: Optional[str] = None,
        deleted_to: Optional[str] = None,
    ) -> Iterator[types.DeletedGroupItem]:
        """List Deleted Groups: every row of every page."""
        made: Iterator[types.DeletedGroupItem] = self._pages(
            "cursor",
            "/api/users/groups/deleted",
            query={
                "search": search,
                "ordering": ordering,
                "fields": fields,
                "limit": limit,
                "count": count,
                "id_min": id_min,
                "id_max": id_max,
                "deleted_date": deleted_date,
                "deleted_from": deleted_from,
                "deleted_to": deleted_to,
            },
        )
        return made

    def groups_deleted_purge(
        self,
        id: int,
    ) -> None:
        """Purge Group."""
        self._call(
            "DELETE",
            f"/api/users/groups/deleted/{segment(id)}",
        )

    def groups_deleted_restore(
        self,
        id: int,
    ) -> types.GroupItem:
        """Restore Group."""
        made: types.GroupItem = self._call(
            "POST",
            f"/api/users/groups/deleted/{segment(id)}/restore",
        )
        return made

    def groups_retrieve(
        self,
        id: int,
    ) -> types.GroupRecord:
        """Retrieve Group."""
        made: types.GroupRecord = self._call(
            "GET",
            f"/api/users/groups/{segment(id)}",
        )
        return made

    def groups_replace(
        self,
        id: int,
        body: types.GroupReplace,
        *,
        if_match: Optional[str] = None,
    ) -> types.GroupItem:
        """Replace Group."""
        made: types.GroupItem = self._call(
            "PUT",
            f"/api/users/groups/{segment(id)}",
            body=body,
            if_match=if_match,
        )
        return made

    def groups_destroy(
        self,
        id: int,
        *,
        if_match: Optional[str] = None,
    ) -> None:
        """Delete Group."""
        self._call(
            "DELETE",
            f"/api/users/groups/{segment(id)}",
            if_match=if_match,
        )

    def groups_update(
        self,
        id: int,
        body: Optional[types.GroupUpdate] = None,
        *,
        if_match: Optional[str] = None,
    ) -> types.GroupItem:
        """Change Group."""
        made: types.GroupItem = self._call(
            "PATCH",
            f"/api/users/groups/{segment(id)}",
            body=body,
            if_match=if_match,
        )
        return made

    def groups_members_add(
        self,
        id: int,
        body: types.GroupMembers,
    ) -> types.GroupItem:
        """Add Members."""
        made: types.GroupItem = self._call(
            "POST",
            f"/api/users/groups/{segment(id)}/members",
            body=body,
        )
        return made

    def groups_members_remove(
        self,
        id: int,
        body: types.GroupMembers,
    ) -> types.GroupItem:
        """Remove Members."""
        made: types.GroupItem = self._call(
            "DELETE",
            f"/api/users/groups/{segment(id)}/members",
            body=body,
        )
        return made

    def users_me_retrieve(
        self,
        *,
        fields: Optional[str] = None,
    ) -> types.Me:
        """Retrieve Me."""
        made: types.Me = self._call(
            "GET",
            "/api/users/me",
            query={
                "fields": fields,
            },
        )
        return made

    def users_me_update(
        self,
        body: Optional[types.MeUpdate] = None,
        *,
        avatar: Optional[File] = None,
    ) -> types.Me:
        """Change Me."""
        made: types.Me = self._call(
            "PATCH",
            "/api/users/me",
            body=body,
            avatar=avatar,
        )
        return made

    def users_me_avatar(
        self,
        *,
        size: Optional[int] = None,
    ) -> Picture:
        """Retrieve My Avatar."""
        made: Picture = self._picture(
            "GET",
            "/api/users/me/avatar",
            query={
                "size": size,
            },
        )
        return made

    def users_me_password(
        self,
        body: types.PasswordChange,
    ) -> None:
        """Change My Password."""
        self._call(
            "POST",
            "/api/users/me/password",
            body=body,
        )

    def users_me_sign_out(
        self,
    ) -> types.SignedOut:
        """Sign Me Out."""
        made: types.SignedOut = self._call(
            "POST",
            "/api/users/me/sign-out",
        )
        return made

    def me_tokens_list(
        self,
    ) -> list[types.TokenItem]:
        """List Tokens of Mine."""
        made: list[types.TokenItem] = self._call(
            "GET",
            "/api/users/me/tokens",
        )
        return made

    def me_tokens_create(
        self,
        body: types.TokenCreate,
    ) -> types.IssuedToken:
        """Create Token of Mine."""
        made: types.IssuedToken = self._call(
            "POST",
            "/api/users/me/tokens",
            body=body,
        )
        return made

    def me_tokens_revoke(
        self,
        token: int,
    ) -> None:
        """Revoke Token of Mine."""
        self._call(
            "DELETE",
            f"/api/users/me/tokens/{segment(token)}",
        )

    def me_tokens_update(
        self,
        token: int,
        body: Optional[types.TokenUpdate] = None,
    ) -> types.TokenItem:
        """Change Token of Mine."""
        made: types.TokenItem = self._call(
            "PATCH",
            f"/api/users/me/tokens/{segment(token)}",
            body=body,
        )
        return made

    def me_tokens_rotate(
        self,
        token: int,
        body: Optional[types.TokenRotate] = None,
    ) -> types.IssuedToken:
        """Rotate Token of Mine."""
        made: types.IssuedToken = self._call(
            "POST",
            f"/api/users/me/tokens/{segment(token)}/rotate",
            body=body,
        )
        return made

    def permissions_list(
        self,
        *,
        search: Optional[str] = None,
        ordering: Optional[str] = None,
    ) -> list[types.PermissionItem]:
        """List Permissions."""
        made: list[types.PermissionItem] = self._call(
            "GET",
            "/api/users/permissions",
            query={
                "search": search,
                "ordering": ordering,
            },
        )
        return made

    def permissions_create(
        self,
        body: types.PermissionCreate,
    ) -> types.PermissionItem:
        """Create Permission."""
        made: types.PermissionItem = self._call(
            "POST",
            "/api/users/permissions",
            body=body,
        )
        return made

    def permissions_retrieve(
        self,
        id: int,
    ) -> types.PermissionDetail:
        """Retrieve Permission."""
        made: types.PermissionDetail = self._call(
            "GET",
            f"/api/users/permissions/{segment(id)}",
        )
        return made

    def permissions_destroy(
        self,
        id: int,
    ) -> None:
        """Remove Permission."""
        self._call(
            "DELETE",
            f"/api/users/permissions/{segment(id)}",
        )

    def permissions_update(
        self,
        id: int,
        body: types.PermissionUpdate,
    ) -> types.PermissionItem:
        """Rename Permission."""
        made: types.PermissionItem = self._call(
            "PATCH",
            f"/api/users/permissions/{segment(id)}",
            body=body,
        )
        return made

    def permissions_groups(
        self,
        id: int,
        *,
        limit: Optional[int] = None,
        after: Optional[int] = None,
    ) -> types.HolderListingGroupItem:
        """List Groups of a Permission."""
        made: types.HolderListingGroupItem = self._call(
            "GET",
            f"/api/users/permissions/{segment(id)}/groups",
            query={
                "limit": limit,
                "after": after,
            },
        )
        return made

    def permissions_users(
        self,
        id: int,
        *,
        limit: Optional[int] = None,
        after: Optional[int] = None,
    ) -> types.HolderListingUserItem:
        """List Users of a Permission."""
        made: types.HolderListingUserItem = self._call(
            "GET",
            f"/api/users/permissions/{segment(id)}/users",
            query={
                "limit": limit,
                "after": after,
            },
        )
        return made

    def tokens_list(
        self,
        *,
        ordering: Optional[str] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        cursor: Optional[str] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        user_id: Optional[int] = None,
        name: Optional[str] = None,
        key: Optional[str] = None,
        state: Optional[Literal["active", "expired", "revoked"]] = None,
        kind: Optional[Literal["api", "sign_in", "imported", "browser"]] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        expires_date: Optional[str] = None,
        expires_from: Optional[str] = None,
        expires_to: Optional[str] = None,
        last_used_date: Optional[str] = None,
        last_used_from: Optional[str] = None,
        last_used_to: Optional[str] = None,
        has_expiry: Optional[bool] = None,
        is_used: Optional[bool] = None,
        unused_since: Optional[str] = None,
        scope: Optional[str] = None,
        has_scopes: Optional[bool] = None,
        read_only: Optional[bool] = None,
        network: Optional[str] = None,
        has_networks: Optional[bool] = None,
    ) -> types.ListingOwnedTokenItem:
        """List Tokens of All Users."""
        made: types.ListingOwnedTokenItem = self._call(
            "GET",
            "/api/users/tokens",
            query={
                "ordering": ordering,
                "limit": limit,
                "offset": offset,
                "cursor": cursor,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "user_id": user_id,
                "name": name,
                "key": key,
                "state": state,
                "kind": kind,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "expires_date": expires_date,
                "expires_from": expires_from,
                "expires_to": expires_to,
                "last_used_date": last_used_date,
                "last_used_from": last_used_from,
                "last_used_to": last_used_to,
                "has_expiry": has_expiry,
                "is_used": is_used,
                "unused_since": unused_since,
                "scope": scope,
                "has_scopes": has_scopes,
                "read_only": read_only,
                "network": network,
                "has_networks": has_networks,
            },
        )
        return made

    def tokens_iterate(
        self,
        *,
        ordering: Optional[str] = None,
        limit: Optional[int] = None,
        count: Optional[Literal["none"]] = None,
        fields: Optional[str] = None,
        id_min: Optional[int] = None,
        id_max: Optional[int] = None,
        user_id: Optional[int] = None,
        name: Optional[str] = None,
        key: Optional[str] = None,
        state: Optional[Literal["active", "expired", "revoked"]] = None,
        kind: Optional[Literal["api", "sign_in", "imported", "browser"]] = None,
        created_date: Optional[str] = None,
        created_from: Optional[str] = None,
        created_to: Optional[str] = None,
        expires_date: Optional[str] = None,
        expires_from: Optional[str] = None,
        expires_to: Optional[str] = None,
        last_used_date: Optional[str] = None,
        last_used_from: Optional[str] = None,
        last_used_to: Optional[str] = None,
        has_expiry: Optional[bool] = None,
        is_used: Optional[bool] = None,
        unused_since: Optional[str] = None,
        scope: Optional[str] = None,
        has_scopes: Optional[bool] = None,
        read_only: Optional[bool] = None,
        network: Optional[str] = None,
        has_networks: Optional[bool] = None,
    ) -> Iterator[types.OwnedTokenItem]:
        """List Tokens of All Users: every row of every page."""
        made: Iterator[types.OwnedTokenItem] = self._pages(
            "cursor",
            "/api/users/tokens",
            query={
                "ordering": ordering,
                "limit": limit,
                "count": count,
                "fields": fields,
                "id_min": id_min,
                "id_max": id_max,
                "user_id": user_id,
                "name": name,
                "key": key,
                "state": state,
                "kind": kind,
                "created_date": created_date,
                "created_from": created_from,
                "created_to": created_to,
                "expires_date": expires_date,
                "expires_from": expires_from,
                "expires_to": expires_to,
                "last_used_date": last_used_date,
                "last_used_from": last_used_from,
                "last_used_to": last_used_to,
                "has_expiry": has_expiry,
                "is_used": is_used,
                "unused_since": unused_since,
                "scope": scope,
                "has_scopes": has_scopes,
                "read_only": read_only,
                "network": network,
                "has_networks": has_networks,
            },
        )
        return made

    def tokens_find(
        self,
        body: types.TokenFind,
    ) -> types.OwnedTokenItem:
        """Find Token by Key."""
        made: types.OwnedTokenItem = self._call(
            "POST",
            "/api/users/tokens/find",
            body=body,
        )
        return made

    def tokens_retrieve(
        self,
        token: int,
    ) -> types.OwnedTokenItem:
        """Retrieve Token of Any User."""
        made: types.OwnedTokenItem = self._call(
            "GET",
            f"/api/users/tokens/{segment(token)}",
        )
        return made

    def tokens_revoke(
        self,
        token: int,
    ) -> None:
        """Revoke Token of Any User."""
        self._call(
            "DELETE",
            f"/api/users/tokens/{segment(token)}",
        )

    def tokens_update(
        self,
        token: int,
        body: Optional[types.TokenUpdate] = None,
    ) -> types.TokenItem:
        """Change Token of Any User."""
        made: types.TokenItem = self._call(
            "PATCH",
            f"/api/users/tokens/{segment(token)}",
            body=body,
        )
        return made

    def tokens_rotate(
        self,
        token: int,
        body: Optional[types.TokenRotate] = None,
    ) -> types.RotatedToken:
        """Rotate Token of Any User."""
        made: types.RotatedToken = self._call(
            "POST",
            f"/api/users/tokens/{segment(token)}/rotate",
            body=body,
        )
        return made

    def users_retrieve(
        self,
        id: int,
    ) -> types.UserRecord:
        """Retrieve User."""
        made: types.UserRecord = self._call(
            "GET",
            f"/api/users/{segment(id)}",
        )
        return made

    def users_replace(
        self,
        id: int,
        body: types.UserReplace,
        *,
        avatar: Optional[File] = None,
        if_match: Optional[str] = None,
    ) -> types.UserRecord:
        """Replace User."""
        made: types.UserRecord = self._call(
            "PUT",
            f"/api/users/{segment(id)}",
            body=body,
            avatar=avatar,
            if_match=if_match,
        )
        return made

    def users_destroy(
        self,
        id: int,
        *,
        if_match: Optional[str] = None,
    ) -> None:
        """Delete User."""
        self._call(
            "DELETE",
            f"/api/users/{segment(id)}",
            if_match=if_match,
        )

    def users_update(
        self,
        id: int,
        body: Optional[types.UserUpdate] = None,
        *,
        avatar: Optional[File] = None,
        if_match: Optional[str] = None,
    ) -> types.UserRecord:
        """Change User."""
        made: types.UserRecord = self._call(
            "PATCH",
            f"/api/users/{segment(id)}",
            body=body,
            avatar=avatar,
            if_match=if_match,
        )
        return made

    def users_avatar(
        self,
        id: int,
        *,
        size: Optional[int] = None,
    ) -> Picture:
        """Retrieve Avatar."""
        made: Picture = self._picture(
            "GET",
            f"/api/users/{segment(id)}/avatar",
            query={
                "size": size,
            },
        )
        return made

    def users_failed_attempts(
        self,
        id: int,
    ) -> types.FailedAttempts:
        """List Failed Attempts."""
        made: types.FailedAttempts = self._call(
            "GET",
            f"/api/users/{segment(id)}/failed-attempts",
        )
        return made

    def users_invitation(
        self,
        id: int,
    ) -> types.Invitation:
        """Retrieve Invitation."""
        made: types.Invitation = self._call(
            "GET",
            f"/api/users/{segment(id)}/invitation",
        )
        return made

    def users_invite(
        self,
        id: int,
    ) -> types.Invitation:
        """Send Invitation."""
        made: types.Invitation = self._call(
            "POST",
            f"/api/users/{segment(id)}/invitation",
        )
        return made

    def users_uninvite(
        self,
        id: int,
    ) -> None:
        """Revoke Invitation."""
        self._call(
            "DELETE",
            f"/api/users/{segment(id)}/invitation",
        )

    def users_sign_out(
        self,
        id: int,
    ) -> types.SignedOut:
        """Sign User Out."""
        made: types.SignedOut = self._call(
            "POST",
            f"/api/users/{segment(id)}/sign-out",
        )
        return made

    def users_tokens_list(
        self,
        id: int,
    ) -> list[types.TokenItem]:
        """List Tokens."""
        made: list[types.TokenItem] = self._call(
            "GET",
            f"/api/users/{segment(id)}/tokens",
        )
        return made

    def users_tokens_create(
        self,
        id: int,
        body: types.TokenCreate,
    ) -> types.IssuedToken:
        """Create Token."""
        made: types.IssuedToken = self._call(
            "POST",
            f"/api/users/{segment(id)}/tokens",
            body=body,
        )
        return made

    def users_tokens_revoke(
        self,
        id: int,
        token: int,
    ) -> None:
        """Revoke Token."""
        self._call(
            "DELETE",
            f"/api/users/{segment(id)}/tokens/{segment(token)}",
        )

    def users_tokens_update(
        self,
        id: int,
        token: int,
        body: Optional[types.TokenUpdate] = None,
    ) -> types.TokenItem:
        """Change Token."""
        made: types.TokenItem = self._call(
            "PATCH",
            f"/api/users/{segment(id)}/tokens/{segment(token)}",
            body=body,
        )
        return made

    def users_tokens_rotate(
        self,
        id: int,
        token: int,
        body: Optional[types.TokenRotate] = None,
    ) -> types.IssuedToken:
        """Rotate Token."""
        made: types.IssuedToken = self._call(
            "POST",
            f"/api/users/{segment(id)}/tokens/{segment(token)}/rotate",
            body=body,
        )
        return made

    def users_unlock(
        self,
        id: int,
    ) -> types.Unlocked:
        """Unlock User."""
        made: types.Unlocked = self._call(
            "POST",
            f"/api/users/{segment(id)}/unlock",
        )
        return made
