//! Statements about one-time codes: requests, codes, failures, and contacts that were changed.

use super::Tx;
use super::users::{columns, optional_time};
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::error::Error;
use crate::directory::model::{Channel, Timestamp, User, UserId};
use crate::directory::secret::prints_only;

/// The most old requests that one new request deletes: more than it adds, so that rows do not pile up.
const OLD_MAX: i64 = 20;

/// An id that no user has.
const NO_USER: i64 = i64::MAX;

/// The number of a user, without what people write between the digits: the expression of the index `users_by_number`.
macro_rules! compact_number {
    () => {
        "replace(replace(replace(replace(replace(replace(u.mobile_number, '(0)', ''), ' ', ''), '-', ''), '.', ''), '(', ''), ')', '')"
    };
}

/// A request for a code.
pub(in crate::directory) struct StoredCode {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) channel: Channel,
    pub(in crate::directory) target: Vec<u8>,
    pub(in crate::directory) expires_at: Timestamp,
    /// The user that a code was sent to.
    pub(in crate::directory) user: Option<UserId>,
    /// The HMAC of the code.
    pub(in crate::directory) code: Option<Vec<u8>>,
    pub(in crate::directory) tries: i64,
    pub(in crate::directory) ended_at: Option<Timestamp>,
}

prints_only!(StoredCode: id, user, tries);

impl FromRow for StoredCode {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next()?,
            channel: row.next_as::<String, _>("channel")?,
            target: row.next()?,
            expires_at: row.next_as::<i64, _>("time")?,
            user: optional_user(row.next()?)?,
            code: row.next()?,
            tries: row.next()?,
            ended_at: optional_time(row.next()?)?,
        })
    }
}

fn optional_user(id: Option<i64>) -> Result<Option<UserId>, DatabaseError> {
    id.map(UserId::try_from).transpose().map_err(|_| DatabaseError::corrupt("user id"))
}

macro_rules! code_columns {
    () => {
        "SELECT c.id, c.channel, c.target, c.expires_at, c.user_id, c.code, c.tries, c.ended_at FROM sign_in_codes c "
    };
}

/// Selects the request of an id.
pub(in crate::directory) fn of_id(id: i64) -> Sql {
    Sql::new(concat!(code_columns!(), "WHERE c.id = $1")).bind(id)
}

/// The time in which an open request ends. A later end was written before the clock went back.
#[derive(Clone, Copy, Debug)]
pub(in crate::directory) struct OpenSpan {
    pub(in crate::directory) after: Timestamp,
    pub(in crate::directory) until: Timestamp,
}

/// Selects the latest request for a target that has not ended.
pub(in crate::directory) fn of_target(target: &[u8], open: OpenSpan) -> Sql {
    let sql = concat!(
        code_columns!(),
        "WHERE c.target = $1 AND c.expires_at > $2 AND c.expires_at <= $3 AND c.ended_at IS NULL \
         ORDER BY c.expires_at DESC, c.id LIMIT 1"
    );
    Sql::new(sql).bind(target.to_vec()).bind(open.after).bind(open.until)
}

/// Selects the requests that a client has made and that have not ended, at most two.
pub(in crate::directory) fn of_client(client: &str, open: OpenSpan) -> Sql {
    let sql = concat!(
        code_columns!(),
        "JOIN code_requests r ON r.code_id = c.id \
         WHERE r.client = $1 AND c.expires_at > $2 AND c.expires_at <= $3 AND c.ended_at IS NULL ORDER BY c.id LIMIT 2"
    );
    Sql::new(sql).bind(client).bind(open.after).bind(open.until)
}

/// Selects the open request for a target that a client has made before.
pub(in crate::directory) fn asked_before(client: &str, target: &[u8], open: OpenSpan) -> Sql {
    let sql = concat!(
        code_columns!(),
        "JOIN code_requests r ON r.code_id = c.id WHERE r.client = $1 AND c.target = $2 \
         AND c.expires_at > $3 AND c.expires_at <= $4 AND c.ended_at IS NULL ORDER BY c.expires_at DESC, c.id LIMIT 1"
    );
    Sql::new(sql).bind(client).bind(target.to_vec()).bind(open.after).bind(open.until)
}

/// Counts the targets other than this one that a client asked for in a time.
pub(in crate::directory) fn asked_targets(
    client: &str,
    [since, until]: [Timestamp; 2],
    except: &[u8],
) -> Sql {
    let sql = "SELECT count(DISTINCT target), min(asked_at) FROM code_requests \
               WHERE client = $1 AND asked_at > $2 AND asked_at <= $3 AND target <> $4";
    Sql::new(sql).bind(client).bind(since).bind(until).bind(except.to_vec())
}

/// A request for which no server has decided yet whether to send a code.
pub(in crate::directory) struct UndecidedCode {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) channel: Channel,
    pub(in crate::directory) client: String,
    pub(in crate::directory) expires_at: Timestamp,
    /// The number or address in its one form.
    pub(in crate::directory) asked_for: String,
    pub(in crate::directory) locale: String,
    pub(in crate::directory) address: Option<String>,
    pub(in crate::directory) request_id: Option<String>,
}

prints_only!(UndecidedCode: id, channel);

impl FromRow for UndecidedCode {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next()?,
            channel: row.next_as::<String, _>("channel")?,
            client: row.next()?,
            expires_at: row.next_as::<i64, _>("time")?,
            asked_for: row.next()?,
            locale: row.next::<Option<String>>()?.unwrap_or_default(),
            address: row.next()?,
            request_id: row.next()?,
        })
    }
}

macro_rules! undecided_columns {
    () => {
        "SELECT id, channel, client, expires_at, asked_for, locale, address, request_id FROM sign_in_codes "
    };
}

/// Selects the oldest undecided requests.
pub(in crate::directory) fn undecided(limit: i64) -> Sql {
    Sql::new(concat!(undecided_columns!(), "WHERE asked_for IS NOT NULL ORDER BY asked_at, id LIMIT $1"))
        .bind(limit)
}

/// A request to insert.
pub(in crate::directory) struct NewCode {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) channel: Channel,
    pub(in crate::directory) target: Vec<u8>,
    pub(in crate::directory) client: String,
    pub(in crate::directory) asked_at: Timestamp,
    pub(in crate::directory) expires_at: Timestamp,
    pub(in crate::directory) asked_for: String,
    pub(in crate::directory) locale: &'static str,
    pub(in crate::directory) address: Option<String>,
    pub(in crate::directory) request_id: Option<String>,
}

/// What counts against the limits, each in its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct SentCodes {
    pub(in crate::directory) of_account_hour: i64,
    pub(in crate::directory) of_account_day: i64,
    pub(in crate::directory) of_client: i64,
    pub(in crate::directory) of_all: i64,
}

impl FromRow for SentCodes {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            of_account_hour: row.next()?,
            of_account_day: row.next()?,
            of_client: row.next()?,
            of_all: row.next()?,
        })
    }
}

/// The numbers and addresses that a client asked for, and when it asked for the first of them.
#[derive(Default)]
pub(in crate::directory) struct AskedTargets {
    pub(in crate::directory) count: i64,
    pub(in crate::directory) first_at: Option<i64>,
}

impl FromRow for AskedTargets {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { count: row.next()?, first_at: row.next()? })
    }
}

impl Tx<'_> {
    /// Returns the latest request for a target that has not ended.
    pub(in crate::directory) fn open_code(
        &self,
        target: &[u8],
        open: OpenSpan,
    ) -> Result<Option<StoredCode>, Error> {
        Ok(self.first(&of_target(target, open))?)
    }

    /// Returns the request of an id.
    pub(in crate::directory) fn code(&self, id: i64) -> Result<Option<StoredCode>, Error> {
        Ok(self.first(&of_id(id))?)
    }

    /// Returns a request of an id that is undecided.
    pub(in crate::directory) fn undecided_code(&self, id: i64) -> Result<Option<UndecidedCode>, Error> {
        let sql = concat!(undecided_columns!(), "WHERE asked_for IS NOT NULL AND id = $1");
        Ok(self.first(&Sql::new(sql).bind(id))?)
    }

    /// Inserts a request.
    pub(in crate::directory) fn insert_code(&self, new: NewCode) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO sign_in_codes (id, channel, target, client, asked_at, expires_at, asked_for, locale, address, \
             request_id, tries, over_limit) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        );
        let sql = sql.bind(new.id).bind(new.channel.name()).bind(new.target).bind(new.client);
        let sql = sql.bind(new.asked_at).bind(new.expires_at).bind(new.asked_for).bind(new.locale);
        self.execute(&sql.bind(new.address).bind(new.request_id).bind(0_i64).bind(false))?;
        Ok(())
    }

    /// Lets a request be decided again that got no code, now for another client: what keeps a client from codes, such as its own
    /// limit, keeps no one else from them. Every open request costs the same statement.
    pub(in crate::directory) fn reopen_code(&self, new: NewCode) -> Result<(), Error> {
        let sql = "UPDATE sign_in_codes SET client = $2, asked_for = $3, locale = $4, address = $5, request_id = $6 \
                   WHERE id = $1 AND asked_for IS NULL AND sent_at IS NULL AND ended_at IS NULL";
        let sql = Sql::new(sql).bind(new.id).bind(new.client).bind(new.asked_for).bind(new.locale);
        self.execute(&sql.bind(new.address).bind(new.request_id))?;
        Ok(())
    }

    /// Notes that a client asked for a code.
    pub(in crate::directory) fn note_code_request(
        &self,
        client: &str,
        code: i64,
        target: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO code_requests (client, code_id, target, asked_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (client, code_id) DO UPDATE SET asked_at = excluded.asked_at";
        self.execute(&Sql::new(sql).bind(client).bind(code).bind(target.to_vec()).bind(now))?;
        Ok(())
    }

    /// Deletes some requests from before a time, and returns their number.
    pub(in crate::directory) fn forget_codes(&self, before: Timestamp) -> Result<u64, Error> {
        let sql = "DELETE FROM sign_in_codes WHERE id IN \
                   (SELECT id FROM sign_in_codes WHERE asked_at < $1 ORDER BY asked_at LIMIT $2)";
        Ok(self.execute(&Sql::new(sql).bind(before).bind(OLD_MAX))?)
    }

    /// Returns the users with one of these spellings of a number, at most two.
    pub(in crate::directory) fn users_of_number(&self, spellings: &[String; 3]) -> Result<Vec<User>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM users u WHERE u.mobile_number <> '' AND ",
            compact_number!(),
            " IN ($1, $2, $3) ORDER BY u.id LIMIT 2"
        );
        let [first, second, third] = spellings;
        Ok(self.all(&Sql::new(sql).bind(first.as_str()).bind(second.as_str()).bind(third.as_str()))?)
    }

    /// Returns the users with an address, which is folded, at most two.
    pub(in crate::directory) fn users_of_mail(&self, folded: &str) -> Result<Vec<User>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM users u WHERE u.email <> '' AND u.email_key = $1 ORDER BY u.id LIMIT 2"
        );
        Ok(self.all(&Sql::new(sql).bind(folded))?)
    }

    /// Counts the codes that were sent to a user since the hour and the day, and since the hour for a client and for all. A code
    /// that was sent after `until` was sent before the clock went back, and does not count.
    pub(in crate::directory) fn sent_codes(
        &self,
        user: UserId,
        client: &str,
        [hour, day, until]: [Timestamp; 3],
    ) -> Result<SentCodes, Error> {
        let sql = "SELECT (SELECT count(*) FROM sign_in_codes WHERE user_id = $1 AND sent_at > $2 AND sent_at <= $3), \
                   (SELECT count(*) FROM sign_in_codes WHERE user_id = $1 AND sent_at > $4 AND sent_at <= $3), \
                   (SELECT count(*) FROM sign_in_codes WHERE client = $5 AND sent_at > $2 AND sent_at <= $3), \
                   (SELECT count(*) FROM sign_in_codes WHERE sent_at > $2 AND sent_at <= $3)";
        let found = self.first(&Sql::new(sql).bind(user).bind(hour).bind(until).bind(day).bind(client))?;
        found.ok_or_else(|| DatabaseError::corrupt("count of codes").into())
    }

    /// Notes that a request is decided, and forgets what was asked for.
    pub(in crate::directory) fn decide_code(&self, id: i64, is_over_limit: bool) -> Result<(), Error> {
        let sql = "UPDATE sign_in_codes SET asked_for = NULL, locale = NULL, address = NULL, request_id = NULL, \
                   over_limit = (over_limit OR $2) WHERE id = $1";
        self.execute(&Sql::new(sql).bind(id).bind(is_over_limit))?;
        Ok(())
    }

    /// Notes that a code is sent to a user.
    pub(in crate::directory) fn send_code(
        &self,
        id: i64,
        user: UserId,
        code: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE sign_in_codes SET user_id = $2, code = $3, sent_at = $4 WHERE id = $1";
        self.execute(&Sql::new(sql).bind(id).bind(user).bind(code).bind(now))?;
        Ok(())
    }

    /// Whether the limit of all accounts together kept a code from being sent since a time.
    pub(in crate::directory) fn was_over_limit(&self, since: Timestamp) -> Result<bool, Error> {
        let sql = "SELECT id FROM sign_in_codes WHERE over_limit AND asked_at > $1 LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(since))?.is_some())
    }

    /// Counts a try of a code.
    pub(in crate::directory) fn count_try(&self, id: i64) -> Result<(), Error> {
        self.execute(&Sql::new("UPDATE sign_in_codes SET tries = tries + 1 WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Ends every open code of a user.
    pub(in crate::directory) fn end_codes(&self, user: UserId, now: Timestamp) -> Result<(), Error> {
        let sql =
            "UPDATE sign_in_codes SET ended_at = $2, code = NULL WHERE user_id = $1 AND ended_at IS NULL";
        self.execute(&Sql::new(sql).bind(user).bind(now))?;
        Ok(())
    }

    /// Returns how many wrong codes in a row were given for a user. Without a user it costs the same.
    pub(in crate::directory) fn code_failures(&self, user: Option<UserId>) -> Result<i64, Error> {
        let sql = Sql::new("SELECT failures FROM code_failures WHERE user_id = $1");
        Ok(self.first::<i64>(&sql.bind(user.map_or(NO_USER, UserId::get)))?.unwrap_or(0))
    }

    /// Counts a wrong code of a user. Without a user it costs the same.
    pub(in crate::directory) fn count_code_failure(&self, user: Option<UserId>) -> Result<(), Error> {
        let sql = "INSERT INTO code_failures (user_id, failures) SELECT id, 1 FROM users WHERE id = $1 \
                   ON CONFLICT (user_id) DO UPDATE SET failures = code_failures.failures + 1";
        self.execute(&Sql::new(sql).bind(user.map_or(NO_USER, UserId::get)))?;
        Ok(())
    }

    /// Forgets the wrong codes of a user, and returns their number.
    pub(in crate::directory) fn forget_code_failures(&self, user: UserId) -> Result<i64, Error> {
        let sql = Sql::new("DELETE FROM code_failures WHERE user_id = $1 RETURNING failures");
        Ok(self.first::<i64>(&sql.bind(user))?.unwrap_or(0))
    }

    /// Notes that someone else than a user changed how messages reach it.
    pub(in crate::directory) fn note_contact_change(
        &self,
        user: UserId,
        channel: Channel,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO contact_changes (user_id, channel, changed_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (user_id, channel) DO UPDATE SET changed_at = excluded.changed_at";
        self.execute(&Sql::new(sql).bind(user).bind(channel.name()).bind(now))?;
        Ok(())
    }

    /// Forgets that someone else did, because the user has changed it.
    pub(in crate::directory) fn forget_contact_change(
        &self,
        user: UserId,
        channel: Channel,
    ) -> Result<(), Error> {
        let sql = "DELETE FROM contact_changes WHERE user_id = $1 AND channel = $2";
        self.execute(&Sql::new(sql).bind(user).bind(channel.name()))?;
        Ok(())
    }

    /// Returns when someone else changed how messages reach a user.
    pub(in crate::directory) fn contact_changed_at(
        &self,
        user: UserId,
        channel: Channel,
    ) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT changed_at FROM contact_changes WHERE user_id = $1 AND channel = $2";
        let found: Option<i64> = self.first(&Sql::new(sql).bind(user).bind(channel.name()))?;
        Ok(optional_time(found)?)
    }
}
