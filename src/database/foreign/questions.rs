//! Questions about the rows of a foreign table that its declared keys do not answer.

use super::catalogue::{ForeignColumn, ForeignTable};
use crate::database::sql::{Name, Sql};

/// Examples that are read of values that should not be there.
const EXAMPLES: i64 = 5;

fn from(sql: &mut Sql, table: &ForeignTable, alias: &'static str) {
    sql.push(" FROM ").push_table(table.schema.as_deref(), &table.name).push(alias);
}

/// Counts the rows of a table.
pub(super) fn count(table: &ForeignTable) -> Sql {
    let mut sql = Sql::composed("SELECT count(*)");
    from(&mut sql, table, "");
    sql
}

/// Counts the rows whose column is null.
pub(super) fn count_null(table: &ForeignTable, column: &str) -> Sql {
    let mut sql = count(table);
    sql.push(" WHERE ").push_name(&Name::new(column)).push(" IS NULL");
    sql
}

/// Counts the rows whose column has a text.
pub(super) fn count_of(table: &ForeignTable, column: &str, text: &str) -> Sql {
    let mut sql = count(table);
    sql.push(" WHERE ").push_name(&Name::new(column)).push(" = ").push_arg(text);
    sql
}

/// Selects some values that a column has more than once.
pub(super) fn repeated(table: &ForeignTable, column: &str) -> Sql {
    let name = Name::new(column);
    let mut sql = Sql::composed("SELECT CAST(");
    sql.push_name(&name).push(" AS TEXT)");
    from(&mut sql, table, "");
    sql.push(" WHERE ").push_name(&name).push(" IS NOT NULL GROUP BY ").push_name(&name);
    sql.push(" HAVING count(*) > 1 ORDER BY 1 LIMIT ").push_arg(EXAMPLES);
    sql
}

/// Selects the different values of a column in rows where another column has a value other than false, zero or an empty
/// text.
pub(super) fn values_where(
    table: &ForeignTable,
    column: &ForeignColumn,
    filled: Option<&ForeignColumn>,
) -> Sql {
    let name = Name::new(&column.name);
    let mut sql = Sql::composed("SELECT DISTINCT CAST(");
    sql.push_name(&name).push(" AS TEXT)");
    from(&mut sql, table, "");
    sql.push(" WHERE ").push_name(&name).push(" IS NOT NULL");
    if let Some(filled) = filled {
        sql.push(" AND CAST(").push_name(&Name::new(&filled.name));
        sql.push(" AS TEXT) NOT IN ('', '0', 'f', 'false', '\\x', '[]', '{}')");
    }
    sql
}

/// Counts the values of a column that are not whole numbers.
pub(super) fn count_not_whole(table: &ForeignTable, column: &str, is_postgres: bool) -> Sql {
    let (name, mut sql) = (Name::new(column), count(table));
    match is_postgres {
        true => {
            sql.push(" WHERE CAST(").push_name(&name).push(" AS TEXT) !~ '^-?[0-9]{1,18}$'");
        }
        false => {
            sql.push(" WHERE typeof(").push_name(&name).push(") NOT IN ('integer', 'null')");
        }
    }
    sql
}

/// Counts the rows of one table that have no row with the same key and the same value in another.
pub(super) fn count_different(
    one: (&ForeignTable, &str),
    other: (&ForeignTable, &str),
    value: (&str, &str),
) -> Sql {
    let mut sql = Sql::composed("SELECT count(*)");
    from(&mut sql, one.0, " v");
    sql.push(" WHERE NOT EXISTS (SELECT 1");
    from(&mut sql, other.0, " b");
    sql.push(" WHERE CAST(b.").push_name(&Name::new(other.1)).push(" AS TEXT) = CAST(v.");
    sql.push_name(&Name::new(one.1)).push(" AS TEXT) AND CAST(b.").push_name(&Name::new(value.1));
    sql.push(" AS TEXT) = CAST(v.").push_name(&Name::new(value.0)).push(" AS TEXT))");
    sql
}

/// Counts the rows of a table whose column refers to no row of another.
pub(super) fn count_orphans(table: &ForeignTable, column: &str, owner: &ForeignTable, to: &str) -> Sql {
    let mut sql = Sql::composed("SELECT count(*)");
    from(&mut sql, table, " t");
    sql.push(" WHERE t.").push_name(&Name::new(column)).push(" IS NOT NULL AND NOT EXISTS (SELECT 1");
    from(&mut sql, owner, " u");
    sql.push(" WHERE u.").push_name(&Name::new(to)).push(" = t.").push_name(&Name::new(column)).push(")");
    sql
}
