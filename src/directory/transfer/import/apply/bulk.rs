//! Writes differences into a database without users, whose indexes are dropped meanwhile.

use super::Apply;
use super::rows::RowWriter;
use crate::directory::model::GroupId;
use crate::directory::model::KeptDigest;
use crate::directory::model::stored::{StoredToken, StoredUser};
use crate::directory::store::Tx;
use crate::directory::transfer::import::difference::{
    DeletedGroupDifference, DeletedUserDifference, EndedTokenDifference, GroupDifference,
    PermissionDifference, TokenDifference, UserDifference,
};
use crate::directory::transfer::import::error::ImportError;

/// Writes users and tokens many rows at once. All of them are new, and have ids: nothing is looked up, which would be
/// slow without indexes.
pub(in crate::directory::transfer::import) struct BulkWriter(
    pub(in crate::directory::transfer::import) RowWriter,
);

impl Apply for BulkWriter {
    fn permission(&mut self, tx: &Tx<'_>, difference: PermissionDifference) -> Result<(), ImportError> {
        self.0.permission(tx, difference)
    }

    fn group(&mut self, tx: &Tx<'_>, difference: GroupDifference) -> Result<GroupId, ImportError> {
        self.0.group(tx, difference)
    }

    fn deleted_user(&mut self, tx: &Tx<'_>, difference: DeletedUserDifference) -> Result<(), ImportError> {
        self.0.deleted_user(tx, difference)
    }

    fn deleted_group(&mut self, tx: &Tx<'_>, difference: DeletedGroupDifference) -> Result<(), ImportError> {
        self.0.deleted_group(tx, difference)
    }

    fn users(&mut self, tx: &Tx<'_>, differences: Vec<UserDifference>) -> Result<(), ImportError> {
        let rows: Vec<_> = differences.into_iter().map(|difference| difference.new).collect();
        Ok(tx.insert_users(&rows)?)
    }

    fn tokens(&mut self, tx: &Tx<'_>, differences: Vec<TokenDifference>) -> Result<(), ImportError> {
        let rows: Vec<_> = differences.into_iter().map(|difference| difference.new).collect();
        Ok(tx.insert_tokens(&rows)?)
    }

    fn ended_tokens(
        &mut self,
        tx: &Tx<'_>,
        differences: Vec<EndedTokenDifference>,
    ) -> Result<(), ImportError> {
        self.0.ended_tokens(tx, differences)
    }

    fn stored_users(&self, _: &Tx<'_>, _: &[i64]) -> Result<Vec<StoredUser>, ImportError> {
        Ok(Vec::new())
    }

    fn stored_tokens(&self, _: &Tx<'_>, _: &[&KeptDigest]) -> Result<Vec<StoredToken>, ImportError> {
        Ok(Vec::new())
    }
}
