//! Statements about uploaded avatars that no user has.

use std::collections::BTreeSet;

use super::column_list::json_list;
use super::{Tx, deleted};
use crate::database::Sql;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;

/// The deleted users who have an avatar that was uploaded. The recycle bin holds only those of the last days.
const DELETED: &str = "SELECT remains FROM deleted_users WHERE remains LIKE '%\"avatar\":\"users/avatars/%'";

impl Tx<'_> {
    /// Returns which of these uploaded avatars users have, deleted users not included. The first condition is that of the index.
    pub(in crate::directory) fn avatars_among(&self, names: &[String]) -> Result<BTreeSet<String>, Error> {
        let sql = self.either(
            "SELECT avatar FROM users WHERE avatar >= 'users/avatars/' AND avatar IN (SELECT value FROM json_each($1))",
            "SELECT avatar FROM users WHERE avatar >= 'users/avatars/' AND avatar IN (SELECT v FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        Ok(self.all::<String>(&Sql::new(sql).bind(json_list(names)))?.into_iter().collect())
    }

    /// Returns the uploaded avatars of deleted users.
    pub(in crate::directory) fn avatars_in_bin(&self) -> Result<BTreeSet<String>, Error> {
        let remains: Vec<String> = self.all(&Sql::new(DELETED))?;
        Ok(remains.iter().filter_map(|remains| deleted::avatar(remains)).collect())
    }

    /// Records that no user has these avatars. Those that are recorded stay as they are.
    pub(in crate::directory) fn note_unreferenced(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = self.either(
            "INSERT INTO unreferenced_media (name, since, state) SELECT value, $2, 'waiting' FROM json_each($1) WHERE true \
             ON CONFLICT (name) DO NOTHING",
            "INSERT INTO unreferenced_media (name, since, state) SELECT v, $2, 'waiting' \
             FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v ON CONFLICT (name) DO NOTHING",
        );
        self.execute(&Sql::new(sql).bind(json_list(names)).bind(now))?;
        Ok(())
    }

    /// Returns the names of all recorded avatars.
    pub(in crate::directory) fn unreferenced(&self) -> Result<Vec<String>, Error> {
        Ok(self.all(&Sql::new("SELECT name FROM unreferenced_media ORDER BY name"))?)
    }

    /// Returns up to `limit` avatars that were recorded before `until`, and those whose removal began before `stopped` and did
    /// not end.
    pub(in crate::directory) fn removable(
        &self,
        until: Timestamp,
        stopped: Timestamp,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM unreferenced_media WHERE (state = 'waiting' AND since <= $1) \
                   OR (state = 'removing' AND since <= $2) ORDER BY since, name LIMIT $3";
        Ok(self.all(&Sql::new(sql).bind(until).bind(stopped).bind(limit))?)
    }

    /// Returns the avatars whose removal began after `since`, and may go on.
    pub(in crate::directory) fn removing_since(&self, since: Timestamp) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM unreferenced_media WHERE state = 'removing' AND since > $1";
        Ok(self.all(&Sql::new(sql).bind(since))?)
    }

    /// Records that the files of an avatar are being removed.
    pub(in crate::directory) fn begin_removal(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE unreferenced_media SET state = 'removing', since = $2 WHERE name = $1";
        self.execute(&Sql::new(sql).bind(name).bind(now))?;
        Ok(())
    }

    /// Removes the record of an avatar, whatever its state.
    pub(in crate::directory) fn forget_unreferenced(&self, name: &str) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM unreferenced_media WHERE name = $1").bind(name))?;
        Ok(())
    }

    /// Removes the record of an avatar that a user is about to get. Returns false if its files are being removed: then no
    /// user may get it.
    pub(in crate::directory) fn reference_media(&self, name: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM unreferenced_media WHERE name = $1 AND state = 'waiting'";
        self.execute(&Sql::new(sql).bind(name))?;
        let left = Sql::new("SELECT name FROM unreferenced_media WHERE name = $1").bind(name);
        Ok(self.first::<String>(&left)?.is_none())
    }
}
