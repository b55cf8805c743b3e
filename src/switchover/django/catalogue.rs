//! Looks up tables, columns and keys in the catalogue of the source, by the names that Django or the operator gives them.

use std::collections::BTreeMap;

use super::options::{MappingOptions, column_names};
use crate::database::foreign::{ForeignCatalogue, ForeignColumn, ForeignKey, ForeignShape, ForeignTable};
use crate::directory::transfer::import::error::ImportError;

/// Tables that an error lists at most.
const LISTED: usize = 12;

/// The tables of the source.
pub(super) struct Catalogue {
    pub(super) tables: BTreeMap<ForeignTable, ForeignShape>,
    pub(super) references: Vec<ForeignKey>,
    unreadable: BTreeMap<ForeignTable, String>,
}

impl From<ForeignCatalogue> for Catalogue {
    fn from(ForeignCatalogue { tables, references, unreadable }: ForeignCatalogue) -> Self {
        Self { tables, references, unreadable }
    }
}

/// Joins names for an error.
pub(super) fn list(names: impl IntoIterator<Item: ToString>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

impl Catalogue {
    pub(super) fn columns(&self, table: &ForeignTable) -> &[ForeignColumn] {
        self.tables.get(table).map_or(&[], |shape| shape.columns.as_slice())
    }

    pub(super) fn is_view(&self, table: &ForeignTable) -> bool {
        self.tables.get(table).is_some_and(|shape| shape.is_view)
    }

    /// Returns a column by its name: exactly so, or the only one with the name in another case.
    pub(super) fn column(&self, table: &ForeignTable, name: &str) -> Option<&ForeignColumn> {
        let columns = self.columns(table);
        if let Some(exact) = columns.iter().find(|column| column.name == name) {
            return Some(exact);
        }
        let mut alike = columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        alike.next().filter(|_| alike.next().is_none())
    }

    /// Returns the column of a primary key of one column.
    pub(super) fn primary_key(&self, table: &ForeignTable) -> Option<&ForeignColumn> {
        match self.tables.get(table)?.primary_key.as_slice() {
            [only] => self.column(table, only),
            _ => None,
        }
    }

    /// Returns whether some columns together are unique by a constraint.
    pub(super) fn is_unique(&self, table: &ForeignTable, columns: &[&str]) -> bool {
        let is_same = |unique: &Vec<String>| {
            unique.len() == columns.len() && unique.iter().all(|column| columns.contains(&column.as_str()))
        };
        self.tables.get(table).is_some_and(|shape| shape.uniques.iter().any(is_same))
    }

    /// Returns the reference that a column declares.
    pub(super) fn reference<'a>(&'a self, table: &ForeignTable, column: &str) -> Option<&'a ForeignKey> {
        self.references.iter().find(|key| key.table == *table && key.column == column)
    }

    /// Returns the tables with this name in all schemas; those that are visible without their schema come first.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ForeignTable> {
        self.tables.keys().filter(move |table| table.name.eq_ignore_ascii_case(name))
    }

    /// Finds the table that the operator means.
    pub(super) fn resolve(&self, typed: &str, flag: &str) -> Result<ForeignTable, ImportError> {
        let tables = || self.tables.keys();
        let visible = tables().filter(|table| table.to_string() == typed).collect::<Vec<_>>();
        let elsewhere = tables().filter(|table| table.name == typed).collect();
        let alike =
            tables().filter(|table| table.to_string().eq_ignore_ascii_case(typed)).collect::<Vec<_>>();
        let found: Vec<&ForeignTable> =
            [visible, elsewhere, alike].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(ImportError::Ambiguous(self.missing(typed, flag))),
            several => Err(ImportError::Ambiguous(format!(
                "several tables are called {typed:?}: {}; name one with {flag} SCHEMA.TABLE",
                list(several)
            ))),
        }
    }

    fn missing(&self, typed: &str, flag: &str) -> String {
        let name = typed.rsplit('.').next().unwrap_or(typed).to_ascii_lowercase();
        if let Some((table, why)) =
            self.unreadable.iter().find(|(table, _)| table.name.eq_ignore_ascii_case(&name))
        {
            return format!("the database cannot list the columns of {table} ({flag}): {why}");
        }
        let is_alike = |table: &&ForeignTable| {
            let other = table.name.to_ascii_lowercase();
            name.split('_').any(|word| word.len() > 2 && other.contains(word))
        };
        let alike: Vec<_> = self.tables.keys().filter(is_alike).collect();
        let hint = match alike.is_empty() {
            true => format!("it has {} tables: {}", self.tables.len(), list(self.tables.keys())),
            false => format!("tables with similar names are {}", list(alike)),
        };
        format!("the source has no table {typed:?} ({flag}); {hint}")
    }

    /// Finds the column of a table for a field: the one that the operator names, or the first with a usual name.
    pub(super) fn field(
        &self,
        options: &MappingOptions,
        table: &ForeignTable,
        field: &str,
    ) -> Result<Option<ForeignColumn>, ImportError> {
        match options.column(field) {
            Some("") => Ok(None),
            Some(named) => self.named_column(table, field, named).map(Some),
            None => self.usual_column(table, field, field),
        }
    }

    /// Finds the first column with a usual name of a field.
    pub(super) fn usual_column(
        &self,
        table: &ForeignTable,
        field: &str,
        flag: &str,
    ) -> Result<Option<ForeignColumn>, ImportError> {
        let own = [field];
        let names = column_names(field).unwrap_or(&own);
        let is_value = |column: &&ForeignColumn| !self.is_number_of_another_row(table, column);
        let found = names.iter().find_map(|name| self.column(table, name).filter(is_value));
        found.map(|column| readable(table, column, flag)).transpose()
    }

    /// Returns whether a column declares that its numbers stand for rows of another table, so that they are no values.
    fn is_number_of_another_row(&self, table: &ForeignTable, column: &ForeignColumn) -> bool {
        is_whole_type(&column.kind) && self.reference(table, &column.name).is_some()
    }

    /// Returns the column that the operator names for a field.
    pub(super) fn named_column(
        &self,
        table: &ForeignTable,
        field: &str,
        named: &str,
    ) -> Result<ForeignColumn, ImportError> {
        let column = self.column(table, named).ok_or_else(|| {
            ImportError::Ambiguous(format!(
                "{table} has no column {named:?} (--map {field}={named}); its columns are {}",
                list(self.columns(table).iter().map(|column| &column.name))
            ))
        })?;
        readable(table, column, field)
    }
}

/// Returns whether the type of a column says that its values are whole numbers.
pub(super) fn is_whole_type(kind: &str) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| kind.contains(name));
    has(&["int", "serial"]) && !has(&["interval", "point"])
}

/// Returns a column, or an error if the role may not read it.
pub(super) fn readable(
    table: &ForeignTable,
    column: &ForeignColumn,
    field: &str,
) -> Result<ForeignColumn, ImportError> {
    if column.is_readable {
        return Ok(column.clone());
    }
    // Without these columns, nothing of the table can be read.
    let without = match field {
        "token_user" | "token_key" => "the table out with --token-table=".to_owned(),
        "knox_user" | "knox_digest" => "the table out with --knox-table=".to_owned(),
        "membership_user" | "membership_group" => "the table out with --membership-table=".to_owned(),
        // No user or group can be read without these.
        "user_id" | "username" | "group_id" | "group_name" => String::new(),
        field => format!("the column out with --map {field}="),
    };
    let without = if without.is_empty() { without } else { format!(", or leave {without}") };
    let usage =
        table.schema.as_ref().map_or_else(String::new, |schema| format!("USAGE on schema {schema} and "));
    Err(ImportError::Ambiguous(format!(
        "the role of the URL may not read {table}.{}: grant it {usage}SELECT on {table}{without}",
        column.name
    )))
}
