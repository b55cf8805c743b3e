//! Statements about when tokens were used. They write no column of an identity.

use crate::database::{Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, TokenUse};

/// Rows of one statement. SQLite allows 32,766 parameters, and a statement has four for each row.
const ROWS: usize = 100;

impl Tx<'_> {
    /// Writes uses. A use that is older than the stored one changes nothing.
    pub(in crate::directory) fn write_uses(&self, uses: &[TokenUse]) -> Result<(), Error> {
        for rows in uses.chunks(ROWS) {
            let tokens =
                rows.iter().map(|used| (used.token.get(), used.at, used.from.map(|from| from.to_string())));
            let mut sql = Sql::new("UPDATE tokens SET last_used_at = v.column2, last_used_from = v.column3 ");
            push_values(&mut sql, tokens);
            sql.push(
                " WHERE tokens.id = v.column1 AND coalesce(tokens.last_used_at, v.column2 - 1) < v.column2",
            );
            self.execute(&sql)?;
            let users = rows.iter().map(|used| (used.user.get(), used.at, None));
            // A user with several tokens occurs several times: the newest use counts.
            let mut sql = Sql::new(
                "UPDATE users SET last_seen_at = v.at FROM (SELECT column1 AS id, max(column2) AS at ",
            );
            push_values(&mut sql, users);
            sql.push(
                " GROUP BY column1) AS v WHERE users.id = v.id AND coalesce(users.last_seen_at, v.at - 1) < v.at",
            );
            self.execute(&sql)?;
        }
        Ok(())
    }
}

/// Adds `FROM (VALUES ...) AS v`, whose columns are named `column1` and so on in both databases.
fn push_values(sql: &mut Sql, rows: impl Iterator<Item = (i64, Timestamp, Option<String>)>) {
    sql.push("FROM (VALUES ");
    for (index, (id, at, from)) in rows.enumerate() {
        sql.push(if index == 0 { "(CAST(" } else { ", (CAST(" }).push_arg(id);
        sql.push(" AS BIGINT), CAST(")
            .push_arg(at)
            .push(" AS BIGINT), CAST(")
            .push_arg(from)
            .push(" AS TEXT))");
    }
    sql.push(") AS v");
}
