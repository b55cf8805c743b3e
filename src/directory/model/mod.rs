//! The nouns of the directory as types that cannot be wrong: raw input is parsed into them at the
//! door, and what holds such a value need not check it again.
//!
//! Never in here: a look-up, a right, a status code. A type knows its own form and nothing else.

mod closed_access;
mod draft;
mod faults;
mod group;
mod id;
mod key;
mod permission;
mod text;
mod timestamp;
mod token;
mod user;
mod version;

pub use closed_access::{
    ClosedAccess, ClosureKind, Comparison, GrantedAccess, GrantedToken, NamedId, ReopenedAccess,
};
pub use draft::{GroupDraft, GroupFields, UserDraft, UserFields};
pub use faults::Faults;
pub use group::Group;
pub use id::{GroupId, PermissionId, TokenId, UserId};
pub use key::{GroupKey, UserKey};
pub use permission::Permission;
pub use text::{
    Email, Gender, GroupName, MobileNumber, Notes, PersonName, Rule, TokenName, Username, fold,
    is_ambiguous_username,
};
pub use timestamp::Timestamp;
pub use token::{KeptDigest, Maker, Token, TokenDigest, TokenKey, TokenKind, TokenState};
pub use user::{ONLINE_FOR, User};
pub use version::{Expected, Version};
