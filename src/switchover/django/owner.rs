//! A table whose rows other rows are about: the users, or the groups. Its key, and every column of the source whose values
//! identify its rows.

use super::catalogue::{Catalogue, is_whole_type, list, readable};
use super::evidence::Evidence;
use super::options::MappingOptions;
use crate::database::foreign::{ForeignColumn, ForeignTable, KeyKind};
use crate::directory::transfer::import::error::ImportError;

/// A column whose values identify rows of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentifyingColumn {
    pub(super) table: ForeignTable,
    pub(super) column: String,
    /// The column of the owner's table with the same values.
    pub(super) to: String,
    /// Whether the column belongs to a parent of the owner, which has other children too.
    pub(super) is_parent: bool,
}

/// What the rows of an owner are, for messages and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noun {
    Users,
    Groups,
}

impl Noun {
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
        }
    }

    /// Returns the field that `--map` gives the column with the ids.
    pub(super) fn id_field(self) -> &'static str {
        match self {
            Self::Users => "user_id",
            Self::Groups => "group_id",
        }
    }

    /// Returns the field with the name of a row.
    fn name_field(self) -> &'static str {
        match self {
            Self::Users => "username",
            Self::Groups => "group_name",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Users => "username",
            Self::Groups => "name",
        }
    }
}

/// The table of the users or of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) noun: Noun,
    pub(super) table: ForeignTable,
    /// The column by which rows are read and known.
    pub(super) key: ForeignColumn,
    pub(super) kind: KeyKind,
    /// Whether the values of the key are imported as ids. Otherwise the name identifies a row.
    pub(super) has_ids: bool,
    /// The column that a reference without a declaration refers to.
    pub(super) referenced: String,
    pub(super) identities: Vec<IdentifyingColumn>,
    pub(super) is_view: bool,
}

impl Owner {
    /// Finds the key of a table and what identifies its rows.
    pub(super) fn find(
        catalogue: &Catalogue,
        evidence: &dyn Evidence,
        options: &MappingOptions,
        noun: Noun,
        table: ForeignTable,
    ) -> Result<Self, ImportError> {
        let named = options.column(noun.id_field());
        let key = key(catalogue, noun, &table, named.filter(|named| !named.is_empty()))?;
        if !catalogue.is_unique(&table, &[&key.name]) {
            check_unique(evidence, noun, &table, &key)?;
        }
        let has_ids = named != Some("");
        let kind = key_kind(evidence, &table, &key)?;
        if has_ids && kind != KeyKind::Number {
            return Err(not_numbers(noun, &table, &key));
        }
        let referenced = catalogue.primary_key(&table).unwrap_or(&key).name.clone();
        let is_view = catalogue.is_view(&table);
        let mut owner = Self { noun, table, key, kind, has_ids, referenced, identities: Vec::new(), is_view };
        owner.find_identities(catalogue, evidence, options)?;
        Ok(owner)
    }

    /// Returns the column of the owner's table that a column identifies.
    pub(super) fn identified_by(&self, table: &ForeignTable, column: &str) -> Option<&str> {
        let found = self.identities.iter().find(|known| known.table == *table && known.column == column);
        found.map(|known| known.to.as_str())
    }

    fn find_identities(
        &mut self,
        catalogue: &Catalogue,
        evidence: &dyn Evidence,
        options: &MappingOptions,
    ) -> Result<(), ImportError> {
        let own = |column: &str| IdentifyingColumn {
            table: self.table.clone(),
            column: column.to_owned(),
            to: column.to_owned(),
            is_parent: false,
        };
        let mut found = vec![own(&self.key.name)];
        if let Some(shape) = catalogue.tables.get(&self.table) {
            let single = shape.uniques.iter().filter_map(|columns| match columns.as_slice() {
                [only] if *only != self.key.name => Some(own(only)),
                _ => None,
            });
            found.extend(single);
        }
        if self.is_view {
            found.extend(self.behind(catalogue, evidence, options)?);
        }
        let mut at = 0;
        while let Some(known) = found.get(at).cloned() {
            at += 1;
            for (table, column, is_parent) in inherited(catalogue, &known) {
                if !found.iter().any(|other| other.table == *table && other.column == *column) {
                    let (table, column, to) = (table.clone(), column.clone(), known.to.clone());
                    found.push(IdentifyingColumn { table, column, to, is_parent });
                }
            }
        }
        self.identities = found;
        Ok(())
    }

    /// Finds the tables behind a view: each row of the view must be a row there, with the same key and the same unique value,
    /// such as a username.
    fn behind(
        &self,
        catalogue: &Catalogue,
        evidence: &dyn Evidence,
        options: &MappingOptions,
    ) -> Result<Vec<IdentifyingColumn>, ImportError> {
        let mut referred: Vec<_> = catalogue.references.iter().map(|key| (&key.to, &key.to_column)).collect();
        referred.sort_unstable();
        referred.dedup();
        let name = catalogue.field(options, &self.table, self.noun.name_field())?;
        let mut found = Vec::new();
        for (table, column) in referred {
            if catalogue.primary_key(table).is_none_or(|key| key.name != *column) {
                continue;
            }
            let is_proof = |other: &&ForeignColumn| {
                other.name != *column && other.is_readable && catalogue.is_unique(table, &[&other.name])
            };
            for proof in catalogue.columns(table).iter().filter(is_proof) {
                let alike = catalogue.column(&self.table, &proof.name);
                let (one, other) = ((&self.table, self.key.name.as_str()), (table, column.as_str()));
                for own in [alike, name.as_ref()].into_iter().flatten().filter(|own| own.is_readable) {
                    let (to, is_parent) = (self.key.name.clone(), false);
                    let known =
                        IdentifyingColumn { table: table.clone(), column: column.clone(), to, is_parent };
                    if !found.contains(&known) && evidence.are_same(one, other, (&own.name, &proof.name))? {
                        found.push(known);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Returns the primary keys that have the same values by multi-table inheritance: a primary key that refers to another is
/// the key of a child. Other children of a parent are not the same rows.
fn inherited<'a>(
    catalogue: &'a Catalogue,
    known: &IdentifyingColumn,
) -> Vec<(&'a ForeignTable, &'a String, bool)> {
    let is_key = |table: &ForeignTable, column: &str| {
        catalogue.primary_key(table).is_some_and(|key| key.name == column)
    };
    if !is_key(&known.table, &known.column) {
        return Vec::new();
    }
    let is_from = |table: &ForeignTable, column: &str| known.table == *table && known.column == column;
    let parents = catalogue.references.iter().filter(|key| is_from(&key.table, &key.column));
    let children = catalogue.references.iter().filter(|key| {
        !known.is_parent && is_from(&key.to, &key.to_column) && is_key(&key.table, &key.column)
    });
    parents
        .map(|key| (&key.to, &key.to_column, true))
        .chain(children.map(|key| (&key.table, &key.column, false)))
        .collect()
}

fn key(
    catalogue: &Catalogue,
    noun: Noun,
    table: &ForeignTable,
    named: Option<&str>,
) -> Result<ForeignColumn, ImportError> {
    if let Some(named) = named {
        return catalogue.named_column(table, noun.id_field(), named);
    }
    if let Some(key) = catalogue.primary_key(table).or_else(|| catalogue.column(table, "id")) {
        return readable(table, key, noun.id_field());
    }
    Err(ImportError::Ambiguous(format!(
        "{table} has neither a primary key of one column nor a column id: name the column that identifies {} with --map \
         {}=COLUMN; its columns are {}",
        noun.plural(),
        noun.id_field(),
        list(catalogue.columns(table).iter().map(|column| &column.name))
    )))
}

fn check_unique(
    evidence: &dyn Evidence,
    noun: Noun,
    table: &ForeignTable,
    key: &ForeignColumn,
) -> Result<(), ImportError> {
    let repeated = evidence.repeated(table, &key.name)?;
    if repeated.is_empty() {
        return Ok(());
    }
    Err(ImportError::Ambiguous(format!(
        "several rows of {table} have the same {} ({}), so it does not identify {}: name another column with --map {}=COLUMN",
        key.name,
        list(repeated),
        noun.plural(),
        noun.id_field()
    )))
}

fn key_kind(
    evidence: &dyn Evidence,
    table: &ForeignTable,
    key: &ForeignColumn,
) -> Result<KeyKind, ImportError> {
    Ok(match key.kind.as_str() {
        kind if is_whole_type(kind) => KeyKind::Number,
        "uuid" => KeyKind::Uuid,
        _ if evidence.are_whole(table, key)? => KeyKind::Number,
        _ => KeyKind::Text,
    })
}

fn not_numbers(noun: Noun, table: &ForeignTable, key: &ForeignColumn) -> ImportError {
    let (nouns, field, name) = (noun.plural(), noun.id_field(), noun.name());
    let other = if noun == Noun::Groups { ". --groups-table= reads no groups" } else { "" };
    ImportError::Ambiguous(format!(
        "the ids of {table} (column {}) are of the type {:?}, and ids here are whole numbers. If no client stores ids of \
         {nouns}, import without them: --map {field}= matches {nouns} by their {name} and gives new ids. If another column \
         has whole numbers, name it: --map {field}=COLUMN{other}",
        key.name, key.kind
    ))
}
