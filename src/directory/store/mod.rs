//! The SQL statements of the account database. This room is private to `directory`.
//!
//! Each file names one noun and holds its statements, each once, for both databases. [`transfer`] reads, writes and
//! compares whole databases by one description of all tables. The engine that runs the statements is
//! [`crate::database`]; this room gives it the [`migrations`], the upkeep of the [`search_index`] and the meaning of broken
//! [`constraints`].
//!
//! Rules about rights and about valid values are in the use cases and in `model`.

mod constraints;
pub(super) mod migrations;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod values;

pub(super) mod activity;
pub(super) mod attempts;
pub(super) mod audit;
pub(super) mod bitmap_rows;
pub(super) mod bulk_load;
pub(super) mod changes;
pub(super) mod checkup;
pub(super) mod codes;
mod column_list;
pub(super) mod deleted;
pub(super) mod deleted_groups;
pub(super) mod encodings;
pub(super) mod ended_tokens;
pub(super) mod export_rows;
pub(super) mod group_list;
pub(super) mod groups;
pub(super) mod health;
pub(super) mod identities;
mod import_rows;
pub(super) mod links;
mod new_ids;
pub(super) mod numbered;
pub(super) mod outbox;
mod paging;
pub(super) mod permissions;
pub(super) mod saved_views;
mod search_index;
pub(super) mod statistics;
pub(super) mod token_list;
pub(super) mod tokens;
pub(super) mod transfer;
mod triggers;
mod unreferenced_media;
pub(super) mod user_list;
pub(super) mod users;
mod uses;

pub(super) use self::migrations::schema_version;
use self::migrations::{MIGRATIONS, REPAIRS};
use self::search_index::Upkeep;
use super::Settings;
use super::error::Error;
use super::model::Timestamp;
use crate::database::{self, ConnectOptions, Database, OtherTables};
pub(super) use crate::database::{Dialect, FirstRead, FromRow, OpenError, Sql, Tx};

/// The open database.
pub(super) type Store = Database<Error>;

impl Store {
    /// Opens an existing database of this program's version.
    pub(super) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        Self::connect(&options(settings), MIGRATIONS, Box::new(Upkeep::default())).await
    }

    /// Creates a new, empty database; refuses if there is one.
    pub(super) async fn create(
        settings: &Settings,
        now: Timestamp,
        others: OtherTables,
    ) -> Result<(), OpenError> {
        database::create(&options(settings), MIGRATIONS, now.as_micros(), others).await
    }

    /// Upgrades an existing database and returns the versions that were applied.
    pub(super) async fn migrate(settings: &Settings, now: Timestamp) -> Result<Vec<i64>, OpenError> {
        database::migrate(&options(settings), MIGRATIONS, REPAIRS, now.as_micros()).await
    }
}

fn options(settings: &Settings) -> ConnectOptions {
    ConnectOptions {
        location: settings.location.clone(),
        connections: settings.connections,
        timeout: settings.timeout,
    }
}
