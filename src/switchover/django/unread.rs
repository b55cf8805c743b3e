//! Names what is not read: columns of tables that are read, and tables that refer to users or groups.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::owner::Owner;
use super::tables::{MappedTable, Mapping};
use super::tokens::TokenTable;
use super::users::others;
use crate::database::foreign::ForeignTable;
use crate::directory::transfer::import::notices::Notices;

/// Parts of the names of columns that narrow what a key may do.
const NARROWING: [&str; 7] =
    ["scope", "write_enabled", "read_only", "readonly", "allowed", "permission", "abilities"];

/// Columns that refer to an owner, by table.
type Referring = BTreeMap<ForeignTable, BTreeSet<String>>;

/// Finds everything that is not read.
pub(super) fn find(catalogue: &Catalogue, mapping: &Mapping) -> Notices {
    let mut notices = Notices::default();
    let add = |notices: &mut Notices, text: &str, found: Vec<String>| {
        notices.add_all(text, found.len() as u64, found);
    };
    let tables: Vec<&ForeignTable> = mapping.tables().map(|(table, _)| &table.table).collect();
    add(
        &mut notices,
        "other tables that look like the users of a Django project are not read; name one with --user-table to read it instead",
        others(catalogue, &tables, &mapping.users.owner).iter().map(ToString::to_string).collect(),
    );
    let unread = columns(catalogue, mapping);
    add(
        &mut notices,
        "columns limit what a key may do, and are not read: each imported key gets all rights of its user",
        narrowing(mapping, &unread),
    );
    add(&mut notices, "columns that are not read", unread);
    let read: BTreeSet<&ForeignTable> = mapping.tables().map(|(table, _)| &table.table).collect();
    let mut users = referring(catalogue, &mapping.users.owner, "user_id");
    users.retain(|table, _| !read.contains(table));
    let mut groups = match &mapping.groups {
        Some(groups) => referring(catalogue, &groups.owner, "group_id"),
        None => Referring::new(),
    };
    groups.retain(|table, _| !read.contains(table));
    let both: Vec<ForeignTable> = users.keys().filter(|table| groups.contains_key(table)).cloned().collect();
    let joining = both.iter().map(|table| {
        let columns: BTreeSet<String> =
            [users.remove(table), groups.remove(table)].into_iter().flatten().flatten().collect();
        shown(table, &columns)
    });
    let joining: Vec<String> = joining.collect();
    add(
        &mut notices,
        "tables that join users and groups and are not read; if one has the memberships, name it with --membership-table",
        joining,
    );
    let list = |tables: &Referring| tables.iter().map(|(table, columns)| shown(table, columns)).collect();
    add(&mut notices, "tables that refer to users and are not read", list(&users));
    add(&mut notices, "tables that refer to groups and are not read", list(&groups));
    add(
        &mut notices,
        "tables of Django's groups that are not read, because the memberships refer to another table",
        other_groups(catalogue, mapping, true),
    );
    add(
        &mut notices,
        "tables of Django's groups in other schemas that are not read; name one with --groups-table to read it instead",
        other_groups(catalogue, mapping, false),
    );
    add(
        &mut notices,
        "tables of tokens that are not read, because their rows belong to another table than the users",
        strange_tokens(catalogue, mapping),
    );
    notices
}

fn shown(table: &ForeignTable, columns: &BTreeSet<String>) -> String {
    let columns: Vec<_> = columns.iter().map(String::as_str).collect();
    format!("{table} ({})", columns.join(", "))
}

/// Returns the columns of the tables that are read, except for those that are read and for keys without a meaning of their
/// own.
fn columns(catalogue: &Catalogue, mapping: &Mapping) -> Vec<String> {
    let mut read: BTreeMap<&ForeignTable, BTreeSet<&str>> = BTreeMap::new();
    for (MappedTable { table, join, columns }, _) in mapping.tables() {
        let known = read.entry(table).or_default();
        known.insert(&join.column.name);
        known.extend(columns.iter().map(|(_, column)| column.name.as_str()));
    }
    let owners = [Some(&mapping.users.owner), mapping.groups.as_ref().map(|groups| &groups.owner)];
    for owner in owners.into_iter().flatten() {
        read.entry(&owner.table).or_default().insert(&owner.referenced);
    }
    let mut found = Vec::new();
    for (table, known) in read {
        let is_owner = owners.iter().flatten().any(|owner| owner.table == *table);
        let key = catalogue.primary_key(table).filter(|_| !is_owner).map(|key| key.name.as_str());
        let columns = catalogue.columns(table).iter().map(|column| column.name.as_str());
        let unread = columns.filter(|name| !known.contains(name) && Some(*name) != key);
        found.extend(unread.map(|name| format!("{table}.{name}")));
    }
    found
}

/// Returns the unread columns of tables with nothing but tokens whose names say that they narrow a key.
fn narrowing(mapping: &Mapping, unread: &[String]) -> Vec<String> {
    let users: BTreeSet<&ForeignTable> = mapping.users.all().map(|table| &table.table).collect();
    let tokens = [mapping.tokens.as_ref(), mapping.knox.as_ref()].into_iter().flatten();
    let tables: Vec<_> = tokens
        .filter(|tokens| !users.contains(&tokens.table))
        .map(|tokens| format!("{}.", tokens.table))
        .collect();
    let narrows = |column: &str| {
        let name = column.to_ascii_lowercase();
        NARROWING.iter().any(|part| name.contains(part))
    };
    let of_tokens = |column: &&String| {
        tables.iter().any(|table| column.strip_prefix(table.as_str()).is_some_and(narrows))
    };
    unread.iter().filter(of_tokens).cloned().collect()
}

/// Returns the columns that refer to an owner: by a declared reference, or by their name where nothing is declared.
fn referring(catalogue: &Catalogue, owner: &Owner, usual: &str) -> Referring {
    let mut found = Referring::new();
    for key in &catalogue.references {
        if key.table != owner.table && owner.identified_by(&key.to, &key.to_column).is_some() {
            found.entry(key.table.clone()).or_default().insert(key.column.clone());
        }
    }
    for table in catalogue.tables.keys().filter(|table| **table != owner.table) {
        let Some(column) = catalogue.column(table, usual) else { continue };
        if !catalogue.is_view(table) && catalogue.reference(table, &column.name).is_none() {
            found.entry(table.clone()).or_default().insert(column.name.clone());
        }
    }
    found
}

/// Returns Django's own tables of groups beside those that are read: in the schema of the users, or in others.
fn other_groups(catalogue: &Catalogue, mapping: &Mapping, is_near: bool) -> Vec<String> {
    let is_read = |table: &ForeignTable| mapping.tables().any(|(read, _)| read.table == *table);
    let found = catalogue.named("auth_group");
    let found = found.filter(|table| (table.schema == mapping.users.owner.table.schema) == is_near);
    let found = found.filter(|table| (mapping.groups.is_some() || !is_near) && !is_read(table));
    found.map(ToString::to_string).collect()
}

/// Returns Django's own tables of tokens whose rows belong to another table.
fn strange_tokens(catalogue: &Catalogue, mapping: &Mapping) -> Vec<String> {
    let owner = &mapping.users.owner;
    let names = [TokenTable::Keys, TokenTable::Knox].map(TokenTable::usual_name);
    let mut found = Vec::new();
    for key in &catalogue.references {
        let is_ours = owner.identified_by(&key.to, &key.to_column).is_some();
        if names.contains(&key.table.name.as_str()) && !is_ours {
            found.push(format!("{}.{} refers to {}.{}", key.table, key.column, key.to, key.to_column));
        }
    }
    found
}
