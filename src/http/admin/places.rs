//! The places of the site: the entries of its rail. A place is shown to those who may open it; the use case decides again.

use crate::directory::Identity;
use crate::directory::access::{
    ReadAudit, ReadDeleted, ReadDeletedGroups, ReadGroups, ReadPermissions, ReadTokens, ReadUsers,
    holds_permission,
};

/// An entry of the rail.
pub(super) struct RailPlace {
    /// The heading above it.
    pub(super) kind: &'static str,
    /// Its words.
    pub(super) label: &'static str,
    /// Its path.
    pub(super) path: &'static str,
    /// Its icon in `icons.svg`.
    pub(super) icon: &'static str,
    /// Its name for the keyboard: `places` in `wardroom.js` maps letters to these.
    pub(super) go: &'static str,
    /// Who sees it.
    pub(super) is_open: fn(&Identity) -> bool,
}

/// The path of the overview.
pub(super) const OVERVIEW: &str = "/admin";
/// The path of the list of users.
pub(super) const USERS: &str = "/admin/users";
/// The path of the list of groups.
pub(super) const GROUPS: &str = "/admin/groups";
/// The path of the list of permissions.
pub(super) const PERMISSIONS: &str = "/admin/permissions";
/// The path of the list of all tokens.
pub(super) const TOKENS: &str = "/admin/tokens";
/// The path of the list of all sessions.
pub(super) const SESSIONS: &str = "/admin/sessions";
/// The path of the audit trail.
pub(super) const AUDIT: &str = "/admin/audit";
/// The path of the recycle bin.
pub(super) const BIN: &str = "/admin/bin";
/// The path of deleted groups.
pub(super) const BIN_GROUPS: &str = "/admin/bin/groups";
/// The path of the settings in force.
pub(super) const SETTINGS: &str = "/admin/settings";
/// The path of one's own account, which the foot of the rail leads to.
pub(super) const ACCOUNT: &str = "/admin/account";

/// All places, in the order of the rail.
pub(super) const PLACES: &[RailPlace] = &[
    RailPlace {
        kind: "",
        label: "Overview",
        path: OVERVIEW,
        icon: "overview",
        go: "overview",
        is_open: |_| true,
    },
    RailPlace {
        kind: "Directory",
        label: "Users",
        path: USERS,
        icon: "users",
        go: "users",
        is_open: holds_permission::<ReadUsers>,
    },
    RailPlace {
        kind: "Directory",
        label: "Groups",
        path: GROUPS,
        icon: "groups",
        go: "groups",
        is_open: holds_permission::<ReadGroups>,
    },
    RailPlace {
        kind: "Directory",
        label: "Permissions",
        path: PERMISSIONS,
        icon: "permissions",
        go: "permissions",
        is_open: holds_permission::<ReadPermissions>,
    },
    RailPlace {
        kind: "Access",
        label: "Tokens",
        path: TOKENS,
        icon: "token",
        go: "tokens",
        is_open: holds_permission::<ReadTokens>,
    },
    RailPlace {
        kind: "Access",
        label: "Sessions",
        path: SESSIONS,
        icon: "sessions",
        go: "sessions",
        is_open: holds_permission::<ReadTokens>,
    },
    RailPlace {
        kind: "Record",
        label: "Audit trail",
        path: AUDIT,
        icon: "audit",
        go: "audit",
        is_open: holds_permission::<ReadAudit>,
    },
    RailPlace {
        kind: "Record",
        label: "Recycle bin",
        path: BIN,
        icon: "bin",
        go: "bin",
        is_open: |identity| {
            holds_permission::<ReadDeleted>(identity) || holds_permission::<ReadDeletedGroups>(identity)
        },
    },
    RailPlace {
        kind: "Server",
        label: "Settings",
        path: SETTINGS,
        icon: "settings",
        go: "settings",
        is_open: |identity| identity.user.is_admin,
    },
];
