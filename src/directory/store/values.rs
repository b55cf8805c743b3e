//! The account database's types as parameters of statements.

use crate::database::Value;
use crate::directory::model::{GroupId, KeptDigest, PermissionId, Timestamp, TokenId, UserId};

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_micros())
    }
}
impl From<UserId> for Value {
    fn from(value: UserId) -> Self {
        Self::Int(value.get())
    }
}
impl From<GroupId> for Value {
    fn from(value: GroupId) -> Self {
        Self::Int(value.get())
    }
}
impl From<PermissionId> for Value {
    fn from(value: PermissionId) -> Self {
        Self::Int(value.get())
    }
}
impl From<TokenId> for Value {
    fn from(value: TokenId) -> Self {
        Self::Int(value.get())
    }
}
impl From<KeptDigest> for Value {
    fn from(value: KeptDigest) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
    }
}
