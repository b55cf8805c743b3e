//! The changes of a request, as one line for each row or column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use wardroom::directory::model::Timestamp;

use super::rules::is_default;

type Row = Map<String, Value>;

/// Columns that are computed from other columns, or that triggers keep from other rows. Whatever is written through the API
/// was made here, and a new expiry is also that of `ends_by`.
const DERIVED: [&str; 7] =
    ["username_key", "email_key", "name_key", "search_key", "users_count", "made_here", "ends_by"];
/// Columns whose value cannot be predicted, or does not matter.
const NOT_TOLD: [&str; 8] =
    ["updated_at", "last_login", "revoked_at", "expires_at", "password", "remains", "used_at", "ended_at"];

/// The lines that only one of two texts has; each text is sorted by bytes.
fn differing<'t>(before: &'t str, after: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let (mut old, mut new) = (before.lines().peekable(), after.lines().peekable());
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return (gone, come),
            (Some(one), Some(other)) if one == other => drop((old.next(), new.next())),
            (Some(one), other) if other.is_none_or(|other| one < other) => gone.extend(old.next()),
            _ => come.extend(new.next()),
        }
    }
}

/// Parses lines into rows, by table and key.
fn rows(lines: Vec<&str>) -> BTreeMap<String, Row> {
    let row = |line: &str| {
        let (table, columns) = line.split_once(' ').unwrap();
        let row: Row = serde_json::from_str(columns).unwrap();
        let row: Row = row.into_iter().map(|(name, value)| (name.clone(), plain(&name, value))).collect();
        (name(table, &row), row)
    };
    lines.into_iter().map(row).collect()
}

/// SQLite's booleans are numbers, and PostgreSQL marks a digest as one.
fn plain(name: &str, value: Value) -> Value {
    match &value {
        Value::Number(number) if name.starts_with("is_") || name == "read_only" => {
            Value::Bool(number.as_i64() != Some(0))
        }
        Value::String(digest) if ["root", "digest"].contains(&name) => {
            digest.trim_start_matches("\\x").to_lowercase().into()
        }
        _ => value,
    }
}

/// The sign-in that a token was derived from: none, itself, or the one with this digest.
fn root(row: &Row) -> &str {
    match (row["root"].as_str(), row["digest"].as_str()) {
        (None | Some(""), _) => "none",
        (root, digest) if root == digest => "itself",
        (Some(root), _) => root,
    }
}

/// The sign-in of every token; a sign-in has its own digest.
pub fn roots(all: &str) -> BTreeMap<i64, String> {
    let tokens = rows(all.lines().filter(|line| line.starts_with("tokens ")).collect());
    let of = |row: &Row| {
        if root(row) == "itself" { row["digest"].as_str().unwrap() } else { root(row) }.to_owned()
    };
    tokens.values().map(|row| (row["id"].as_i64().unwrap(), of(row))).collect()
}

/// Returns a row's table and key.
fn name(table: &str, row: &Row) -> String {
    let key: &[&str] = match table {
        "memberships" => &["user_id", "group_id"],
        "user_permissions" => &["user_id", "permission_id"],
        "group_permissions" => &["group_id", "permission_id"],
        "deleted_memberships" => &["group_id", "user_id"],
        "links" => &["user_id", "kind"],
        _ => &["id"],
    };
    let key: Vec<_> = key.iter().map(|column| row[*column].to_string()).collect();
    format!("{table} {}", key.join(" "))
}

/// Returns the tables with differences.
pub fn tables(before: &str, after: &str) -> BTreeSet<String> {
    let (gone, come) = differing(before, after);
    gone.into_iter().chain(come).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Returns every change. Users whose id is above `last` are new.
pub fn deltas(before: &str, after: &str, last: i64) -> BTreeSet<String> {
    let (gone, come) = differing(before, after);
    let (old, new) = (rows(gone), rows(come));
    let mut changes = BTreeSet::new();
    for (name, row) in &old {
        match new.get(name) {
            Some(new) => changed(name, row, new, &mut changes),
            None if is_link(name) => drop(changes.insert(format!("{name} -"))),
            None => drop(changes.insert(format!("{name} gone"))),
        }
    }
    let added_group = |id: i64| {
        let name = format!("groups {id}");
        // A group that comes back was in the recycle bin.
        new.contains_key(&name) && !old.contains_key(&name) && !old.contains_key(&format!("deleted_{name}"))
    };
    for (name, row) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        added(name, row, last, &added_group, &mut changes);
    }
    changes
}

fn is_link(name: &str) -> bool {
    ["memberships", "user_permissions", "group_permissions", "deleted_memberships"]
        .contains(&name.split(' ').next().unwrap())
}

fn changed(name: &str, old: &Row, new: &Row, changes: &mut BTreeSet<String>) {
    for (column, value) in new.iter().filter(|(column, value)| old.get(*column) != Some(value)) {
        if NOT_TOLD.contains(&column.as_str()) {
            changes.insert(format!("{name} {column}"));
        } else if !DERIVED.contains(&column.as_str()) {
            changes.insert(format!("{name} {column}={value}"));
        }
    }
}

fn added(
    name: &str,
    row: &Row,
    last: i64,
    added_group: &dyn Fn(i64) -> bool,
    changes: &mut BTreeSet<String>,
) {
    let (table, key) = name.split_once(' ').unwrap();
    if is_link(name) {
        let (of, to) = key.split_once(' ').unwrap();
        let id = of.parse().unwrap();
        let is_new = if table == "group_permissions" { added_group(id) } else { id > last };
        let of = if is_new { "new" } else { of };
        changes.insert(format!("{table} {of} {to} +"));
        return;
    }
    match table {
        "users" if row["id"].as_i64().unwrap() <= last => drop(changes.insert(format!("{name} back"))),
        "groups" if !added_group(row["id"].as_i64().unwrap()) => drop(changes.insert(format!("{name} back"))),
        "users" | "groups" => {
            changes.insert(format!("{table} new"));
            let shown = |column: &str| {
                !["id", "created_at", "updated_at", "password"].contains(&column)
                    && !DERIVED.contains(&column)
            };
            let columns = row.iter().filter(|(column, value)| shown(column) && !is_default(column, value));
            changes.extend(columns.map(|(column, value)| format!("{table} new {column}={value}")));
            let usable =
                row.get("password").and_then(Value::as_str).is_some_and(|hash| !hash.starts_with('!'));
            changes.extend(usable.then(|| "users new password".to_owned()));
        }
        "tokens" => {
            let end =
                row["expires_at"].as_i64().map(|micros| Timestamp::from_micros(micros).unwrap().to_string());
            let end = end.map_or("null".to_owned(), |end| format!("{end:?}"));
            changes.insert(format!(
                "tokens new of={} kind={} name={} end={end} made_by={} root={} scopes={} read_only={} networks={}",
                row["user_id"],
                row["kind"],
                row["name"],
                row["made_by"],
                root(row),
                row["scopes"],
                row["read_only"],
                row["allowed_networks"]
            ));
        }
        "links" if row["user_id"].as_i64().unwrap() > last => drop(changes.insert("links new".to_owned())),
        "permissions" => {
            changes.insert(format!("permissions new code={} name={}", row["code"], row["name"]));
        }
        _ => drop(changes.insert(format!("{name} new"))),
    }
}
