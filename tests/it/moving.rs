//! Moving from one database to the other: everything arrives, or nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};
use wardroom::directory::progress::Progress;
use wardroom::directory::query::UserQuery;
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory, Location};

use crate::cli::{Ran, on};
use crate::support::site::{import, imported, operator};
use crate::support::{Backend, Database, both};

fn other(backend: Backend) -> Backend {
    if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite }
}

/// Fills every table, with values that are easily lost on the way.
pub async fn fill_every_table(database: &Database) -> String {
    let directory = database.open(&Clock::system().unwrap()).await;
    let mut odd = imported(7, "Zoë 🦊 'quoted' \"twice\" \\ \u{200b}");
    (odd.mobile_number, odd.email, odd.avatar, odd.gender) =
        (Some(String::new()), None, Some("a b/ü.png".into()), Some("Other".into()));
    let mut huge = imported(9_007_199_254_740_993, "huge");
    huge.last_login = Some("0001-02-03T04:05:06.000007Z".parse().unwrap());
    import(
        &directory,
        vec![
            (odd, "0123456789012345678901234567890123456789"),
            (huge, "ff23456789012345678901234567890123456789"),
        ],
    )
    .await;
    let mut groups = Vec::new();
    for name in ["Accounts", "Überblick", "Abandoned"] {
        let draft = GroupDraft {
            name: Some(name.into()),
            notes: Some(Some("a\nb\t".into())),
            permissions: Some(vec![1, 3]),
        };
        groups.push(directory.create_group(&operator(), &draft).await.unwrap().id.get());
    }
    let mut key = String::new();
    for name in ["ann", "bob", "gone"] {
        let draft = UserDraft {
            username: Some(name.into()),
            is_staff: Some(true),
            groups: Some(groups.clone()),
            permissions: Some(vec![2, 4]),
            ..UserDraft::default()
        };
        let user = directory.create_user(&operator(), &draft, None).await.unwrap();
        let issued =
            directory.issue_token(&operator(), &UserKey::Id(user.id), "laptop", Expiry::Never).await.unwrap();
        match name {
            "ann" => key = issued.key.reveal().to_owned(),
            "bob" => drop(directory.revoke_token(&operator(), None, issued.token.id).await.unwrap()),
            _ => {
                directory.revoke_token(&operator(), None, issued.token.id).await.unwrap();
                drop(directory.delete_user(&operator(), &UserKey::Id(user.id)).await.unwrap());
            }
        }
    }
    let abandoned = groups.last().copied().unwrap().try_into().unwrap();
    drop(directory.delete_group(&operator(), &GroupKey::Id(abandoned)).await.unwrap());
    let bytes = if let Location::Sqlite(_) = database.location { "x'00ff80'" } else { "'\\x00ff80'" };
    database.sql(&format!("INSERT INTO attempts VALUES ({bytes}, 3, 0, 9000000000000000); INSERT INTO known_addresses VALUES (7, '10.0.0.1', 1), (7, '2001:db8::', 2); INSERT INTO activity VALUES ('day', 0, 'key.unknown', 3); INSERT INTO saved_views SELECT min(id), '/admin/users', 'Staff', 'is_staff=true' FROM users; INSERT INTO unreferenced_media VALUES ('users/avatars/00.jpg', 1, 'waiting'); INSERT INTO mail_changes VALUES (7, 5); INSERT INTO code_failures VALUES (7, 3); INSERT INTO contact_changes VALUES (7, 'mail', 2), (7, 'sms', 1)")).await;
    key
}

async fn moved(from: &Database, to: &Database) -> Vec<(&'static str, u64)> {
    let directory = from.open(&Clock::system().unwrap()).await;
    let moved = directory.move_to(&operator(), to.location.clone(), Progress::default()).await.unwrap();
    assert!(!moved.left_behind);
    moved.tables
}

/// Users for more than one page, written straight into the table.
pub async fn crowd(database: &Database, users: i64) {
    let numbers = match database.location {
        Location::Sqlite(_) => {
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})")
        }
        Location::Postgres(_) => format!("WITH n (i) AS (SELECT generate_series(1::bigint, {users}))"),
    };
    let no = if let Location::Sqlite(_) = database.location { "0" } else { "false" };
    database.sql(&format!(
        "INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, is_staff, is_admin, \
           created_at, updated_at, search_key) {numbers} SELECT 100 + i, 'user' || i, 'user' || i, '', 'Ann', '', '!', {no}, {no}, {no}, \
           i, i, i || 'user' || i  FROM n"
    )).await;
}

both! {
    /// There and back again: every row of every table, the next ids, the tokens, the search.
    async fn nothing_is_lost_on_the_way(backend: Backend) {
        let (first, second, third) =
            (Database::new(backend).await, Database::empty(other(backend)).await, Database::empty(backend).await);
        crowd(&first, 2500).await;
        let key = fill_every_table(&first).await;
        let before = first.content().await;
        let there = moved(&first, &second).await;
        assert_eq!(there.iter().find(|(table, _)| *table == "users").unwrap().1, 2504);
        assert!(there.iter().all(|(_, rows)| *rows > 0), "a table was tried without rows: {there:?}");
        assert_eq!(moved(&second, &third).await, there);
        assert_eq!(first.content().await, before);
        assert_eq!(third.content().await, before);
        for database in [&second, &third] {
            let directory = database.open(&Clock::system().unwrap()).await;
            let owner = directory.authenticate(&key, None).await;
            assert_eq!(owner.unwrap().user.username, "ann");
            assert_eq!(directory.verify_audit(&operator(), None).await.unwrap().broken, None);
            assert!(directory.check_integrity().await.unwrap().is_clean());
            let draft = UserDraft { username: Some("next".into()), ..UserDraft::default() };
            let next = directory.create_user(&operator(), &draft, None).await.unwrap();
            // `gone` was the last, and its id is not assigned again. That of `huge` does not count.
            assert_eq!(next.id.get(), 2604);
            let search = UserQuery::parse(&[("search".into(), "SER2499".into())]).unwrap();
            assert_eq!(directory.list_users(&operator(), &search).await.unwrap().rows.len(), 1);
        }
    }
}

both! {
    /// The triggers, which are off while rows are written, are on again: a change is in the feed.
    async fn the_feed_of_changes_goes_on_over_there(backend: Backend) {
        let (first, second) = (Database::new(backend).await, Database::empty(other(backend)).await);
        let key = fill_every_table(&first).await;
        moved(&first, &second).await;
        let directory = second.open(&Clock::system().unwrap()).await;
        let noted = "SELECT count(*) FROM identity_changes WHERE scope = 'user'";
        assert_eq!(second.number(noted).await, 0);
        assert!(directory.authenticate(&key, None).await.is_ok());
        second.sql("UPDATE tokens SET revoked_at = 1").await;
        assert!(second.number(noted).await > 0);
        assert!(directory.authenticate(&key, None).await.is_err());
    }
}

both! {
    /// Rows written during a move are not copied, and are reported.
    async fn rows_that_were_not_copied_are_reported(backend: Backend) {
        let (first, second) = (Database::new(backend).await, Database::empty(other(backend)).await);
        fill_every_table(&first).await;
        let directory = Arc::new(first.open(&Clock::system().unwrap()).await);
        let (writing, runtime) = (Arc::clone(&directory), tokio::runtime::Handle::current());
        let written = AtomicU64::new(0);
        let watch = move |_| {
            if written.fetch_add(1, Ordering::Relaxed) == 0 {
                let draft = UserDraft { username: Some("late".into()), ..UserDraft::default() };
                runtime.block_on(writing.create_user(&operator(), &draft, None)).unwrap();
            }
            true
        };
        let moved = directory.move_to(&operator(), second.location.clone(), Progress::new(watch)).await.unwrap();
        assert!(moved.left_behind);
        assert_eq!(second.number("SELECT count(*) FROM users WHERE username = 'late'").await, 0);
        assert_eq!(first.number("SELECT count(*) FROM users WHERE username = 'late'").await, 1);
    }
}

both! {
    /// A move that is stopped, at whatever point, leaves nothing at the destination, and the source unchanged.
    async fn a_stopped_move_leaves_nothing(backend: Backend) {
        let (first, second) = (Database::new(backend).await, Database::empty(other(backend)).await);
        fill_every_table(&first).await;
        let before = first.content().await;
        let directory = first.open(&Clock::system().unwrap()).await;
        for steps in [0, 3, 11, 15, 21] {
            let taken = AtomicU64::new(0);
            let watch = move |_| taken.fetch_add(1, Ordering::Relaxed) < steps;
            let stopped = directory.move_to(&operator(), second.location.clone(), Progress::new(watch)).await;
            assert_eq!(stopped.unwrap_err().to_string(), "stopped: nothing was changed");
            let left = match &second.location {
                Location::Sqlite(directory) => std::fs::read_dir(directory).unwrap().count(),
                Location::Postgres(_) => {
                    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
                    usize::try_from(second.number(left).await).unwrap()
                }
            };
            assert_eq!(left, 0);
        }
        assert_eq!(first.content().await, before);
        moved(&first, &second).await;
    }
}

fn assert_refused(ran: &Ran, code: i32, words: &[&str]) {
    for word in words {
        assert!(
            ran.code == code && ran.err.contains(word),
            "{code} {word}: {} {} {}",
            ran.code,
            ran.out,
            ran.err
        );
    }
    assert_eq!(ran.out, "");
}

both! {
    async fn a_move_reports_and_its_misuse_changes_nothing(backend: Backend) {
        let (first, second) = (Database::new(backend).await, Database::empty(other(backend)).await);
        fill_every_table(&first).await;
        let to = second.args()[1].clone();
        let ran = on(&first, &["move", "--to", &to], "");
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("Every row was compared"), "{}", ran.out);
        let before = second.content().await;
        // There is an account database now.
        assert_refused(&on(&first, &["move", "--to", &to], ""), 5, &["at the destination", "already holds an account database: nothing was changed"]);
        assert_eq!(second.content().await, before);
        let place = first.place().join("letters");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("letter.txt"), "dear").unwrap();
        assert_refused(&on(&first, &["move", "--to", place.to_str().unwrap()], ""), 5, &["is not empty"]);
        assert_refused(&on(&first, &["move", "--to", place.join("letter.txt").to_str().unwrap()], ""), 5, &["cannot be used"]);
        assert_refused(&on(&first, &["move"], ""), 2, &["--to"]);
        assert_refused(&on(&first, &["move", "--to", ""], ""), 2, &["--to is empty"]);
        assert_refused(&on(&first, &["move", "--to", "mysql://u:hunter2@h/d"], ""), 2, &["postgres://user:password@"]);
        for url in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h@h/d", "postgres://u:hunter2@127.0.0.1:1/d"] {
            let ran = on(&first, &["move", "--to", url], "");
            assert!(ran.code != 0 && !ran.err.contains("hunter2"), "{}", ran.err);
        }
        let nothing = Database::empty(backend).await;
        let ran = on(&nothing, &["move", "--to", place.join("new").to_str().unwrap()], "");
        assert!(ran.code == 5 && ran.err.contains("wardroom init"), "{}", ran.err);
        assert!(!place.join("new").exists());
    }
}

/// A row that PostgreSQL cannot store ends the move, and is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_written_is_named() {
    let (first, second) = (Database::new(Backend::Sqlite).await, Database::empty(Backend::Postgres).await);
    fill_every_table(&first).await;
    first.sql("UPDATE users SET first_name = 'a' || char(0) || 'b' WHERE id = 7").await;
    let directory: Directory = first.open(&Clock::system().unwrap()).await;
    let error = directory
        .move_to(&operator(), second.location.clone(), Progress::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("table users, the rows from id 7 on: "), "{error}");
    assert_eq!(
        second.number("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").await,
        0
    );
}
