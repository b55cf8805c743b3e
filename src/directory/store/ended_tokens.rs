//! Statements about tokens that ended here and have no row any more. Their digests are kept, so that no import takes such a
//! key for a new one. While a token has a row, the row alone counts.

use super::Tx;
use super::column_list::{self, json_list};
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::error::Error;
use crate::directory::model::stored::StoredEndedToken;
use crate::directory::model::{KeptDigest, Timestamp};

/// Rows in one statement.
const ROWS: usize = 50;
/// Rows read at once.
const PAGE: i64 = 1000;

/// The tokens that some source may take for valid: they were ended before the time at which they would have expired by
/// themselves, or an import does not know that time. `$2` is the present time.
macro_rules! ended_early {
    () => {
        "(ends_by IS NOT NULL OR (revoked_at IS NOT NULL AND (made_by = 'import' OR expires_at IS NULL OR expires_at > $2)))"
    };
}

/// Forgets what is known of some tokens: their rows know better.
macro_rules! forget {
    ($which:literal) => {
        concat!("DELETE FROM ended_tokens WHERE digest IN (SELECT digest FROM tokens WHERE ", $which, ")")
    };
}

/// Keeps what ended some tokens.
macro_rules! keep {
    ($which:literal) => {
        concat!(
            "INSERT INTO ended_tokens (digest, revoked_at, ends_by) SELECT digest, revoked_at, ends_by FROM tokens WHERE ",
            $which,
            " AND ",
            ended_early!()
        )
    };
}

impl FromRow for StoredEndedToken {
    /// A time that someone wrote with SQL, and that cannot be read, becomes the nearest that can.
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let nearest = |micros: i64| {
            let limit = if micros < 0 { Timestamp::FIRST } else { Timestamp::LAST };
            Timestamp::from_micros(micros).unwrap_or(limit)
        };
        Ok(Self {
            digest: KeptDigest::try_from(row.next::<Vec<u8>>()?)
                .map_err(|_| DatabaseError::corrupt("digest"))?,
            revoked_at: row.next::<Option<i64>>()?.map(nearest),
            ends_by: row.next::<Option<i64>>()?.map(nearest),
        })
    }
}

/// Selects ended tokens after a digest, in the order of their digests.
pub(in crate::directory) fn after(digest: &[u8]) -> Sql {
    let sql = "SELECT e.digest, e.revoked_at, e.ends_by FROM ended_tokens e WHERE e.digest > $1 \
               AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.digest = e.digest) ORDER BY e.digest LIMIT $2";
    Sql::new(sql).bind(digest.to_vec()).bind(PAGE)
}

/// Selects tokens with rows that ended here, after a digest.
fn with_rows_after(digest: &[u8], now: Timestamp) -> Sql {
    let sql = concat!(
        "SELECT digest, revoked_at, ends_by FROM tokens WHERE digest > $1 AND ",
        ended_early!(),
        " ORDER BY digest LIMIT $3"
    );
    Sql::new(sql).bind(digest.to_vec()).bind(now).bind(PAGE)
}

impl Tx<'_> {
    /// Keeps what ended the tokens of a user, whose rows are about to be deleted.
    pub(super) fn keep_ended_of_user(&self, user: i64, now: Timestamp) -> Result<(), Error> {
        self.send(Sql::new(forget!("user_id = $1")).bind(user))?;
        Ok(self.send(Sql::new(keep!("user_id = $1")).bind(user).bind(now))?)
    }

    /// Keeps what ended the tokens with these ids, whose rows are about to be deleted.
    pub(super) fn keep_ended(&self, ids: &[i64], now: Timestamp) -> Result<(), Error> {
        let forget = self.either(
            forget!("id IN (SELECT value FROM json_each($1))"),
            forget!("id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        let keep = self.either(
            keep!("id IN (SELECT value FROM json_each($1))"),
            keep!("id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        let ids = json_list(ids);
        self.execute(&Sql::new(forget).bind(ids.as_str()))?;
        self.execute(&Sql::new(keep).bind(ids).bind(now))?;
        Ok(())
    }

    /// Returns what is known of ended tokens with these digests.
    pub(in crate::directory) fn ended_tokens(
        &self,
        digests: &[&KeptDigest],
    ) -> Result<Vec<StoredEndedToken>, Error> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.either(
            "SELECT digest, revoked_at, ends_by FROM ended_tokens WHERE digest IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT digest, revoked_at, ends_by FROM ended_tokens \
             WHERE digest IN (SELECT decode(v, 'hex') FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        let digests: Vec<String> = digests.iter().map(|digest| format!("{digest:x}")).collect();
        Ok(self.all(&Sql::new(sql).bind(json_list(&digests)))?)
    }

    /// Writes what is known of ended tokens. No two have the same digest.
    pub(in crate::directory) fn put_ended_tokens(&self, tokens: &[StoredEndedToken]) -> Result<(), Error> {
        for part in tokens.chunks(ROWS) {
            let rows = part.iter().map(|token| {
                vec![
                    ("digest", token.digest.clone().into()),
                    ("revoked_at", token.revoked_at.into()),
                    ("ends_by", token.ends_by.into()),
                ]
            });
            let mut sql = column_list::insert("ended_tokens", rows);
            sql.push(
                " ON CONFLICT (digest) DO UPDATE SET revoked_at = excluded.revoked_at, ends_by = excluded.ends_by",
            );
            self.execute(&sql)?;
        }
        Ok(())
    }

    /// Takes over from `other` which tokens ended there, if this database has no row of them.
    pub(in crate::directory) fn take_ended_tokens(
        &self,
        other: &Tx<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.take_pages(other, after)?;
        self.take_pages(other, |digest| with_rows_after(digest, now))?;
        let known = "DELETE FROM ended_tokens WHERE digest IN (SELECT digest FROM tokens)";
        self.execute(&Sql::new(known))?;
        Ok(())
    }

    fn take_pages(&self, other: &Tx<'_>, page: impl Fn(&[u8]) -> Sql) -> Result<(), Error> {
        let mut last = Vec::new();
        loop {
            let rows: Vec<StoredEndedToken> = other.all(&page(&last))?;
            let Some(row) = rows.last() else { return Ok(()) };
            last = row.digest.as_bytes().to_vec();
            self.put_ended_tokens(&rows)?;
        }
    }
}
