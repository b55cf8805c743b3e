//! Finds the tables of tokens. A token belongs to a user only if its table declares so, or declares nothing.

use super::catalogue::{Catalogue, list, readable};
use super::joins::{Join, JoinSearch};
use super::options::MappingOptions;
use super::owner::Owner;
use super::tables::MappedTable;
use crate::database::foreign::{ForeignColumn, ForeignTable};
use crate::directory::transfer::import::error::ImportError;

/// The columns of a token with a key in clear text: the field of the record, and the field that `--map` names.
const KEY_COLUMNS: [(&str, &str); 5] = [
    ("key", "token_key"),
    ("created", "token_created"),
    ("expires", "token_expires"),
    ("revoked", "token_revoked"),
    ("active", "token_active"),
];

/// The kind of a table of tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenTable {
    /// Keys in clear text, as `authtoken` of Django REST Framework stores them.
    Keys,
    /// Digests of knox.
    Knox,
}

impl TokenTable {
    /// Returns Django's own name of the table.
    pub(super) fn usual_name(self) -> &'static str {
        match self {
            Self::Keys => "authtoken_token",
            Self::Knox => "knox_authtoken",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Keys => "--token-table",
            Self::Knox => "--knox-table",
        }
    }

    fn user_field(self) -> &'static str {
        match self {
            Self::Keys => "token_user",
            Self::Knox => "knox_user",
        }
    }

    /// Returns the column without which there are no tokens, and the field that `--map` names.
    fn secret(self) -> (&'static str, &'static str) {
        match self {
            Self::Keys => ("key", "token_key"),
            Self::Knox => ("digest", "knox_digest"),
        }
    }
}

/// What every step needs.
pub(super) struct TokenSearch<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) options: &'a MappingOptions,
    pub(super) users: &'a Owner,
    pub(super) kind: TokenTable,
}

impl TokenSearch<'_> {
    /// Finds the table: the one that the operator names, or Django's own.
    pub(super) fn find(&self) -> Result<Option<MappedTable>, ImportError> {
        let named = match self.kind {
            TokenTable::Keys => self.options.token_table.as_deref(),
            TokenTable::Knox => self.options.knox_table.as_deref(),
        };
        let table = match named {
            Some("") => return Ok(None),
            Some(named) => Some(self.catalogue.resolve(named, self.kind.flag())?),
            None => self.own()?,
        };
        let Some(table) = table else { return Ok(None) };
        let search = self.search(&table);
        let is_users_own = table == self.users.table && self.options.column(self.kind.user_field()).is_none();
        let join = if is_users_own { Some(Join::own(self.users)) } else { search.find()? };
        let Some(join) = join else {
            let why = search.elsewhere().map_or_else(String::new, |why| format!(" ({why})"));
            return Err(ImportError::Ambiguous(format!(
                "the table {table} does not refer to {}{why}: name the column that does with --map {}=COLUMN, or another table \
                 with {}",
                self.users.table,
                self.kind.user_field(),
                self.kind.flag()
            )));
        };
        let columns = self.columns(&table, is_users_own)?;
        let (secret, field) = self.kind.secret();
        if !columns.iter().any(|(known, _)| known == secret) {
            return Err(ImportError::Ambiguous(format!(
                "the table {table} has no column for {secret}: name it with --map {field}=COLUMN (its columns are {}), or read \
                 no tokens there with {}=",
                list(self.catalogue.columns(&table).iter().map(|column| &column.name)),
                self.kind.flag()
            )));
        }
        Ok(Some(MappedTable { table, join, columns }))
    }

    fn search<'a>(&'a self, table: &'a ForeignTable) -> JoinSearch<'a> {
        JoinSearch {
            catalogue: self.catalogue,
            options: self.options,
            owner: self.users,
            table,
            field: self.kind.user_field(),
            usual: "user_id",
        }
    }

    /// Returns Django's own table, if its rows belong to the users. Where nothing is declared, only the schema of the users
    /// counts.
    fn own(&self) -> Result<Option<ForeignTable>, ImportError> {
        let is_ours = |table: &&ForeignTable| {
            let search = self.search(table);
            let is_near = table.schema == self.users.table.schema;
            !search.declared().is_empty() || (is_near && search.undeclared().is_some())
        };
        let found: Vec<_> = self.catalogue.named(self.kind.usual_name()).filter(is_ours).collect();
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some((*only).clone())),
            several => Err(ImportError::Ambiguous(format!(
                "several tables could have the tokens: {}; name one with {}",
                list(several),
                self.kind.flag()
            ))),
        }
    }

    fn columns(
        &self,
        table: &ForeignTable,
        is_users_own: bool,
    ) -> Result<Vec<(String, ForeignColumn)>, ImportError> {
        let mut found = Vec::new();
        match self.kind {
            TokenTable::Keys => {
                for (name, field) in KEY_COLUMNS {
                    // The times and flags of a user are not those of a token.
                    let is_open = !is_users_own || self.options.column(field).is_some() || name == "key";
                    if let Some(column) = is_open.then(|| self.catalogue.field(self.options, table, field)) {
                        found.extend(column?.map(|column| (name.to_owned(), column)));
                    }
                }
            }
            TokenTable::Knox => {
                for name in ["token_key", "created", "salt"] {
                    let column = self.catalogue.column(table, name);
                    let column = column.map(|column| readable(table, column, "knox_user")).transpose()?;
                    found.extend(column.map(|column| (name.to_owned(), column)));
                }
                for (name, field) in [("digest", "knox_digest"), ("expires", "knox_expires")] {
                    let column = self.catalogue.field(self.options, table, field)?;
                    found.extend(column.map(|column| (name.to_owned(), column)));
                }
            }
        }
        Ok(found)
    }
}
