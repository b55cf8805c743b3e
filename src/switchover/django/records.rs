//! Converts rows of a Django database into records.

use super::cells::{RowCells, RowReader};
use crate::directory::model::{FieldSlot, TokenKey};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::record::{GroupRecord, Reference, TokenRecord, UserRecord};

/// Characters of a token that version 4 of knox stores in clear text; version 5 stores more.
const KNOX_4_PREFIX: usize = 8;

impl RowReader<'_> {
    /// Reads a row of the table with groups' notes and times. The record gets its id and name elsewhere.
    pub(super) fn group_details(&self, cells: RowCells) -> Result<GroupRecord, ImportError> {
        let mut group = GroupRecord::default();
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            match field.as_str() {
                "notes" => group.notes = Some(self.text(&column.name, cell)?),
                "created_at" => group.created_at = self.timestamp(&column.name, cell)?,
                _ => group.updated_at = self.timestamp(&column.name, cell)?,
            }
        }
        Ok(group)
    }

    /// Reads the fields of a user that are in this row.
    pub(super) fn fill_user(&self, user: &mut UserRecord, cells: RowCells) -> Result<(), ImportError> {
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            let name = &column.name;
            match field.as_str() {
                "username" => user.username = self.required_text(name, cell)?,
                "password" => user.password = Some(self.text(name, cell)?.unwrap_or_default()),
                "last_login" => user.last_login = Some(self.timestamp(name, cell)?),
                "created_at" => user.created_at = self.timestamp(name, cell)?,
                "updated_at" => user.updated_at = self.timestamp(name, cell)?,
                "gender" => user.gender = Some(self.genders.translate(self.text(name, cell)?)),
                listed => match user.slot(listed) {
                    Some(FieldSlot::Text(text)) => *text = Some(self.text(name, cell)?.unwrap_or_default()),
                    Some(FieldSlot::NullableText(text)) => *text = Some(self.text(name, cell)?),
                    Some(FieldSlot::Flag(flag)) => *flag = Some(self.boolean(name, cell)?),
                    None => {}
                },
            }
        }
        Ok(())
    }

    /// Reads a token of Django REST Framework, whose row has the id of its user as key.
    pub(super) fn drf_token(&self, cells: RowCells) -> Result<TokenRecord, ImportError> {
        let mut cells = cells.into_iter();
        let key = self.required_text("key", cells.next().flatten())?;
        let created_at = self.timestamp("created", cells.next().flatten())?;
        let shown = TokenKey::imported(key.clone());
        Ok(TokenRecord {
            user: Some(Reference::Id(self.key)),
            name: Some("Django REST Framework".to_owned()),
            prefix: Some(shown.prefix()),
            last_four: Some(shown.last_four()),
            key: Some(key),
            created_at,
            expires_at: Some(None),
            ..TokenRecord::default()
        })
    }

    /// Reads a token of knox, whose row has the id of its user as key. Returns `None` for one that the installed version
    /// of knox no longer accepts.
    pub(super) fn knox_token(
        &self,
        cells: RowCells,
        is_knox_5: bool,
    ) -> Result<Option<TokenRecord>, ImportError> {
        let mut cells = cells.into_iter();
        let digest = self.required_text("digest", cells.next().flatten())?;
        let prefix = self.required_text("token_key", cells.next().flatten())?;
        let created_at = self.timestamp("created", cells.next().flatten())?;
        let expires_at = self.timestamp("expiry", cells.next().flatten())?;
        if is_knox_5 && prefix.len() == KNOX_4_PREFIX {
            self.findings.note(
                "tokens that knox 4 made and knox 5 no longer accepts are left out",
                format!("user {}", self.key),
            );
            return Ok(None);
        }
        Ok(Some(TokenRecord {
            user: Some(Reference::Id(self.key)),
            name: Some("knox".to_owned()),
            digest: Some(digest),
            prefix: Some(prefix.chars().take(4).collect()),
            last_four: Some(String::new()),
            created_at,
            expires_at: Some(expires_at),
            ..TokenRecord::default()
        }))
    }
}
