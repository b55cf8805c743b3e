//! Differences between a source and the account database: rows that are new, or have other values.

use crate::directory::model::User;
use crate::directory::model::stored::{
    StoredDeletedGroup, StoredDeletedUser, StoredEndedToken, StoredGroup, StoredToken, StoredUser,
};
use crate::directory::transfer::record::{
    DeletedGroupRecord, DeletedRecord, EndedTokenRecord, GroupRecord, PermissionRecord, TokenRecord,
    UserRecord,
};

/// A permission that is new or has another name.
pub(super) struct PermissionDifference {
    pub(super) record: PermissionRecord,
    /// The id for a new row, if the record has one that is free.
    pub(super) id: Option<i64>,
}

/// A group that is new or differs.
pub(super) struct GroupDifference {
    pub(super) record: GroupRecord,
    pub(super) old: Option<StoredGroup>,
    /// Its id is unsaved if the record has none and no group has its name.
    pub(super) new: StoredGroup,
    /// Another group that has the name now, and gets another name from a later record.
    pub(super) name_holder: Option<i64>,
}

/// A user that is new or differs.
pub(super) struct UserDifference {
    pub(super) record: UserRecord,
    pub(super) old: Option<StoredUser>,
    /// Its id is unsaved if the record has none and no user has its name.
    pub(super) new: StoredUser,
}

/// A token that is new or differs.
pub(super) struct TokenDifference {
    pub(super) record: TokenRecord,
    pub(super) old: Option<StoredToken>,
    pub(super) new: StoredToken,
}

/// A token that ended and has no row here. What is known of it is new, or says that it ended earlier.
pub(super) struct EndedTokenDifference {
    pub(super) record: EndedTokenRecord,
    pub(super) new: StoredEndedToken,
}

/// A user that is not in the recycle bin yet.
pub(super) struct DeletedUserDifference {
    pub(super) record: DeletedRecord,
    pub(super) row: StoredDeletedUser,
    /// The user as the row describes it.
    pub(super) user: User,
}

/// A group that is not in the recycle bin yet.
pub(super) struct DeletedGroupDifference {
    pub(super) record: DeletedGroupRecord,
    pub(super) row: StoredDeletedGroup,
    /// Its notes, as the row describes them.
    pub(super) notes: Option<String>,
}
