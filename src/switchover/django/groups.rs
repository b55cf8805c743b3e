//! Finds the tables of groups and memberships: the membership table says which groups its users belong to.

use super::catalogue::{Catalogue, list};
use super::evidence::Evidence;
use super::joins::{Join, JoinSearch};
use super::options::MappingOptions;
use super::owner::{Noun, Owner};
use super::tables::{GroupTables, MappedTable, MembershipTable};
use crate::database::foreign::{ForeignColumn, ForeignTable};
use crate::directory::transfer::import::error::ImportError;

/// The longest name of a table on PostgreSQL. Django replaces the end of a longer one by four characters.
const MAX_NAME: usize = 63;
/// Notes and times of a group, by their fields in records.
const DETAILS: [(&str, &str); 3] =
    [("notes", "group_notes"), ("created_at", "group_created_at"), ("updated_at", "group_updated_at")];

/// What was found of groups.
#[derive(Debug, Default)]
pub(super) struct FoundGroups {
    pub(super) groups: Option<GroupTables>,
    pub(super) memberships: Option<MembershipTable>,
    /// Tables that could have notes and times of groups, if there are several.
    pub(super) possible_details: Vec<ForeignTable>,
}

/// What every step needs.
pub(super) struct GroupSearch<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) evidence: &'a dyn Evidence,
    pub(super) options: &'a MappingOptions,
    pub(super) users: &'a Owner,
}

impl GroupSearch<'_> {
    /// Finds the tables.
    pub(super) fn find(&self) -> Result<FoundGroups, ImportError> {
        let table = self.membership_table()?;
        let Some(groups) = self.groups_table(table.as_ref())? else { return Ok(FoundGroups::default()) };
        let owner = Owner::find(self.catalogue, self.evidence, self.options, Noun::Groups, groups)?;
        let memberships = table.map(|table| self.memberships(table, &owner)).transpose()?;
        let mut columns = vec![("name".to_owned(), self.name_column(&owner.table)?)];
        columns.extend(self.details_of(&owner.table, &[])?);
        // Memberships can refer to another column than the key. It is the last one.
        let reference = memberships.as_ref().map(|memberships| memberships.group.to.as_str());
        let reference = reference.filter(|to| *to != owner.key.name);
        let reference = reference.and_then(|to| self.catalogue.column(&owner.table, to));
        columns.extend(reference.map(|column| ("reference".to_owned(), column.clone())));
        let groups = MappedTable { table: owner.table.clone(), join: Join::own(&owner), columns };
        let (details, possible_details) = self.details(&owner, &groups)?;
        Ok(FoundGroups {
            groups: Some(GroupTables { owner, groups, details }),
            memberships,
            possible_details,
        })
    }

    fn search<'a>(&'a self, owner: &'a Owner, table: &'a ForeignTable) -> JoinSearch<'a> {
        let (field, usual) = match owner.noun {
            Noun::Users => ("membership_user", self.user_column(table)),
            Noun::Groups => ("membership_group", "group_id"),
        };
        JoinSearch { catalogue: self.catalogue, options: self.options, owner, table, field, usual }
    }

    /// Returns the name of the column that refers to the user if nothing declares it: Django names it after the model.
    fn user_column<'a>(&'a self, table: &ForeignTable) -> &'a str {
        let columns = self.catalogue.columns(table).iter().map(|column| column.name.as_str());
        let mut other = columns.filter(|name| name.ends_with("_id") && *name != "group_id");
        other.next().filter(|_| other.next().is_none()).unwrap_or("user_id")
    }

    /// Returns the table that the operator names, or the one that Django makes for the field `groups` of the user model. Any
    /// other table that joins users and groups can be something else: invitations, requests, a primary group.
    fn membership_table(&self) -> Result<Option<ForeignTable>, ImportError> {
        match self.options.membership_table.as_deref() {
            Some("") => return Ok(None),
            Some(named) => return self.catalogue.resolve(named, "--membership-table").map(Some),
            None => {}
        }
        let mut found: Vec<&ForeignTable> = Vec::new();
        for known in &self.users.identities {
            let usual = format!("{}_groups", known.table.name);
            let is_own = |table: &&ForeignTable| {
                table.schema == known.table.schema
                    && (table.name.eq_ignore_ascii_case(&usual) || is_shortened(&table.name, &usual))
                    && self.search(self.users, table).elsewhere().is_none()
                    && !(self.search(self.users, table).declared().is_empty()
                        && self.search(self.users, table).undeclared().is_none())
            };
            found.extend(
                self.catalogue
                    .tables
                    .keys()
                    .filter(is_own)
                    .filter(|table| !found.contains(table))
                    .collect::<Vec<_>>(),
            );
        }
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some((*only).clone())),
            several => Err(ImportError::Ambiguous(format!(
                "several tables could have the memberships: {}; name one with --membership-table",
                list(several)
            ))),
        }
    }

    /// Returns the table of the groups: the one that the operator names, the one that the membership table refers to, or
    /// Django's own.
    fn groups_table(&self, memberships: Option<&ForeignTable>) -> Result<Option<ForeignTable>, ImportError> {
        match self.options.groups_table.as_deref() {
            Some("") => return Ok(None),
            Some(named) => return self.catalogue.resolve(named, "--groups-table").map(Some),
            None => {}
        }
        if let Some(table) = memberships
            && let Some(groups) = self.declared_groups(table)?
        {
            return Ok(Some(groups));
        }
        let own = |table: &&ForeignTable| table.schema == self.users.table.schema;
        let found: Vec<_> = self.catalogue.named("auth_group").collect();
        match (found.iter().copied().find(own), found.as_slice()) {
            (Some(table), _) => Ok(Some(table.clone())),
            (None, [table]) => Ok(Some((*table).clone())),
            (None, []) => Ok(None),
            (None, several) => Err(ImportError::Ambiguous(format!(
                "several tables could have the groups: {}; name one with --groups-table",
                list(several)
            ))),
        }
    }

    /// Returns the table that a membership table declares as its groups. A child by multi-table inheritance has its names in
    /// the table of its parent.
    fn declared_groups(&self, table: &ForeignTable) -> Result<Option<ForeignTable>, ImportError> {
        let references =
            self.catalogue.references.iter().filter(|key| {
                key.table == *table && self.users.identified_by(&key.to, &key.to_column).is_none()
            });
        let mut references: Vec<_> = references.collect();
        match self.options.column("membership_group") {
            Some(named) if !named.is_empty() => {
                let column = self.catalogue.named_column(table, "membership_group", named)?;
                references.retain(|key| key.column == column.name);
            }
            _ => {
                let users = self.search(self.users, table).declared();
                let is_pair = |column: &str| {
                    users.iter().any(|user| self.catalogue.is_unique(table, &[&user.column.name, column]))
                };
                if references.iter().any(|key| is_pair(&key.column)) {
                    references.retain(|key| is_pair(&key.column));
                }
            }
        }
        let [only] = references.as_slice() else {
            return match references.as_slice() {
                [] => Ok(None),
                several => Err(ImportError::Ambiguous(format!(
                    "several columns of {table} could refer to the groups: {}; name one with --map membership_group=COLUMN",
                    list(several.iter().map(|key| format!("{} (to {})", key.column, key.to)))
                ))),
            };
        };
        let mut groups = &only.to;
        let mut seen = vec![groups];
        while self.catalogue.field(self.options, groups, "group_name").ok().flatten().is_none() {
            let key = self.catalogue.primary_key(groups);
            let parent = key.and_then(|key| self.catalogue.reference(groups, &key.name)).map(|key| &key.to);
            match parent.filter(|parent| !seen.contains(parent)) {
                Some(parent) => groups = parent,
                None => return Ok(Some(only.to.clone())),
            }
            seen.push(groups);
        }
        Ok(Some(groups.clone()))
    }

    fn name_column(&self, groups: &ForeignTable) -> Result<ForeignColumn, ImportError> {
        self.catalogue.field(self.options, groups, "group_name")?.ok_or_else(|| {
            ImportError::Ambiguous(format!(
                "the table {groups} has no column for the names of groups: name it with --map group_name=COLUMN (its columns \
                 are {}), or another table with --groups-table",
                list(self.catalogue.columns(groups).iter().map(|column| &column.name))
            ))
        })
    }

    /// Finds the columns of a membership table.
    fn memberships(&self, table: ForeignTable, groups: &Owner) -> Result<MembershipTable, ImportError> {
        let (of_user, of_group) = (self.search(self.users, &table), self.search(groups, &table));
        let candidates = |search: &JoinSearch<'_>| -> Result<Vec<Join>, ImportError> {
            if self.options.column(search.field).is_some_and(|named| !named.is_empty()) {
                return Ok(search.find()?.into_iter().collect());
            }
            let declared = search.declared();
            let found =
                if declared.is_empty() { search.undeclared().into_iter().collect() } else { declared };
            if found.is_empty() {
                let why = search.elsewhere().map_or_else(String::new, |why| format!(" ({why})"));
                return Err(ImportError::Ambiguous(format!(
                    "the table {table} has no column that refers to {}{why}: name it with --map {}=COLUMN, or another table \
                     with --membership-table; --membership-table= reads no memberships",
                    search.owner.table, search.field
                )));
            }
            Ok(found)
        };
        let (users, groups) = (candidates(&of_user)?, candidates(&of_group)?);
        let all = || users.iter().flat_map(|user| groups.iter().map(move |group| (user, group)));
        let unique: Vec<_> = all()
            .filter(|(user, group)| {
                self.catalogue.is_unique(&table, &[&user.column.name, &group.column.name])
            })
            .collect();
        let (user, group) = match (users.as_slice(), groups.as_slice(), unique.as_slice()) {
            ([user], [group], _) => (user, group),
            (_, _, [(user, group)]) => (*user, *group),
            ([_], several, _) => return Err(of_group.open(several)),
            (several, _, _) => return Err(of_user.open(several)),
        };
        let columns = vec![("group".to_owned(), group.column.clone())];
        let (user, group) = (user.clone(), group.clone());
        Ok(MembershipTable { table: MappedTable { table: table.clone(), join: user, columns }, group })
    }

    /// Returns the columns of notes and times that a table has, without those that are known.
    fn details_of(
        &self,
        table: &ForeignTable,
        known: &[(String, ForeignColumn)],
    ) -> Result<Vec<(String, ForeignColumn)>, ImportError> {
        let mut found = Vec::new();
        for (field, option) in DETAILS {
            if known.iter().any(|(other, _)| other == field) {
                continue;
            }
            let column = match self.options.column(option) {
                Some("") => None,
                Some(named) => self.catalogue.column(table, named).cloned(),
                None => self.catalogue.usual_column(table, option, option)?,
            };
            found.extend(column.map(|column| (field.to_owned(), column)));
        }
        Ok(found)
    }

    fn details_search<'a>(&'a self, owner: &'a Owner, table: &'a ForeignTable) -> JoinSearch<'a> {
        let (catalogue, options) = (self.catalogue, self.options);
        JoinSearch { catalogue, options, owner, table, field: "group_profile_group", usual: "group_id" }
    }

    /// Returns the table with one row a group: the one that the operator names, or the only one whose reference to groups is
    /// unique by a constraint and that has notes or times. If there are several, they are returned instead.
    fn details(
        &self,
        owner: &Owner,
        groups: &MappedTable,
    ) -> Result<(Option<MappedTable>, Vec<ForeignTable>), ImportError> {
        match self.options.group_profile_table.as_deref() {
            Some("") => return Ok((None, Vec::new())),
            Some(named) => return Ok((Some(self.named_details(owner, groups, named)?), Vec::new())),
            None => {}
        }
        let mut found = Vec::new();
        for table in self.catalogue.tables.keys().filter(|table| **table != owner.table) {
            let search = self.details_search(owner, table);
            let mut unique = search.declared();
            unique.retain(|join| search.is_unique(join));
            let [_] = unique.as_slice() else { continue };
            let columns = self.details_of(table, &groups.columns)?;
            if let (Some(join), false) = (unique.pop(), columns.is_empty()) {
                found.push(MappedTable { table: table.clone(), join, columns });
            }
        }
        match found.len() {
            0 | 1 => Ok((found.pop(), Vec::new())),
            _ => Ok((None, found.into_iter().map(|table| table.table).collect())),
        }
    }

    fn named_details(
        &self,
        owner: &Owner,
        groups: &MappedTable,
        named: &str,
    ) -> Result<MappedTable, ImportError> {
        let table = self.catalogue.resolve(named, "--group-profile-table")?;
        if table == owner.table {
            return Err(ImportError::Ambiguous(format!(
                "{table} is the table of the groups, and its own columns are read without --group-profile-table; to name the \
                 table of the groups, use --groups-table"
            )));
        }
        let columns = self.details_of(&table, &groups.columns)?;
        let join = self.details_search(owner, &table).find_one_each(self.evidence)?;
        match join.filter(|_| !columns.is_empty()) {
            Some(join) => Ok(MappedTable { table, join, columns }),
            None => Err(ImportError::Ambiguous(format!(
                "the table {table} does not refer to {}, or has neither notes nor times: name its columns with --map \
                 group_profile_group=COLUMN and --map group_notes=COLUMN, or another table with --group-profile-table",
                owner.table
            ))),
        }
    }
}

/// Returns whether Django made this name from a longer one.
fn is_shortened(name: &str, whole: &str) -> bool {
    whole.len() > MAX_NAME
        && name.len() == MAX_NAME
        && name.as_bytes().get(..MAX_NAME - 4) == whole.as_bytes().get(..MAX_NAME - 4)
}
