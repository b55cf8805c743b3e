//! Statements about links that are mailed to users, and about those who ask for one.

use std::time::Duration;

use super::Tx;
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::error::Error;
use crate::directory::model::{DeliveryId, LinkKey, LinkKind, SentLink, Timestamp, UserId};
use crate::directory::secret::prints_only;
use crate::directory::store::users::optional_time;

/// The columns of a [`SentLink`].
macro_rules! columns {
    () => {
        "user_id, kind, created_at, expires_at, made_by, used_at, ended_at"
    };
}

impl FromRow for SentLink {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: row.next_as::<i64, _>("user id")?,
            kind: row.next_as::<String, _>("kind of a link")?,
            created_at: row.next_as::<i64, _>("time")?,
            expires_at: row.next_as::<i64, _>("time")?,
            made_by: row.next()?,
            used_at: optional_time(row.next()?)?,
            ended_at: optional_time(row.next()?)?,
        })
    }
}

/// Selects the link of a key.
pub(in crate::directory) fn of_key(key: &LinkKey) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM links WHERE digest = $1")).bind(key.digest())
}

/// Selects the link of a kind that was sent last to a user.
pub(in crate::directory) fn last(user: UserId, kind: LinkKind) -> Sql {
    let sql = Sql::new(concat!("SELECT ", columns!(), " FROM links WHERE user_id = $1 AND kind = $2"));
    sql.bind(user).bind(kind.name())
}

/// An account that may be the one of a user who has forgotten the password.
#[derive(Clone)]
pub(in crate::directory) struct ForgottenAccount {
    pub(in crate::directory) id: UserId,
    /// The encoded hash.
    pub(in crate::directory) password: String,
    pub(in crate::directory) is_active: bool,
    /// When its e-mail address was last changed.
    pub(in crate::directory) mail_changed_at: Option<Timestamp>,
    /// Whether its user has signed in from this network before.
    pub(in crate::directory) is_known: bool,
}

prints_only!(ForgottenAccount: id, is_active);

impl FromRow for ForgottenAccount {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<i64, _>("user id")?,
            password: row.next()?,
            is_active: row.next()?,
            mail_changed_at: optional_time(row.next()?)?,
            is_known: row.next::<Option<i64>>()?.is_some(),
        })
    }
}

/// What the account of a forgotten password is looked up by: texts with their folded forms. An empty one finds nothing.
#[derive(Clone)]
pub(in crate::directory) struct AccountNames {
    pub(in crate::directory) email: [String; 2],
    pub(in crate::directory) username: [String; 2],
}

/// Selects the account of an address or a name: by the address first, then by the name, an exact one before one that only folds
/// to the same.
pub(in crate::directory) fn forgotten_account(names: &AccountNames, network: &str) -> Sql {
    let AccountNames { email: [email, email_key], username: [username, username_key] } = names;
    Sql::new(
        "SELECT u.id, u.password, u.is_active, m.changed_at, k.user_id \
         FROM (SELECT id, CASE WHEN email = $1 THEN 0 ELSE 1 END AS place FROM users \
           WHERE email_key = $2 AND email_key <> '' \
           UNION ALL SELECT id, CASE WHEN username = $3 THEN 2 ELSE 3 END FROM users \
           WHERE username_key = $4 AND username_key <> '') found \
         JOIN users u ON u.id = found.id LEFT JOIN mail_changes m ON m.user_id = u.id \
         LEFT JOIN known_addresses k ON k.user_id = u.id AND k.network = $5 \
         ORDER BY found.place, u.id LIMIT 1",
    )
    .bind(email.as_str())
    .bind(email_key.as_str())
    .bind(username.as_str())
    .bind(username_key.as_str())
    .bind(network)
}

/// A link that is about to be stored.
pub(in crate::directory) struct NewLink<'a> {
    pub(in crate::directory) user: UserId,
    pub(in crate::directory) kind: LinkKind,
    pub(in crate::directory) key: &'a LinkKey,
    pub(in crate::directory) created_at: Timestamp,
    pub(in crate::directory) expires_at: Timestamp,
    pub(in crate::directory) made_by: &'a str,
}

impl Tx<'_> {
    /// Stores a link in the place of the one of its kind that the user had. For a user who does not exist it stores nothing.
    pub(in crate::directory) fn put_link(&self, link: &NewLink<'_>) -> Result<(), Error> {
        let mut sql =
            Sql::new("INSERT INTO links (kind, digest, created_at, expires_at, made_by, user_id) SELECT ");
        sql.push(self.either(
            "$1, $2, $3, $4, $5",
            "CAST($1 AS TEXT), CAST($2 AS BYTEA), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT)",
        ));
        sql.push(
            ", id FROM users WHERE id = $6 ON CONFLICT (user_id, kind) DO UPDATE SET digest = excluded.digest, \
             created_at = excluded.created_at, expires_at = excluded.expires_at, made_by = excluded.made_by, \
             used_at = NULL, ended_at = NULL",
        );
        let sql = sql.bind(link.kind.name()).bind(link.key.digest()).bind(link.created_at);
        self.execute(&sql.bind(link.expires_at).bind(link.made_by).bind(link.user))?;
        Ok(())
    }

    /// Marks a link as used. Returns false if it cannot be used now: of two who use it at once, one finds it used.
    pub(in crate::directory) fn use_link(&self, key: &LinkKey, now: Timestamp) -> Result<bool, Error> {
        let sql = "UPDATE links SET used_at = $1 WHERE digest = $2 AND used_at IS NULL AND ended_at IS NULL \
                   AND expires_at > $1";
        Ok(self.execute(&Sql::new(sql).bind(now).bind(key.digest()))? > 0)
    }

    /// Ends the link of a kind that a user can use now. Returns false if there is none.
    pub(in crate::directory) fn end_link(
        &self,
        user: UserId,
        kind: LinkKind,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "UPDATE links SET ended_at = $1 WHERE user_id = $2 AND kind = $3 AND used_at IS NULL \
                   AND ended_at IS NULL AND expires_at > $1";
        Ok(self.execute(&Sql::new(sql).bind(now).bind(user).bind(kind.name()))? > 0)
    }

    /// Notes that the e-mail address of a user may have changed.
    pub(in crate::directory) fn note_mail_change(&self, user: UserId, now: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO mail_changes (user_id, changed_at) VALUES ($1, $2) \
                   ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at";
        self.execute(&Sql::new(sql).bind(user).bind(now))?;
        Ok(())
    }

    /// Takes a message out of the outbox that this transaction put there.
    pub(in crate::directory) fn take_back_delivery(&self, id: &DeliveryId) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM deliveries WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Counts one more in the time window of a key, and returns the sum. A window that ends too late was begun before the clock
    /// went back: a new one begins.
    pub(in crate::directory) fn count_in_window(
        &self,
        key: Vec<u8>,
        now: Timestamp,
        window: Duration,
    ) -> Result<i64, Error> {
        let end = now.plus(window).unwrap_or(Timestamp::LAST);
        let sql = "INSERT INTO attempts (key, failures, blocked_until, expires_at) VALUES ($1, 1, 0, $2) \
                   ON CONFLICT (key) DO UPDATE SET \
                   failures = CASE WHEN attempts.expires_at <= $3 OR attempts.expires_at > $2 THEN 1 \
                     ELSE attempts.failures + 1 END, \
                   expires_at = CASE WHEN attempts.expires_at <= $3 OR attempts.expires_at > $2 THEN $2 \
                     ELSE attempts.expires_at END \
                   RETURNING failures";
        let sum: Option<i64> = self.first(&Sql::new(sql).bind(key).bind(end).bind(now))?;
        sum.ok_or_else(|| DatabaseError::corrupt("count of requests").into())
    }
}
