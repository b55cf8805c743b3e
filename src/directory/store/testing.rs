//! Tests of the store by itself: a new account database of each kind for each test.
//!
//! A test of the program as a whole belongs in `tests/it`.

use std::time::Duration;

use super::{OtherTables, Sql, Store};
use crate::database::Location;
use crate::database::testing::at_both;
use crate::directory::clock::Clock;
use crate::directory::model::Rates;
use crate::directory::{LinkSettings, MessageSettings, Settings};

/// Runs `test` with a new, empty account database in SQLite, then in PostgreSQL.
pub(in crate::directory) async fn on_both(test: impl AsyncFn(Settings)) {
    at_both(async |location| test(made(location).await).await).await;
}

async fn made(location: Location) -> Settings {
    let settings = Settings {
        location,
        connections: 2,
        timeout: Duration::from_secs(10),
        password_min_length: 8,
        password_words: vec![],
        sign_in_lifetime: Duration::from_hours(12),
        sign_in_idle_timeout: Duration::ZERO,
        keep_ended_tokens_for: Duration::from_hours(24 * 90),
        rates: Rates::default(),
        keep_deleted_for: Duration::ZERO,
        contact_needs_password: false,
        identity_cache_bytes: 0,
        serve_stale_for: Duration::ZERO,
        messages: MessageSettings::default(),
        codes: None,
        links: LinkSettings::default(),
        list_bitmaps_bytes: 0,
        list_timeout: Duration::from_secs(10),
    };
    Store::create(&settings, Clock::system().unwrap().now(), OtherTables::Refused).await.unwrap();
    settings
}

/// How many messages there are, and how many of them have a text.
pub(in crate::directory) async fn messages_and_texts(store: &Store) -> (i64, i64) {
    let all = Sql::new("SELECT count(*) FROM deliveries");
    let with_text = Sql::new("SELECT count(*) FROM deliveries WHERE payload IS NOT NULL");
    (store.first(all).await.unwrap().unwrap(), store.first(with_text).await.unwrap().unwrap())
}

/// Puts the text of the first message that waits into the last one.
pub(in crate::directory) async fn move_a_text(store: &Store) {
    let sql = "UPDATE deliveries SET payload = (SELECT payload FROM deliveries WHERE state = 'queued' ORDER BY id LIMIT 1) \
               WHERE id = (SELECT id FROM deliveries WHERE state = 'queued' ORDER BY id DESC LIMIT 1)";
    store.write(move |tx| Ok(tx.execute(&Sql::new(sql))?)).await.unwrap();
}
