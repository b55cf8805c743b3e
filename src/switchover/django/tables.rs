//! The tables and columns that are read, once they are found.

use super::joins::Join;
use super::owner::Owner;
use crate::database::foreign::{ForeignColumn, ForeignTable, KeyKind};
use crate::directory::transfer::import::notices::Notices;

/// A table, how its rows are joined to their owner, and the columns that are read, by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MappedTable {
    pub(super) table: ForeignTable,
    pub(super) join: Join,
    pub(super) columns: Vec<(String, ForeignColumn)>,
}

impl MappedTable {
    /// Returns whether the joining column has the owner's key itself. Texts can be equal and differ, such as those of
    /// `citext`, so only the database compares them.
    pub(super) fn has_key(&self, owner: &Owner) -> bool {
        self.join.to == owner.key.name && (owner.kind != KeyKind::Text || self.table == owner.table)
    }
}

/// A flag that no column has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FlagSource {
    /// The same for all users.
    Constant(bool),
    /// True for the members of the group with this name.
    Group(String),
}

/// Where users are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserTables {
    pub(super) owner: Owner,
    pub(super) users: MappedTable,
    /// Tables with one row a user.
    pub(super) sides: Vec<MappedTable>,
    pub(super) flags: Vec<(String, FlagSource)>,
}

impl UserTables {
    /// Iterates over the tables with fields of users.
    pub(super) fn all(&self) -> impl Iterator<Item = &MappedTable> {
        std::iter::once(&self.users).chain(&self.sides)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut MappedTable> {
        std::iter::once(&mut self.users).chain(&mut self.sides)
    }

    /// Returns whether a field is read or set.
    pub(super) fn has(&self, field: &str) -> bool {
        self.all().any(|table| table.columns.iter().any(|(known, _)| known == field))
            || self.flags.iter().any(|(known, _)| known == field)
    }
}

/// Where groups are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupTables {
    pub(super) owner: Owner,
    pub(super) groups: MappedTable,
    /// A table with one row a group, with notes and times.
    pub(super) details: Option<MappedTable>,
}

/// Where memberships are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MembershipTable {
    /// The rows by user. The only column that is read refers to the group.
    pub(super) table: MappedTable,
    /// How they are joined to groups.
    pub(super) group: Join,
}

/// Which field is read from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) users: UserTables,
    pub(super) groups: Option<GroupTables>,
    pub(super) memberships: Option<MembershipTable>,
    /// Keys in clear text, as `authtoken` of Django REST Framework has them.
    pub(super) tokens: Option<MappedTable>,
    pub(super) knox: Option<MappedTable>,
    /// What is not read, and what follows from columns that do not exist.
    pub(super) notices: Notices,
}

impl Mapping {
    /// Iterates over every table that is read, each with the owner of its rows.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&MappedTable, &Owner)> {
        let users = &self.users.owner;
        let groups = self.groups.iter().flat_map(|groups| {
            let tables = [Some(&groups.groups), groups.details.as_ref()].into_iter().flatten();
            tables.map(|table| (table, &groups.owner))
        });
        let memberships = self.memberships.iter().map(|memberships| &memberships.table);
        let tokens = [self.tokens.as_ref(), self.knox.as_ref()].into_iter().flatten();
        let of_users = self.users.all().chain(memberships).chain(tokens);
        of_users.map(move |table| (table, users)).chain(groups)
    }
}
