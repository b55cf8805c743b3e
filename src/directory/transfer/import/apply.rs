//! What is done with the differences that a comparison finds: [`dry_run`] checks what writing them would do, [`rows`]
//! writes them, and [`bulk`] writes them into a database without users.

pub(super) mod bulk;
pub(super) mod dry_run;
pub(super) mod rows;

use super::difference::{
    DeletedGroupDifference, DeletedUserDifference, EndedTokenDifference, GroupDifference,
    PermissionDifference, TokenDifference, UserDifference,
};
use super::error::ImportError;
use crate::directory::model::stored::{StoredToken, StoredUser};
use crate::directory::model::{GroupId, KeptDigest, UserId};
use crate::directory::store::Tx;

/// Takes the differences, in the order in which they depend on each other.
pub(super) trait Apply {
    /// Takes a permission.
    fn permission(&mut self, tx: &Tx<'_>, difference: PermissionDifference) -> Result<(), ImportError>;

    /// Takes a group and returns the id by which users refer to it.
    fn group(&mut self, tx: &Tx<'_>, difference: GroupDifference) -> Result<GroupId, ImportError>;

    /// Takes a user for the recycle bin.
    fn deleted_user(&mut self, tx: &Tx<'_>, difference: DeletedUserDifference) -> Result<(), ImportError>;

    /// Takes a group for the recycle bin.
    fn deleted_group(&mut self, tx: &Tx<'_>, difference: DeletedGroupDifference) -> Result<(), ImportError>;

    /// Takes the users of a batch.
    fn users(&mut self, tx: &Tx<'_>, differences: Vec<UserDifference>) -> Result<(), ImportError>;

    /// Takes the tokens of a batch, whose users it has taken before.
    fn tokens(&mut self, tx: &Tx<'_>, differences: Vec<TokenDifference>) -> Result<(), ImportError>;

    /// Takes the ended tokens of a batch.
    fn ended_tokens(
        &mut self,
        tx: &Tx<'_>,
        differences: Vec<EndedTokenDifference>,
    ) -> Result<(), ImportError>;

    /// Reads the users to compare with.
    fn stored_users(&self, tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<StoredUser>, ImportError> {
        Ok(tx.stored_users(ids)?)
    }

    /// Reads the tokens to compare with.
    fn stored_tokens(&self, tx: &Tx<'_>, digests: &[&KeptDigest]) -> Result<Vec<StoredToken>, ImportError> {
        Ok(tx.stored_tokens(digests)?)
    }

    /// Returns the id that stands for a user of the source that would have been written by now.
    fn unwritten_user(&self) -> Option<UserId> {
        None
    }
}
