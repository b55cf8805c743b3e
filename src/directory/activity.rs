//! How much happens: sign-ins, requests and refused keys, by the hour and by the day; who is here; and which servers.
//!
//! Counts are kept in memory and added to the database once a minute, to the hour and day of that minute. Those of the last
//! minute are lost when a process ends without [`Directory::write_activity`].

use std::time::Duration;

use super::Directory;
use super::access::{Action, Actor, authorize};
use super::error::Error;
use super::model::{
    ActivityCount, ActivityKind, ActivitySpan, GroupId, ListedToken, ONLINE_FOR, PermissionId, Timestamp,
    User, UserId,
};
use super::store::activity::{ServersOfVersion, StoredActivity};
pub use super::store::token_list::NOTED_MAX;
use super::store::token_list::NotedToken;
pub use super::store::users::SEEN_MAX;
use super::store::{Dialect, activity, token_list, users};
use super::tokens;

/// How long the counts of hours are kept.
const HOURS_KEPT: Duration = Duration::from_hours(24 * 90);
/// How long the counts of days are kept.
const DAYS_KEPT: Duration = Duration::from_hours(24 * 731);
/// A server that has not written for so long is not there: it writes once a minute.
const SERVER_SEEN: Duration = Duration::from_secs(150);
/// How long the row of a server that has crashed is kept.
const SERVER_KEPT: Duration = Duration::from_hours(24);
/// How far ahead the end of a token is news.
pub const ENDS_SOON: Duration = Duration::from_hours(24 * 7);
/// A token that was never used for so long may not be needed.
pub const UNUSED_FOR: Duration = Duration::from_hours(24 * 30);

/// Tokens that need a person.
#[derive(Debug, Default)]
pub struct TokensOfNote {
    /// Those that end within [`ENDS_SOON`], the first one first.
    pub ending: Vec<ListedToken>,
    /// Those that were made [`UNUSED_FOR`] ago or earlier and never used, the oldest first.
    pub unused: Vec<ListedToken>,
}

impl Directory {
    /// Counts something that happened.
    #[inline]
    pub fn note_activity(&self, kind: ActivityKind) {
        self.activity.note(kind);
    }

    /// Adds what was counted since the last call to the database, and forgets what is too old. On PostgreSQL it also notes that
    /// this server is there. What cannot be written is kept for the next call.
    pub async fn write_activity(&self) -> Result<(), Error> {
        let counts = self.activity.take();
        // A file has one server, which writes nothing while nothing happens.
        let server = (self.store.dialect() == Dialect::Postgres).then(|| self.server_id.clone());
        if counts.is_empty() && server.is_none() {
            return Ok(());
        }
        let (now, kept) = (self.clock.now(), counts.clone());
        let written = self.store.write(move |tx| {
            if let Some(id) = &server {
                tx.note_server(
                    (id.as_str(), env!("CARGO_PKG_VERSION")),
                    now,
                    now.saturating_sub(SERVER_KEPT),
                )?;
            }
            if !kept.is_empty() {
                tx.add_activity(now, &kept)?;
                tx.forget_activity(ActivitySpan::Hour, now.saturating_sub(HOURS_KEPT))?;
                tx.forget_activity(ActivitySpan::Day, now.saturating_sub(DAYS_KEPT))?;
            }
            Ok(())
        });
        written.await.inspect_err(|_| self.activity.put_back(&counts))
    }

    /// Notes that this server stops.
    pub async fn note_stop(&self) -> Result<(), Error> {
        match self.store.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let id = self.server_id.clone();
                self.store.write(move |tx| tx.forget_server(&id)).await
            }
        }
    }

    /// Returns how many servers of which version use this database; none on SQLite, where there is one.
    pub async fn servers(&self) -> Result<Vec<(String, i64)>, Error> {
        if self.store.dialect() == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let since = self.clock.now().saturating_sub(SERVER_SEEN);
        let servers: Vec<ServersOfVersion> = self.store.all(activity::servers(since)).await?;
        Ok(servers.into_iter().map(|of| (of.version, of.count)).collect())
    }

    /// Returns the counts of the hours or days since a time, in no order. Who may read the audit trail may read them.
    pub async fn activity(
        &self,
        actor: &Actor,
        span: ActivitySpan,
        since: Timestamp,
    ) -> Result<Vec<ActivityCount>, Error> {
        authorize(actor, Action::ReadAudit)?;
        let rows: Vec<StoredActivity> = self.store.all(activity::since(span, span.start(since))).await?;
        let known = rows.into_iter().filter_map(|row| {
            let kind = ActivityKind::from_stored(&row.kind)?;
            Some(ActivityCount { starts_at: row.starts_at, kind, count: u64::try_from(row.count).ok()? })
        });
        Ok(known.collect())
    }

    /// Returns users who used a token in the last minutes, the latest first, at most [`SEEN_MAX`].
    pub async fn users_online(&self, actor: &Actor) -> Result<Vec<User>, Error> {
        authorize(actor, Action::ReadUsers)?;
        let since = self.clock.now().saturating_sub(ONLINE_FOR);
        self.store.all(users::seen_since(since)).await
    }

    /// Returns tokens that need a person, at most [`NOTED_MAX`] of each sort. Sign-ins are none of them.
    pub async fn tokens_of_note(&self, actor: &Actor) -> Result<TokensOfNote, Error> {
        authorize(actor, Action::ReadAllTokens)?;
        let (now, hidden) = (self.clock.now(), tokens::unreadable_owner(actor));
        let until = now.plus(ENDS_SOON).unwrap_or(Timestamp::LAST);
        let sql = token_list::of_note((now, until), now.saturating_sub(UNUSED_FOR), hidden);
        let mut found = TokensOfNote::default();
        for NotedToken { is_ending, mut listed } in self.store.all(sql).await? {
            tokens::name_owner(actor, &mut listed);
            if is_ending { found.ending.push(listed) } else { found.unused.push(listed) }
        }
        // The order of a union is not promised.
        found.ending.sort_by_key(|listed| (listed.token.expires_at, listed.token.id));
        found.unused.sort_by_key(|listed| (listed.token.created_at, listed.token.id));
        Ok(found)
    }

    /// Returns the query plans of the statements above, and of the pages of members and holders, each with its name.
    pub async fn explain_site(
        &self,
        actor: &Actor,
        (group, permission, late): (GroupId, PermissionId, UserId),
    ) -> Result<Vec<(&'static str, String)>, Error> {
        authorize(actor, Action::ReadAudit)?;
        let now = self.clock.now();
        let until = now.plus(ENDS_SOON).unwrap_or(Timestamp::LAST);
        let statements = [
            ("users online", users::seen_since(now.saturating_sub(ONLINE_FOR))),
            ("tokens of note", token_list::of_note((now, until), now.saturating_sub(UNUSED_FOR), None)),
            ("activity by the hour", activity::since(ActivitySpan::Hour, ActivitySpan::Hour.start(now))),
            ("activity by the day", activity::since(ActivitySpan::Day, ActivitySpan::Day.start(now))),
            ("members of a group", users::members(group, None, 51)),
            ("a late page of members", users::members(group, Some(late), 51)),
            ("holders of a permission", users::with_permission(permission, Some(late), 51)),
        ];
        let mut plans = Vec::new();
        for (name, sql) in statements {
            plans.push((name, self.store.plan(sql).await?));
        }
        Ok(plans)
    }

    /// Returns the free and the whole space of the disk that SQLite's file is on, in bytes; `None` on PostgreSQL.
    pub fn disk_space(&self) -> Option<(u64, u64)> {
        self.store.disk_space()
    }
}
