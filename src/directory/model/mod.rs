//! Users, groups, permissions, tokens and events as types that hold valid values only. Input is parsed into them where it
//! arrives, and code that has such a value does not check it again.
//!
//! Never in here: a look-up, a right, a status code. A type knows its own form and nothing else.

mod activity;
mod closed_access;
mod code;
mod deleted;
mod draft;
mod event;
mod group;
mod id;
mod identity;
mod identity_change;
mod key;
mod link;
mod message;
mod narrowing;
mod permission;
mod phone;
mod rate;
mod saved_view;
pub(super) mod stored;
mod text;
mod timestamp;
mod token;
mod token_kind;
mod token_use;
mod user;
mod user_fields;
mod user_state;
mod validation;
mod version;

pub use activity::{ActivityCount, ActivityKind, ActivitySpan};
pub use closed_access::{
    ClosedAccess, ClosureKind, ComparisonExtent, GrantedAccess, GrantedToken, NamedId, NotCompared,
    ReopenedAccess,
};
pub use code::{CodeLabels, CodeRequest, CodeSettings, CodeTarget, CodeTicket, TypedCode};
pub use deleted::{DeletedGroup, DeletedUser};
pub(super) use deleted::{RestorableGroup, RestorableUser};
pub use draft::{GroupDraft, GroupFields, UserDraft, UserFields};
pub use event::{AuditFilter, ChainLink, Event, OBJECT_KINDS, RecordedEvent};
pub use group::Group;
pub use id::{GroupId, PermissionId, TokenId, UserId};
pub use identity::{Bearer, Identity, NamedIdentity};
pub(super) use identity_change::IdentityChange;
pub use key::{GroupKey, PermissionKey, UserKey};
pub use link::{LinkKey, LinkKind, LinkState, SentLink};
pub use message::{
    AttemptEffect, AttemptResult, Channel, Delivery, DeliveryFilter, DeliveryId, DeliveryState,
    LeasedMessage, Locale, MessageKind, NewMessage, OutboxCount, masked,
};
pub use narrowing::{Narrowing, Networks, Scope, Scopes, parse_network};
pub use permission::{HeldPermission, Permission};
pub(super) use phone::spellings;
pub use phone::{CallingCode, compact, e164};
pub use rate::{Rate, Rates};
pub use saved_view::SavedView;
pub use text::{
    Email, Gender, GroupName, MobileNumber, Notes, PermissionName, PersonName, TokenName, Username, ViewName,
    Violation, fold, is_absolute_url, is_ambiguous_username,
};
pub use timestamp::Timestamp;
pub use token::{KEY_PREFIX, KeptDigest, ListedToken, Token, TokenDigest, TokenKey};
pub use token_kind::{Maker, TokenKind, TokenState};
pub(super) use token_use::TokenUse;
pub use user::{ONLINE_FOR, User};
pub use user_fields::{FLAG_FIELDS, FieldSlot, FieldValue, PERSONAL_FIELDS};
pub(in crate::directory) use user_fields::{FieldType, user_fields};
pub(super) use user_state::UserState;
pub use validation::ValidationErrors;
pub use version::{Expected, Version};
