//! Checks that a SQLite file has exactly the schema that the migrations create.
//!
//! A trigger or a view in a file from an untrusted source is code: it runs inside this program whenever a row is
//! written or read.

use std::collections::BTreeMap;

use super::error::DatabaseError;
use super::link::Link;
use super::migrate::{self, Migration};
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::Sql;

/// How many objects are read at most; this program's schema has far fewer.
const MAX_OBJECTS: i64 = 10_000;
/// The longest definition that is read, in bytes; this program's are far shorter.
const MAX_DEFINITION: i64 = 100_000;
/// How many differences are reported.
const MAX_REPORTED: usize = 20;

/// The tables that `ANALYZE` creates. They are allowed because an operator may have run it.
const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// A table, index, view or trigger.
struct SchemaObject {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

impl FromRow for SchemaObject {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { kind: row.next()?, name: row.next()?, table: row.next()?, sql: row.next()? })
    }
}

/// The objects of a schema. The key is kind and name; the value is the table that the object belongs to, and its
/// definition.
type Schema = BTreeMap<(String, String), (String, String)>;

/// Checks that a file has this program's schema, before anything in it can run. The file may be of an older version.
pub(crate) fn check(link: &Link, migrations: &[Migration]) -> Result<(), OpenError> {
    let differences = differences(link, migrations)?;
    if differences.is_empty() { Ok(()) } else { Err(OpenError::SchemaDiffers(differences)) }
}

/// Describes how the schema of a file differs from this program's: objects that are foreign, changed or missing.
pub(crate) fn differences(link: &Link, migrations: &[Migration]) -> Result<Vec<String>, OpenError> {
    let found = read(link)?;
    let history = ("table".to_owned(), "schema_migrations".to_owned());
    // The version is read from this table only if it is a plain table, as this program creates it.
    let expected = expected_schema(migrations, 0)?;
    if found.get(&history) != expected.get(&history) {
        return Ok(vec!["the table schema_migrations differs from this program's".to_owned()]);
    }
    let expected = expected_schema(migrations, migrate::version(link, migrations)?)?;
    Ok(shortened(compare(&found, &expected)))
}

/// Keeps the first differences and says how many were left out.
fn shortened(mut differences: Vec<String>) -> Vec<String> {
    let left = differences.len().saturating_sub(MAX_REPORTED);
    if left > 0 {
        differences.truncate(MAX_REPORTED);
        differences.push(format!("and {left} more"));
    }
    differences
}

fn compare(found: &Schema, expected: &Schema) -> Vec<String> {
    let foreign = found.iter().filter_map(|(key, value)| {
        let ((kind, name), (table, sql)) = (key, value);
        let of = if kind == "table" || kind == "view" { String::new() } else { format!(" of {table:?}") };
        match expected.get(key) {
            Some(expected) if expected == value => None,
            Some(_) => Some(format!("the {kind} {name:?}{of} differs from this program's")),
            None if kind == "table" && STATISTICS.contains(&(name.as_str(), sql.as_str())) => None,
            None => Some(format!("the {kind} {name:?}{of} is not part of this program's schema")),
        }
    });
    let missing = expected.keys().filter(|key| !found.contains_key(*key));
    foreign.chain(missing.map(|(kind, name)| format!("the {kind} {name:?} is missing"))).collect()
}

/// Returns the schema of a version, as the linked SQLite records it.
fn expected_schema(migrations: &[Migration], version: i64) -> Result<Schema, DatabaseError> {
    let link = Link::Sqlite(rusqlite::Connection::open_in_memory()?);
    migrate::create(&link, migrations, version)?;
    read(&link)
}

fn read(link: &Link) -> Result<Schema, DatabaseError> {
    // A definition that is too long is not compared in part: the rest could contain anything.
    let sql = "SELECT type, name, tbl_name, CASE WHEN octet_length(sql) > $1 THEN '(long)' ELSE sql END \
         FROM sqlite_schema LIMIT $2";
    let objects: Vec<SchemaObject> = link.all(&Sql::new(sql).bind(MAX_DEFINITION).bind(MAX_OBJECTS))?;
    let mut schema = Schema::new();
    for SchemaObject { kind, name, table, sql } in objects {
        // An index that belongs to a constraint has no definition.
        let text = sql.map_or_else(String::new, |sql| normalise(&sql));
        let entry = schema.entry((kind, name));
        entry.and_modify(|(_, text)| *text = "(twice)".to_owned()).or_insert((table, text));
    }
    Ok(schema)
}

/// Removes comments from a statement and reduces each run of white space to one space. Versions of SQLite differ in how
/// they record a table that `ALTER TABLE` has changed. Quoted text stays unchanged.
fn normalise(sql: &str) -> String {
    let mut plain = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted_length(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                push_space(&mut plain);
                continue;
            }
            '/' if rest.starts_with("/*") => {
                let end = rest.get(2..).and_then(|inner| inner.find("*/"));
                rest = end.and_then(|end| rest.get(end + 4..)).unwrap_or_default();
                push_space(&mut plain);
                continue;
            }
            ' ' | '\t' | '\n' | '\r' | '\x0c' => {
                rest = rest.get(1..).unwrap_or_default();
                push_space(&mut plain);
                continue;
            }
            other => other.len_utf8(),
        };
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        plain.push_str(taken);
        rest = left;
    }
    plain.trim_end_matches([' ', ';']).to_owned()
}

/// Returns the length in bytes of a quoted text; a quote inside it is written twice.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut from = 1;
    while let Some(end) = text.get(from..).and_then(|inner| inner.find(quote)) {
        from += end + 1;
        if !text.get(from..).is_some_and(|rest| rest.starts_with(quote)) {
            return from;
        }
        from += 1;
    }
    text.len()
}

/// Appends a space, unless the text is empty or ends with one.
fn push_space(plain: &mut String) {
    if !plain.is_empty() && !plain.ends_with(' ') {
        plain.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two definitions are equal only if they mean the same.
    #[test]
    fn only_blanks_and_comments_do_not_count() {
        for (one, other) in [
            ("a  b\n\tc", "a b c"),
            ("a -- b\nc", "a c"),
            ("a /* b\n */ c;", "a c"),
            ("'a  b' \"c  d\" `e  f` [g  h]", "'a  b' \"c  d\" `e  f` [g  h]"),
            ("a --", "a"),
            ("a /* b", "a"),
        ] {
            assert_eq!(normalise(one), other);
        }
        for (one, other) in [
            ("a 'b  c'", "a 'b c'"),
            ("a, b", "a,b"),
            // The line end that ends a comment is not ordinary white space.
            ("a -- x\n, b NOT NULL", "a -- x , b NOT NULL"),
            ("'it''s -- here' b", "'it''s' -- here' b"),
            ("'--' b", "' b"),
            ("\"a b\" c", "a b c"),
        ] {
            assert_ne!(normalise(one), normalise(other), "{one} and {other}");
        }
    }
}
