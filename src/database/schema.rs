//! Whether a SQLite file has the schema that our migrations make, and nothing beside it. A trigger or a view in a file
//! that somebody else wrote would be their program inside ours: it runs whenever a row is written or read.

use std::collections::BTreeMap;

use super::error::DatabaseError;
use super::migrate::{self, Migration};
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::tx::Link;

/// More objects than this are not looked at: ours are fewer by far.
const MOST: i64 = 10_000;
/// A longer text is not read; ours are shorter by far.
const LONGEST: i64 = 100_000;
/// What is said of a schema that differs.
const MOST_NAMED: usize = 20;

/// What `ANALYZE` makes: an operator may have run it.
const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// A table, index, view or trigger.
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

impl FromRow for Object {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { kind: row.next()?, name: row.next()?, table: row.next()?, sql: row.next()? })
    }
}

/// By kind and name: the table it belongs to, and its text.
type Schema = BTreeMap<(String, String), (String, String)>;

/// Refuses a file whose schema is not ours, before anything of it is run. The file may be of an older version.
pub(crate) fn check(link: &Link, migrations: &[Migration]) -> Result<(), OpenError> {
    let strangers = strangers(link, migrations)?;
    if strangers.is_empty() { Ok(()) } else { Err(OpenError::Strangers(strangers)) }
}

/// What of a file's schema is not ours, and what of ours it lacks.
pub(crate) fn strangers(link: &Link, migrations: &[Migration]) -> Result<Vec<String>, OpenError> {
    let found = read(link)?;
    let history = ("table".to_owned(), "schema_migrations".to_owned());
    // The table that tells the version is read only when it is that table.
    let ours = made(migrations, 0)?;
    if found.get(&history) != ours.get(&history) {
        return Ok(vec!["the table schema_migrations is not as this program makes it".to_owned()]);
    }
    let differ = differences(&found, &made(migrations, migrate::version(link, migrations)?)?);
    let left = differ.len().saturating_sub(MOST_NAMED);
    let mut named: Vec<String> = differ.into_iter().take(MOST_NAMED).collect();
    if left > 0 {
        named.push(format!("and {left} more"));
    }
    Ok(named)
}

fn differences(found: &Schema, ours: &Schema) -> Vec<String> {
    let strange = found.iter().filter_map(|(key, value)| {
        let ((kind, name), (table, sql)) = (key, value);
        let of = if kind == "table" || kind == "view" { String::new() } else { format!(" of {table:?}") };
        match ours.get(key) {
            Some(ours) if ours == value => None,
            Some(_) => Some(format!("the {kind} {name:?}{of} is not as this program makes it")),
            None if kind == "table" && STATISTICS.contains(&(name.as_str(), sql.as_str())) => None,
            None => Some(format!("the {kind} {name:?}{of} is none of this program's")),
        }
    });
    let missing = ours.keys().filter(|key| !found.contains_key(*key));
    strange.chain(missing.map(|(kind, name)| format!("the {kind} {name:?} is missing"))).collect()
}

/// The schema of a version, as this SQLite writes it down.
fn made(migrations: &[Migration], version: i64) -> Result<Schema, DatabaseError> {
    let link = Link::Sqlite(rusqlite::Connection::open_in_memory()?);
    migrate::make(&link, migrations, version)?;
    read(&link)
}

fn read(link: &Link) -> Result<Schema, DatabaseError> {
    // A text that is cut off could say anything behind the cut.
    let sql = "SELECT type, name, tbl_name, CASE WHEN octet_length(sql) > $1 THEN '(long)' ELSE sql END \
         FROM sqlite_schema LIMIT $2";
    let objects: Vec<Object> = link.all(&Sql::new(sql).bind(LONGEST).bind(MOST))?;
    let mut schema = Schema::new();
    for Object { kind, name, table, sql } in objects {
        // An index that belongs to a constraint has no text.
        let text = sql.map_or_else(String::new, |sql| plain(&sql));
        let entry = schema.entry((kind, name));
        entry.and_modify(|(_, text)| *text = "(twice)".to_owned()).or_insert((table, text));
    }
    Ok(schema)
}

/// A statement without comments, and with one space wherever there are any: versions of SQLite differ in how they
/// write down what `ALTER TABLE` has changed. What is quoted stays as it is.
fn plain(sql: &str) -> String {
    let mut plain = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                space(&mut plain);
                continue;
            }
            '/' if rest.starts_with("/*") => {
                let end = rest.get(2..).and_then(|inner| inner.find("*/"));
                rest = end.and_then(|end| rest.get(end + 4..)).unwrap_or_default();
                space(&mut plain);
                continue;
            }
            ' ' | '\t' | '\n' | '\r' | '\x0c' => {
                rest = rest.get(1..).unwrap_or_default();
                space(&mut plain);
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

/// The length of a quoted piece; a quote inside is written twice.
fn quoted(text: &str, quote: char) -> usize {
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

fn space(plain: &mut String) {
    if !plain.is_empty() && !plain.ends_with(' ') {
        plain.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two statements are alike only when they mean the same.
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
            assert_eq!(plain(one), other);
        }
        for (one, other) in [
            ("a 'b  c'", "a 'b c'"),
            ("a, b", "a,b"),
            // A line end after a comment is not just any blank.
            ("a -- x\n, b NOT NULL", "a -- x , b NOT NULL"),
            ("'it''s -- here' b", "'it''s' -- here' b"),
            ("'--' b", "' b"),
            ("\"a b\" c", "a b c"),
        ] {
            assert_ne!(plain(one), plain(other), "{one} and {other}");
        }
    }
}
