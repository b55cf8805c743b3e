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
    /// What it allows.
    pub allows: &'static str,
}

macro_rules! permissions {
    ($($code:literal $allows:literal: $($action:ident),+;)+) => {
        /// Every built-in permission, ordered by code.
        pub const BUILT_IN: &[BuiltInPermission] =
            &[$(BuiltInPermission { code: $code, allows: $allows }),+];

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
    1201 "create groups": CreateGroup;
    1202 "read groups": ReadGroups;
    1203 "change groups and their members": UpdateGroup, ChangeMembers;
    1204 "delete groups; read, restore and purge deleted ones": DeleteGroup, RestoreGroup, ReadDeletedGroups;
    1221 "create users": CreateUser;
    1222 "read users": ReadUsers;
    1223 "change users": UpdateUser;
    1224 "delete users; read, restore and purge deleted ones": DeleteUser, RestoreUser, ReadDeleted;
    1231 "issue tokens for other users": IssueToken;
    1232 "read the tokens of other users": ReadTokens;
    1233 "rename, extend and rotate tokens of other users": UpdateToken;
    1234 "revoke tokens of other users, and sign them out": RevokeToken;
    1242 "read and export the audit trail": ReadAudit;
    1252 "read the list of permissions": ReadPermissions;
    1282 "introspect tokens: whose a key is, and what it may do": Introspect;
}

/// Returns the built-in permission with this code. Its name is part of the program.
pub fn built_in(code: i64) -> Option<&'static BuiltInPermission> {
    BUILT_IN.iter().find(|permission| permission.code == code)
}

/// Codes below this are reserved for the program. Permissions that are created here get codes from it upwards.
pub const OWN_CODE_MIN: i64 = 10_000;
/// The greatest code that a permission created here can have.
pub const OWN_CODE_MAX: i64 = 999_999;
