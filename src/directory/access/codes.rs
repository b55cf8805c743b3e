//! The permission that each action needs: the only source file with permission codes.

/// An action that needs a permission. As a type it can be named by an extractor, without the objects of an
/// [`Action`](super::Action).
pub trait NeedsPermission {
    /// The code of the permission.
    const CODE: i64;
}

/// A built-in permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInPermission {
    /// Its code.
    pub code: i64,
    /// Its name, which is also the name of its scope.
    pub name: &'static str,
    /// What it allows.
    pub allows: &'static str,
}

macro_rules! permissions {
    ($($code:literal $name:ident $allows:literal: $($action:ident),+;)+) => {
        /// Every built-in permission, ordered by code.
        pub const BUILT_IN: &[BuiltInPermission] =
            &[$(BuiltInPermission { code: $code, name: stringify!($name), allows: $allows }),+];

        $($(
            #[doc = concat!("The action of this name; it needs permission ", stringify!($code), ".")]
            #[derive(Clone, Copy, Debug)]
            pub struct $action;

            impl NeedsPermission for $action {
                const CODE: i64 = $code;
            }
        )+)+
    };
}

permissions! {
    1201 group_create "create groups": CreateGroup;
    1202 group_read "read groups": ReadGroups;
    1203 group_update "change groups and their members": UpdateGroup, ChangeMembers;
    1204 group_delete "delete groups; read, restore and purge deleted ones": DeleteGroup, RestoreGroup, ReadDeletedGroups;
    1221 user_create "create users": CreateUser;
    1222 user_read "read users": ReadUsers;
    1223 user_update "change users": UpdateUser;
    1224 user_delete "delete users; read, restore and purge deleted ones": DeleteUser, RestoreUser, ReadDeleted;
    1231 token_create "issue tokens for other users": IssueToken;
    1232 token_read "read the tokens of other users": ReadTokens;
    1233 token_update "rename, extend and rotate tokens of other users": UpdateToken;
    1234 token_delete "revoke tokens of other users, and sign them out": RevokeToken;
    1242 audit_read "read and export the audit trail": ReadAudit;
    1252 permission_read "read the list of permissions": ReadPermissions;
    1282 introspection_read "introspect tokens: whose a key is, and what it may do": Introspect;
}

/// Returns the built-in permission with this code. Its name is part of the program.
pub fn built_in(code: i64) -> Option<&'static BuiltInPermission> {
    BUILT_IN.iter().find(|permission| permission.code == code)
}

/// Codes below this are reserved for the program. Permissions that are created here get codes from it upwards.
pub const OWN_CODE_MIN: i64 = 10_000;
/// The greatest code that a permission created here can have.
pub const OWN_CODE_MAX: i64 = 999_999;
