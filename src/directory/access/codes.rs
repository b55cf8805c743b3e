//! The permission that each action needs: the only source file with permission codes.

/// An action that needs a permission. As a type it can be named by an extractor, without the objects of an
/// [`Action`](super::Action).
pub trait NeedsPermission {
    /// The code of the permission.
    const CODE: i64;
}

macro_rules! permissions {
    ($($code:literal: $($action:ident),+;)+) => {
        /// Whether an action needs the permission with this code. Its name is part of the program.
        pub fn is_own_code(code: i64) -> bool {
            [$($code),+].contains(&code)
        }

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
    1201: CreateGroup;
    1202: ReadGroups;
    1203: UpdateGroup, ChangeMembers;
    1204: DeleteGroup;
    1221: CreateUser;
    1222: ReadUsers;
    1223: UpdateUser;
    1224: DeleteUser, RestoreUser, ReadDeleted;
    1231: IssueToken;
    1232: ReadTokens;
    1233: UpdateToken;
    1234: RevokeToken;
    1242: ReadAudit;
    1252: ReadPermissions;
}
