//! Writes differences row by row.

use std::sync::Arc;

use super::Apply;
use crate::directory::error::Error;
use crate::directory::model::stored::StoredUser;
use crate::directory::model::{GroupId, TokenId, User, UserId};
use crate::directory::store::Tx;
use crate::directory::store::numbered::Numbered;
use crate::directory::transfer::import::difference::{
    DeletedGroupDifference, DeletedUserDifference, EndedTokenDifference, GroupDifference,
    PermissionDifference, TokenDifference, UserDifference,
};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::validation::Validation;

/// Writes into a database that others use.
pub(in crate::directory::transfer::import) struct RowWriter {
    pub(in crate::directory::transfer::import) validation: Arc<Validation>,
    /// Whether users of the source may lose their values to others of the source.
    pub(in crate::directory::transfer::import) sync: bool,
}

impl Apply for RowWriter {
    fn permission(&mut self, tx: &Tx<'_>, difference: PermissionDifference) -> Result<(), ImportError> {
        let PermissionDifference { record, id } = difference;
        Ok(tx.put_permission(id, record.code, &record.name)?)
    }

    fn group(&mut self, tx: &Tx<'_>, difference: GroupDifference) -> Result<GroupId, ImportError> {
        let GroupDifference { old, new, name_holder, .. } = difference;
        if let Some(holder) = name_holder {
            tx.vacate_group_name(holder)?;
        }
        let id = if old.is_some() {
            tx.update_group(&new.group)?;
            tx.note_imported_group(new.group.id)?;
            new.group.id
        } else {
            let given = saved(new.group.id, GroupId::UNSAVED);
            given.map_or(Ok(()), |id| tx.forget_group_of_deleted_users(id))?;
            let id = tx.insert_group(given, &new.group, false)?;
            tx.count_ids_on()?;
            id
        };
        if old.map(|old| old.permissions).unwrap_or_default() != new.permissions {
            tx.replace_group_permissions(id, &new.permissions)?;
        }
        Ok(id)
    }

    fn deleted_user(&mut self, tx: &Tx<'_>, difference: DeletedUserDifference) -> Result<(), ImportError> {
        let DeletedUserDifference { row, user, .. } = difference;
        Ok(tx.insert_deleted_user(&row, &user)?)
    }

    fn deleted_group(&mut self, tx: &Tx<'_>, difference: DeletedGroupDifference) -> Result<(), ImportError> {
        let DeletedGroupDifference { row, notes, .. } = difference;
        Ok(tx.insert_deleted_group(&row, notes.as_deref())?)
    }

    fn users(&mut self, tx: &Tx<'_>, differences: Vec<UserDifference>) -> Result<(), ImportError> {
        for UserDifference { old, new, .. } in differences {
            self.make_room(tx, &new.user)?;
            match old {
                Some(old) => tx.overwrite_user(&new, &old)?,
                None => add_user(tx, new)?,
            }
        }
        Ok(())
    }

    fn tokens(&mut self, tx: &Tx<'_>, differences: Vec<TokenDifference>) -> Result<(), ImportError> {
        let mut added = Vec::new();
        for TokenDifference { old, mut new, .. } in differences {
            if old.is_some() {
                tx.overwrite_token(&new)?;
                continue;
            }
            if tx.is_token_id_taken(new.token.id)? {
                new.token.id = TokenId::UNSAVED;
            }
            added.push(new);
        }
        Ok(tx.insert_tokens(&added)?)
    }

    fn ended_tokens(
        &mut self,
        tx: &Tx<'_>,
        differences: Vec<EndedTokenDifference>,
    ) -> Result<(), ImportError> {
        let rows: Vec<_> = differences.into_iter().map(|difference| difference.new).collect();
        Ok(tx.put_ended_tokens(&rows)?)
    }
}

impl RowWriter {
    /// Takes unique values from users that get other values from later records. The dry run has checked this, and users
    /// that were to be deleted are deleted.
    fn make_room(&self, tx: &Tx<'_>, user: &User) -> Result<(), ImportError> {
        for Numbered(field, holder) in tx.holders(user)? {
            if !self.sync || !self.validation.has_user(holder) || self.validation.omits(&field) {
                return Err(ImportError::Invalid(format!(
                    "user {holder} has taken the {field} of {:?} meanwhile: run the import again",
                    user.username
                )));
            }
            tx.vacate(&field, holder)?;
        }
        Ok(())
    }
}

fn add_user(tx: &Tx<'_>, mut row: StoredUser) -> Result<(), Error> {
    let given = saved(row.user.id, UserId::UNSAVED);
    if given.is_none() {
        tx.count_ids_on()?;
    }
    row.user.id = tx.insert_user(given, &row.user, &row.password, false)?;
    let inserted = StoredUser {
        user: User { groups: vec![], ..row.user.clone() },
        password: String::new(),
        permissions: vec![],
    };
    tx.overwrite_user(&row, &inserted)
}

fn saved<T: PartialEq>(id: T, unsaved: T) -> Option<T> {
    (id != unsaved).then_some(id)
}
