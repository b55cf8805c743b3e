//! Decides which column of a table says whose row something is: declared references, then uniqueness. Only a column
//! without a declared reference is found by its name. What stays open is refused with the candidates.

use super::catalogue::{Catalogue, is_whole_type, list, readable};
use super::evidence::Evidence;
use super::options::MappingOptions;
use super::owner::Owner;
use crate::database::foreign::{ForeignColumn, ForeignTable, KeyKind};
use crate::directory::transfer::import::error::ImportError;

/// How rows of a table are joined to the rows of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) column: ForeignColumn,
    /// The column of the owner's table with the same values.
    pub(super) to: String,
}

impl Join {
    /// Joins the owner's own rows.
    pub(super) fn own(owner: &Owner) -> Self {
        Self { column: owner.key.clone(), to: owner.key.name.clone() }
    }

    /// Describes the join: `shop_profile.user_id = auth_user.id`.
    pub(super) fn describe(&self, table: &ForeignTable, owner: &Owner) -> String {
        format!("{table}.{} = {}.{}", self.column.name, owner.table, self.to)
    }
}

/// A table whose rows are to be joined to an owner.
pub(super) struct JoinSearch<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) options: &'a MappingOptions,
    pub(super) owner: &'a Owner,
    pub(super) table: &'a ForeignTable,
    /// The field that `--map` gives the joining column.
    pub(super) field: &'a str,
    /// The usual name of a joining column without a declared reference.
    pub(super) usual: &'a str,
}

impl JoinSearch<'_> {
    /// Returns every column with a declared reference to the owner.
    pub(super) fn declared(&self) -> Vec<Join> {
        let of_table = self.catalogue.references.iter().filter(|key| key.table == *self.table);
        let mut found: Vec<Join> = Vec::new();
        for key in of_table {
            let Some(to) = self.owner.identified_by(&key.to, &key.to_column) else { continue };
            let Some(column) = self.catalogue.column(self.table, &key.column) else { continue };
            if !found.iter().any(|join| join.column.name == column.name) {
                found.push(Join { column: column.clone(), to: to.to_owned() });
            }
        }
        let columns = self.catalogue.columns(self.table);
        found.sort_by_key(|join| columns.iter().position(|column| *column == join.column));
        found
    }

    /// Returns the column with the usual name, unless it declares what it refers to.
    pub(super) fn undeclared(&self) -> Option<Join> {
        let column = self.catalogue.column(self.table, self.usual)?;
        let is_free = self.catalogue.reference(self.table, &column.name).is_none();
        (is_free && self.is_comparable(column)).then(|| self.to_key(column))
    }

    /// Returns whether the table has a column of the usual name that refers to another table.
    pub(super) fn elsewhere(&self) -> Option<String> {
        let column = self.catalogue.column(self.table, self.usual)?;
        let key = self.catalogue.reference(self.table, &column.name)?;
        let is_ours = self.owner.identified_by(&key.to, &key.to_column).is_some();
        (!is_ours).then(|| format!("{}.{} refers to {}.{}", self.table, column.name, key.to, key.to_column))
    }

    fn to_key(&self, column: &ForeignColumn) -> Join {
        Join { column: column.clone(), to: self.owner.referenced.clone() }
    }

    /// PostgreSQL compares only columns of similar types.
    fn is_comparable(&self, column: &ForeignColumn) -> bool {
        match self.owner.kind {
            KeyKind::Number => is_whole_type(&column.kind) || ["", "numeric"].contains(&column.kind.as_str()),
            KeyKind::Uuid => column.kind == "uuid",
            KeyKind::Text => !is_whole_type(&column.kind) && column.kind != "uuid",
        }
    }

    /// Returns the column that the operator names.
    fn named(&self, named: &str) -> Result<Join, ImportError> {
        let column = self.catalogue.named_column(self.table, self.field, named)?;
        if let Some(join) = self.declared().into_iter().find(|join| join.column.name == column.name) {
            return Ok(join);
        }
        if *self.table == self.owner.table && column.name == self.owner.key.name {
            return Ok(Join::own(self.owner));
        }
        let (nouns, owner, field) = (self.owner.noun.plural(), &self.owner.table, self.field);
        match self.catalogue.reference(self.table, &column.name) {
            // Which table is behind a view is not always known.
            Some(key) if !self.owner.is_view => Err(ImportError::Ambiguous(format!(
                "{}.{} (--map {field}={named}) refers to {}.{}, so it does not say which row of {owner} something belongs \
                 to: name a column that refers to {owner}, or name {} as the table of {nouns}",
                self.table, column.name, key.to, key.to_column, key.to
            ))),
            _ if !self.is_comparable(&column) => Err(ImportError::Ambiguous(format!(
                "{}.{} (--map {field}={named}) is of the type {:?}, and {owner}.{} is of the type {:?}: name a column with \
                 keys of {nouns}",
                self.table, column.name, column.kind, self.owner.key.name, self.owner.key.kind
            ))),
            _ => Ok(self.to_key(&column)),
        }
    }

    /// Finds the joining column of a table that has several rows an owner. `None` if the table does not refer to it.
    pub(super) fn find(&self) -> Result<Option<Join>, ImportError> {
        match self.options.column(self.field) {
            Some(named) if !named.is_empty() => return self.checked(self.named(named)?).map(Some),
            _ => {}
        }
        let declared = self.declared();
        let join = match declared.as_slice() {
            [] => self.undeclared(),
            _ => Some(self.choose(declared)?),
        };
        join.map(|join| self.checked(join)).transpose()
    }

    /// Finds the joining column of a table that must have at most one row an owner, by a constraint or by its rows.
    pub(super) fn find_one_each(&self, evidence: &dyn Evidence) -> Result<Option<Join>, ImportError> {
        let is_named = self.options.column(self.field).is_some_and(|named| !named.is_empty());
        let Some(join) = self.find()? else { return Ok(None) };
        if self.is_unique(&join) {
            return Ok(Some(join));
        }
        // One reference is declared, and another column looks like one: only one of them can be the right one.
        if let Some(other) = self.undeclared().filter(|other| !is_named && other.column != join.column) {
            return Err(self.open([&join, &other]));
        }
        let repeated = evidence.repeated(self.table, &join.column.name)?;
        if repeated.is_empty() {
            return Ok(Some(join));
        }
        Err(ImportError::Ambiguous(format!(
            "{} has several rows with the same {} ({}), so it does not have one row for each of the {}: name another table, \
             or another column with --map {}=COLUMN",
            self.table,
            join.column.name,
            list(repeated),
            self.owner.noun.plural(),
            self.field
        )))
    }

    pub(super) fn is_unique(&self, join: &Join) -> bool {
        self.catalogue.is_unique(self.table, &[&join.column.name])
    }

    /// Chooses among declared references: the primary key, or else the only unique one, or else the only one.
    fn choose(&self, mut declared: Vec<Join>) -> Result<Join, ImportError> {
        let key = self.catalogue.primary_key(self.table).map(|key| &key.name);
        if let Some(join) = declared.iter().find(|join| Some(&join.column.name) == key) {
            return Ok(join.clone());
        }
        if declared.iter().any(|join| self.is_unique(join)) {
            declared.retain(|join| self.is_unique(join));
        }
        match declared.as_slice() {
            [only] => Ok(only.clone()),
            several => Err(self.open(several)),
        }
    }

    /// Returns the refusal for several candidates.
    pub(super) fn open<'a>(&self, candidates: impl IntoIterator<Item = &'a Join>) -> ImportError {
        let names: Vec<_> = candidates.into_iter().map(|join| join.column.name.as_str()).collect();
        ImportError::Ambiguous(format!(
            "several columns of {} could say which of the {} a row belongs to: {}; name one with --map {}=COLUMN",
            self.table,
            self.owner.noun.plural(),
            list(&names),
            self.field
        ))
    }

    fn checked(&self, join: Join) -> Result<Join, ImportError> {
        readable(self.table, &join.column, self.field)?;
        Ok(join)
    }
}
