//! Finds which table and column of a Django database holds what: the operator says so, or declared references and
//! uniqueness decide. Names that Django uses decide only where nothing is declared.
//!
//! From a catalogue, options and what the rows show to a mapping, or to an error about what is open and how to settle it.

use super::catalogue::Catalogue;
use super::evidence::Evidence;
use super::factors;
use super::groups::{FoundGroups, GroupSearch};
use super::options::MappingOptions;
use super::tables::{FlagSource, MappedTable, Mapping, MembershipTable, UserTables};
use super::tokens::{TokenSearch, TokenTable};
use super::unread;
use super::users;
use crate::directory::model::FLAG_FIELDS;
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::notices::Notices;

impl Mapping {
    /// Finds the tables and columns.
    pub(super) fn find(
        catalogue: &Catalogue,
        evidence: &dyn Evidence,
        options: &MappingOptions,
    ) -> Result<Self, ImportError> {
        options.check_fields()?;
        let users = users::find(catalogue, evidence, options)?;
        let search = GroupSearch { catalogue, evidence, options, users: &users.owner };
        let FoundGroups { groups, memberships, possible_details } = search.find()?;
        let tokens = |kind| TokenSearch { catalogue, options, users: &users.owner, kind }.find();
        let (tokens, knox) = (tokens(TokenTable::Keys)?, tokens(TokenTable::Knox)?);
        check_group_flags(&users, memberships.as_ref())?;
        let mut mapping = Self { users, groups, memberships, tokens, knox, notices: Notices::default() };
        check_used(options, &mapping)?;
        let mut notices = missing_flags(&mapping, options);
        notices.add_all(
            "tables that could have notes of groups: name one with --group-profile-table",
            possible_details.len() as u64,
            possible_details.iter().map(ToString::to_string).collect(),
        );
        let owner = &mapping.users.owner;
        if owner.is_view && owner.identities.iter().all(|known| known.table == owner.table) {
            notices.add(
                "the rows of the view do not show which table is behind it, so what refers to that table is not read; name it \
                 with --membership-table, --token-table, --knox-table and --map FIELD=COLUMN",
                &owner.table,
            );
        }
        notices.extend(unread::find(catalogue, &mapping));
        notices.extend(factors::find(catalogue, evidence, &mapping.users)?);
        mapping.notices = notices;
        Ok(mapping)
    }

    /// Describes the mapping: the fields, and the columns they are read from.
    pub(super) fn describe(&self) -> Vec<(String, String)> {
        let (owner, mut found) = (&self.users.owner, Vec::new());
        let id = if owner.has_ids { format!("{}.{}", owner.table, owner.key.name) } else { nowhere() };
        found.push(("user id".to_owned(), id));
        for table in self.users.all() {
            describe_columns("user", table, &mut found);
        }
        for (field, source) in &self.users.flags {
            let source = match source {
                FlagSource::Constant(flag) => flag.to_string(),
                FlagSource::Group(name) => format!("members of the group {name:?}"),
            };
            found.push((format!("user {field}"), source));
        }
        for side in &self.users.sides {
            found.push(("profile joined by".to_owned(), side.join.describe(&side.table, owner)));
        }
        if let Some(groups) = &self.groups {
            let key = format!("{}.{}", groups.owner.table, groups.owner.key.name);
            found.push(("group id".to_owned(), if groups.owner.has_ids { key } else { nowhere() }));
            describe_columns("group", &groups.groups, &mut found);
            if let Some(details) = &groups.details {
                describe_columns("group", details, &mut found);
                let join = details.join.describe(&details.table, &groups.owner);
                found.push(("group profile joined by".to_owned(), join));
            }
        }
        let memberships = self.memberships.as_ref().map(|memberships| &memberships.table);
        found.push((
            "memberships".to_owned(),
            memberships.map_or_else(nowhere, |table| table.table.to_string()),
        ));
        if let (Some(memberships), Some(groups)) = (&self.memberships, &self.groups) {
            let table = &memberships.table;
            let joins = [
                table.join.describe(&table.table, owner),
                memberships.group.describe(&table.table, &groups.owner),
            ];
            found.push(("memberships joined by".to_owned(), joins.join(", ")));
        }
        for (noun, kind, table) in [
            ("tokens of Django REST Framework", "tokens", &self.tokens),
            ("tokens of knox", "knox", &self.knox),
        ] {
            found.push((
                noun.to_owned(),
                table.as_ref().map_or_else(nowhere, |table| table.table.to_string()),
            ));
            if let Some(table) = table {
                found.push((format!("{kind} joined by"), table.join.describe(&table.table, owner)));
            }
        }
        found
    }
}

fn nowhere() -> String {
    "nowhere".to_owned()
}

fn describe_columns(noun: &str, table: &MappedTable, found: &mut Vec<(String, String)>) {
    found.extend(
        table
            .columns
            .iter()
            .map(|(field, column)| (format!("{noun} {field}"), format!("{}.{}", table.table, column.name))),
    );
}

/// A column that the operator names for a table that is not read, or that lacks it, is a mistake.
fn check_used(options: &MappingOptions, mapping: &Mapping) -> Result<(), ImportError> {
    let details = mapping.groups.as_ref().and_then(|groups| groups.details.as_ref());
    let has_detail = |field: &str| {
        let tables = mapping.groups.iter().map(|groups| &groups.groups).chain(details);
        tables.flat_map(|table| &table.columns).any(|(known, _)| known == field)
    };
    for (field, column) in options.columns.iter().filter(|(_, column)| !column.is_empty()) {
        let is_of = |prefix: &str| field.starts_with(prefix);
        let why = match field.as_str() {
            "profile_user" if options.profile_table.is_none() => {
                "no profile is read; name it with --profile-table"
            }
            "group_profile_group" if details.is_none() => {
                "no side table of groups is read; name it with --group-profile-table"
            }
            _ if is_of("membership_") && mapping.memberships.is_none() => {
                "no memberships are read; name their table with --membership-table"
            }
            _ if is_of("token_") && mapping.tokens.is_none() => {
                "no table of keys is read; name it with --token-table"
            }
            _ if is_of("knox_") && mapping.knox.is_none() => {
                "no table of knox is read; name it with --knox-table"
            }
            _ if is_of("group_") && mapping.groups.is_none() => {
                "no groups are read; name their table with --groups-table"
            }
            "group_notes" | "group_created_at" | "group_updated_at"
                if !has_detail(field.trim_start_matches("group_")) =>
            {
                "no table of groups has this column; name a side table with --group-profile-table"
            }
            _ => continue,
        };
        return Err(ImportError::Ambiguous(format!("--map {field}={column}: {why}")));
    }
    Ok(())
}

/// A flag from a group needs the memberships.
fn check_group_flags(users: &UserTables, memberships: Option<&MembershipTable>) -> Result<(), ImportError> {
    let from_group = users.flags.iter().find(|(_, source)| matches!(source, FlagSource::Group(_)));
    match (from_group, memberships) {
        (Some((field, FlagSource::Group(name))), None) => Err(ImportError::Ambiguous(format!(
            "--map {field}=group:{name}: no memberships are read; name their table with --membership-table"
        ))),
        _ => Ok(()),
    }
}

/// Names the flags that no column has, and what follows. Only what the source has is suggested.
fn missing_flags(mapping: &Mapping, options: &MappingOptions) -> Notices {
    let (users, mut notices) = (&mapping.users, Notices::default());
    for field in FLAG_FIELDS {
        if users.has(field) || options.column(field).is_some() {
            continue;
        }
        let (who, what) = match *field {
            "is_active" => ("active", "every new user is active"),
            "is_staff" => ("staff", "no new user is staff"),
            _ => ("an admin", "no new user is an admin"),
        };
        let active = (*field == "is_staff").then(|| active_column(users)).flatten();
        let column = active.unwrap_or_else(|| "COLUMN".to_owned());
        let ways = match mapping.memberships {
            Some(_) => format!("--map {field}={column}, --map {field}=true or --map {field}=group:NAME"),
            None => format!("--map {field}={column} or --map {field}=true"),
        };
        notices.add(&format!("no column says who is {who}, so {what}: use {ways}"), &users.owner.table);
    }
    notices
}

/// Returns the column that says who is active, as `--map` names it.
fn active_column(users: &UserTables) -> Option<String> {
    users.all().find_map(|table| {
        let (_, column) = table.columns.iter().find(|(field, _)| field == "is_active")?;
        let is_own = table.table == users.owner.table;
        Some(if is_own { column.name.clone() } else { format!("{}.{}", table.table, column.name) })
    })
}

#[cfg(test)]
mod tests;
