//! The catalogue of a foreign database: its tables and views, their columns and keys, and how they refer to each other.
//!
//! SQLite is asked table by table, because one view or virtual table that cannot be read (a missing extension, a dropped
//! table) would otherwise hide all others.

use std::collections::{BTreeMap, btree_map::Entry};
use std::error::Error;
use std::fmt;

use crate::database::error::DatabaseError;
use crate::database::postgres::ServerMessage;
use crate::database::row::{FromRow, Row};
use crate::database::sql::Sql;
use crate::database::tx::Tx;

/// The name of a table or view. The schema is given if the table cannot be named without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ForeignTable {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl fmt::Display for ForeignTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A column of a foreign table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignColumn {
    pub(crate) name: String,
    /// The column's type as the database names it, in lower case.
    pub(crate) kind: String,
    /// Whether the role of the connection may read it.
    pub(crate) is_readable: bool,
}

/// What is known of a table or view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ForeignShape {
    pub(crate) is_view: bool,
    pub(crate) columns: Vec<ForeignColumn>,
    /// The columns of the primary key.
    pub(crate) primary_key: Vec<String>,
    /// The columns of each unique constraint or index without a condition, the primary key included.
    pub(crate) uniques: Vec<Vec<String>>,
}

/// A declared reference: a column, and the column that it refers to. A key of several columns gives several of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) table: ForeignTable,
    pub(crate) column: String,
    /// The table that it refers to.
    pub(crate) to: ForeignTable,
    /// The column of that table.
    pub(crate) to_column: String,
}

/// Everything that a foreign database says about its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ForeignCatalogue {
    pub(crate) tables: BTreeMap<ForeignTable, ForeignShape>,
    pub(crate) references: Vec<ForeignKey>,
    /// Tables and views whose columns the database itself cannot list, and why.
    pub(crate) unreadable: BTreeMap<ForeignTable, String>,
}

/// A row of texts, nulls and a flag: the form in which both databases describe their columns and keys.
struct Described {
    texts: Vec<Option<String>>,
    flags: Vec<bool>,
}

/// Reads the columns of a row: the last `FLAGS` of them are flags, all others are texts.
struct CatalogueRow<const FLAGS: usize>(Described);

impl<const FLAGS: usize> FromRow for CatalogueRow<FLAGS> {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let texts = (FLAGS..row.width()).map(|_| row.next()).collect::<Result<_, _>>()?;
        let flags = (0..FLAGS).map(|_| row.next()).collect::<Result<_, _>>()?;
        Ok(Self(Described { texts, flags }))
    }
}

impl Described {
    fn flag(&self, place: usize) -> bool {
        self.flags.get(place).copied().unwrap_or_default()
    }

    /// Takes the texts; a null is an empty text.
    fn into_texts<const COUNT: usize>(self) -> [String; COUNT] {
        let mut texts = self.texts.into_iter();
        std::array::from_fn(|_| texts.next().flatten().unwrap_or_default())
    }
}

fn table(schema: String, name: String) -> ForeignTable {
    ForeignTable { schema: Some(schema).filter(|schema| !schema.is_empty()), name }
}

fn lines<const FLAGS: usize>(tx: &Tx<'_>, sql: &Sql) -> Result<Vec<Described>, DatabaseError> {
    let lines: Vec<CatalogueRow<FLAGS>> = tx.all(sql)?;
    Ok(lines.into_iter().map(|CatalogueRow(described)| described).collect())
}

impl ForeignCatalogue {
    /// Reads the catalogue of a SQLite database.
    pub(super) fn of_sqlite(tx: &Tx<'_>) -> Result<Self, DatabaseError> {
        let mut catalogue = Self::default();
        let listed = Sql::new(
            "SELECT name, type = 'view' FROM sqlite_schema WHERE type IN ('table', 'view') \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        );
        for line in lines::<1>(tx, &listed)? {
            let is_view = line.flag(0);
            let [name] = line.into_texts();
            let (at, shape) = (table(String::new(), name.clone()), sqlite_shape(tx, &name, is_view));
            match shape {
                Ok(shape) => drop(catalogue.tables.insert(at, shape)),
                Err(error) => drop(catalogue.unreadable.insert(at, cause(&error))),
            }
        }
        let names: Vec<ForeignTable> = catalogue.tables.keys().cloned().collect();
        for from in names {
            catalogue.add_sqlite_references(tx, &from)?;
        }
        Ok(catalogue)
    }

    /// Names of tables and columns in a reference are written in any case, and without a column the primary key is meant.
    fn add_sqlite_references(&mut self, tx: &Tx<'_>, from: &ForeignTable) -> Result<(), DatabaseError> {
        let sql = Sql::new(
            "SELECT \"from\", \"table\", \"to\", CAST(seq AS TEXT) FROM pragma_foreign_key_list($1) ORDER BY id, seq",
        );
        for line in lines::<0>(tx, &sql.bind(from.name.as_str()))? {
            let [column, to, to_column, position] = line.into_texts();
            let found = self.tables.iter().find(|(table, _)| table.name.eq_ignore_ascii_case(&to));
            let Some((to, shape)) = found else { continue };
            let to_column = match to_column.as_str() {
                "" => shape.primary_key.get(position.parse::<usize>().unwrap_or_default()).cloned(),
                written => {
                    let mut columns = shape.columns.iter();
                    columns
                        .find(|column| column.name.eq_ignore_ascii_case(written))
                        .map(|column| column.name.clone())
                }
            };
            let Some(to_column) = to_column else { continue };
            self.references.push(ForeignKey { table: from.clone(), column, to: to.clone(), to_column });
        }
        Ok(())
    }

    /// Reads the catalogue of a PostgreSQL database: all schemas except the server's own.
    pub(super) fn of_postgres(tx: &Tx<'_>) -> Result<Self, DatabaseError> {
        let mut catalogue = Self::default();
        for line in lines::<2>(tx, &Sql::new(POSTGRES_COLUMNS))? {
            let (is_view, is_readable) = (line.flag(0), line.flag(1));
            let [schema, relation, name, kind] = line.into_texts();
            let shape = catalogue.tables.entry(table(schema, relation)).or_default();
            shape.is_view = is_view;
            shape.columns.push(ForeignColumn { name, kind, is_readable });
        }
        let mut indexes: BTreeMap<String, (ForeignTable, bool, Vec<String>)> = BTreeMap::new();
        for line in lines::<1>(tx, &Sql::new(POSTGRES_UNIQUES))? {
            let is_primary = line.flag(0);
            let [schema, relation, index, column] = line.into_texts();
            let index =
                indexes.entry(index).or_insert_with(|| (table(schema, relation), is_primary, Vec::new()));
            index.2.push(column);
        }
        for (at, is_primary, columns) in indexes.into_values() {
            if let Entry::Occupied(mut shape) = catalogue.tables.entry(at) {
                let shape = shape.get_mut();
                if is_primary {
                    shape.primary_key.clone_from(&columns);
                }
                shape.uniques.push(columns);
            }
        }
        for line in lines::<0>(tx, &Sql::new(POSTGRES_REFERENCES))? {
            let [schema, relation, column, to_schema, to, to_column] = line.into_texts();
            let (table, to) = (table(schema, relation), table(to_schema, to));
            catalogue.references.push(ForeignKey { table, column, to, to_column });
        }
        Ok(catalogue)
    }
}

fn sqlite_shape(tx: &Tx<'_>, name: &str, is_view: bool) -> Result<ForeignShape, DatabaseError> {
    // Hidden columns of a virtual table (1) are its arguments. Generated columns (2 and 3) are columns.
    let sql = Sql::new("SELECT name, lower(type) FROM pragma_table_xinfo($1) WHERE hidden <> 1 ORDER BY cid");
    let columns = lines::<0>(tx, &sql.bind(name))?.into_iter().map(|line| {
        let [name, kind] = line.into_texts();
        ForeignColumn { name, kind, is_readable: true }
    });
    let mut shape = ForeignShape { is_view, columns: columns.collect(), ..ForeignShape::default() };
    let sql = Sql::new("SELECT name FROM pragma_table_xinfo($1) WHERE pk > 0 ORDER BY pk");
    shape.primary_key = tx.all(&sql.bind(name))?;
    let sql = Sql::new(
        "SELECT l.name, i.name FROM pragma_index_list($1) l JOIN pragma_index_info(l.name) i \
         WHERE l.\"unique\" = 1 AND l.partial = 0 ORDER BY l.seq, i.seqno",
    );
    let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines::<0>(tx, &sql.bind(name))? {
        let [index, column] = line.into_texts();
        indexes.entry(index).or_default().push(column);
    }
    // A column without a name is an expression, so the index says nothing about a column alone.
    shape.uniques =
        indexes.into_values().filter(|columns| columns.iter().all(|name| !name.is_empty())).collect();
    if !shape.primary_key.is_empty() {
        shape.uniques.push(shape.primary_key.clone());
    }
    Ok(shape)
}

/// Returns the database's own message, and what to do about a policy that hides rows.
pub(super) fn cause(error: &DatabaseError) -> String {
    let mut cause = own_message(error);
    if cause.contains("row-level security") {
        cause += ": it would hide rows, so use a role that sees all of them (one with BYPASSRLS, or the tables' owner)";
    }
    cause
}

fn own_message(error: &DatabaseError) -> String {
    match error {
        DatabaseError::Unavailable(why)
        | DatabaseError::Transient(why)
        | DatabaseError::Unconfirmed(why)
        | DatabaseError::Damaged(why)
        | DatabaseError::Constraint(why) => why.clone(),
        // The last cause has PostgreSQL's own message. SQLite's is the text of the error above its code.
        DatabaseError::Broken(source) => {
            let first: &(dyn Error + 'static) = &**source;
            if let Some(message) = first.downcast_ref::<ServerMessage>() {
                return message.for_reading().to_string();
            }
            let causes = || std::iter::successors(Some(first), |error| (**error).source());
            let sqlite = causes().find(|cause| cause.is::<rusqlite::Error>());
            sqlite.or_else(|| causes().last()).map_or_else(String::new, ToString::to_string)
        }
    }
}

/// Schema (null if the table is visible without it), table, column, type (of a domain, the type below it); whether it is a view;
/// whether it can be read. Partitions are left out, because their table has their rows.
const POSTGRES_COLUMNS: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE CAST(n.nspname AS TEXT) END, \
     CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), format_type(COALESCE(NULLIF(y.typbasetype, 0), y.oid), NULL), c.relkind IN ('v', 'm'), \
     has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
     JOIN pg_type y ON y.oid = a.atttypid WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped \
     AND NOT COALESCE(CAST(to_jsonb(c) ->> 'relispartition' AS BOOLEAN), FALSE) \
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY n.nspname, c.relname, a.attnum";

/// Schema, table, index, column; whether it is the primary key. Columns that an index only includes are no part of it;
/// versions before 11 do not know them.
const POSTGRES_UNIQUES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE CAST(n.nspname AS TEXT) END, \
     CAST(c.relname AS TEXT), CAST(CAST(i.indexrelid AS BIGINT) AS TEXT), CAST(a.attname AS TEXT), i.indisprimary \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
     CROSS JOIN LATERAL unnest(CAST(i.indkey AS SMALLINT[])) WITH ORDINALITY AS k(attnum, position) \
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
     WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
     AND k.position <= COALESCE(CAST(to_jsonb(i) ->> 'indnkeyatts' AS BIGINT), i.indnatts) \
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY i.indexrelid, k.position";

/// Schema, table and column of each reference, and schema, table and column that it refers to.
const POSTGRES_REFERENCES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE CAST(n.nspname AS TEXT) END, \
     CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), \
     CASE WHEN pg_table_is_visible(t.oid) THEN NULL ELSE CAST(m.nspname AS TEXT) END, CAST(t.relname AS TEXT), \
     CAST(b.attname AS TEXT) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t ON t.oid = k.confrelid \
     JOIN pg_namespace m ON m.oid = t.relnamespace \
     CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS p(from_number, to_number) \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.from_number \
     JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = p.to_number \
     WHERE k.contype = 'f' ORDER BY n.nspname, c.relname, a.attnum";
