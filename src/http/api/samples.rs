//! The values that the document suggests, and that the page `/api/docs` fills in. `wardroom demo` has an object for each
//! of them, so every call of the page can be tried without typing.
//!
//! Calls that only read name the user of the documentation's example. Calls that change, revoke or delete name objects
//! with ids above [`ONLY_IN_DEMO`]. Servers that people use do not have such ids, so a call that is tried there by
//! accident is a 404.

/// No id of an imported or new object comes near this one.
const ONLY_IN_DEMO: i64 = 1_000_000_000;

/// A user to read: the one of the documentation's example.
pub const USER: i64 = 42;
/// A group to read; the user belongs to it.
pub const GROUP: i64 = 3;
/// A permission that users and groups can get: `user_read`.
pub const PERMISSION: i64 = 6;

/// A user to change.
pub const CHANGED_USER: i64 = ONLY_IN_DEMO + 1;
/// A user to delete.
pub const DELETED_USER: i64 = ONLY_IN_DEMO + 2;
/// Users to delete in bulk.
pub const DELETED_USERS: [i64; 2] = [ONLY_IN_DEMO + 3, ONLY_IN_DEMO + 4];
/// A user in the recycle bin, to restore.
pub const RESTORED_USER: i64 = ONLY_IN_DEMO + 5;
/// A user in the recycle bin, to purge.
pub const PURGED_USER: i64 = ONLY_IN_DEMO + 6;

/// A user to sign out.
pub const SIGNED_OUT_USER: i64 = ONLY_IN_DEMO + 7;
/// A user to invite, who has an e-mail address and no password.
pub const INVITED_USER: i64 = ONLY_IN_DEMO + 8;

/// A group to change.
pub const CHANGED_GROUP: i64 = ONLY_IN_DEMO + 1;
/// A group to delete.
pub const DELETED_GROUP: i64 = ONLY_IN_DEMO + 2;
/// A group in the recycle bin, to restore.
pub const RESTORED_GROUP: i64 = ONLY_IN_DEMO + 3;
/// A group in the recycle bin, to purge.
pub const PURGED_GROUP: i64 = ONLY_IN_DEMO + 4;

/// A permission to rename.
pub const CHANGED_PERMISSION: i64 = ONLY_IN_DEMO + 1;
/// A permission to remove.
pub const REMOVED_PERMISSION: i64 = ONLY_IN_DEMO + 2;

/// A token of the user to change: to rename, to rotate, to revoke.
pub const TOKENS: [i64; 3] = [ONLY_IN_DEMO + 1, ONLY_IN_DEMO + 2, ONLY_IN_DEMO + 3];
/// A token of the caller: to rename, to rotate, to revoke.
pub const OWN_TOKENS: [i64; 3] = [ONLY_IN_DEMO + 4, ONLY_IN_DEMO + 5, ONLY_IN_DEMO + 6];

/// The username of the caller.
pub const USERNAME: &str = "ada_admin";
/// The password of the caller.
pub const PASSWORD: &str = "nine lanterns above the harbour";
/// A new password of the caller.
pub const NEW_PASSWORD: &str = "ten lanterns below the harbour";
/// The key of a token.
pub const KEY: &str = "wrd_1vkoV9B3UiVgXyqGgYS4vZ0pLwzrTN2mFINE";
/// The key of a link, which no user has.
pub const LINK_KEY: &str = "c2hvd24gaW4gdGhlIGRvY3VtZW50YXRpb24gYWxvbmU";
/// The key of the documentation's example, whose owner is [`USER`].
pub const EXAMPLE_KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";
/// The mobile number of [`USER`].
pub const MOBILE_NUMBER: &str = "+1-555-0123";
/// The form of a one-time code.
pub const CODE: &str = "012345";
