//! The nouns of the directory as types that cannot be wrong: raw input is parsed into them at the
//! door, and what holds such a value need not check it again.
//!
//! Never in here: a look-up, a right, a status code. A type knows its own form and nothing else.

mod deleted;
mod draft;
mod event;
mod faults;
mod group;
mod id;
mod identity;
mod identity_change;
mod key;
mod permission;
mod rate;
mod revocation;
pub(super) mod stored;
mod text;
mod timestamp;
mod token;
mod token_use;
mod user;
mod user_state;
mod version;

pub use deleted::DeletedUser;
pub(super) use deleted::RestorableUser;
pub use draft::{GroupDraft, GroupFields, UserDraft, UserFields};
pub use event::{AuditFilter, ChainLink, Event, OBJECT_KINDS, RecordedEvent};
pub use faults::Faults;
pub use group::Group;
pub use id::{GroupId, PermissionId, TokenId, UserId};
pub use identity::{Bearer, Identity};
pub(super) use identity_change::IdentityChange;
pub use key::{GroupKey, UserKey};
pub use permission::Permission;
pub use rate::{Rate, Rates};
pub use revocation::{Brings, Brought, Closed, Closing, Comparison, Named, Reopened};
pub use text::{
    Email, Gender, GroupName, MobileNumber, Notes, PersonName, Rule, TokenName, Username, fold,
    is_ambiguous_username,
};
pub use timestamp::Timestamp;
pub use token::{KeptDigest, Maker, Token, TokenDigest, TokenKey, TokenKind, TokenState};
pub(super) use token_use::TokenUse;
pub use user::{ONLINE_FOR, User};
pub(super) use user_state::UserState;
pub use version::{Expected, Version};
