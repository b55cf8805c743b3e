//! One guard for each of the three costliest mistakes in this field: a write on an authenticated read, a slow hash of
//! a random key, an answer that outlives a revocation.

use wardroom::directory::groups::MemberChange;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::{Clock, Directory, Location};

use crate::support::site::operator;
use crate::support::{Backend, Request, Site, both};

fn key(id: i64) -> UserKey {
    UserKey::Id(id.try_into().unwrap())
}

both! {
    /// Guards against a write on each authenticated read: the database accepts no writes, and gets none.
    async fn an_authenticated_read_writes_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let before = site.directory().counters().writes.get();
        match &site.database.location {
            Location::Sqlite(_) => {}
            Location::Postgres(_) => {
                let name = "SELECT set_config('application_name', 'x', true)";
                site.database.sql(name).await;
                site.database.sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$").await;
            }
        }
        let fresh = Site::replica(&site).await;
        let version = || async { match &site.database.location {
            Location::Sqlite(_) => site.database.number("SELECT count(*) + coalesce(sum(last_used_at), 0) FROM tokens").await,
            Location::Postgres(_) => site.database.number("SELECT sum(xmin::text::bigint)::bigint FROM tokens").await,
        }};
        let stamp = version().await;
        for address in [site.address, fresh] {
            for _ in 0..3 {
                assert_eq!(Request::new(address, "GET", "/api/users/me").token(&site.alex.key).send().await.status, 200);
            }
        }
        assert_eq!(version().await, stamp);
        assert_eq!(site.directory().counters().writes.get(), before);
    }
}

/// The same, seen by SQLite itself: no other connection has committed anything.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_sees_no_commit_from_reads() {
    let site = Site::start(Backend::Sqlite).await;
    let Location::Sqlite(directory) = &site.database.location else { panic!("not SQLite") };
    let observer = rusqlite::Connection::open(directory.join("wardroom.db")).unwrap();
    let version = || observer.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    // A caller without the right leaves an event in the audit trail, which is not a read.
    for key in [&site.alex.key, &site.staff.key, &"nope".to_owned()] {
        site.me(key).send().await;
    }
    assert_eq!(version(), before);
    let change = UserDraft { first_name: Some("Other".into()), ..UserDraft::default() };
    site.directory()
        .update_user(&operator(), &UserKey::Id(42.try_into().unwrap()), &change, None)
        .await
        .unwrap();
    assert_ne!(version(), before, "the observer would not have seen a write");
}

both! {
    /// Guards against a slow hash of a random key.
    async fn a_key_is_never_hashed_slowly(backend: Backend) {
        let site = Site::start(backend).await;
        let count = || site.directory().counters().password_hashes.get();
        for key in [&site.alex.key, &site.inactive.key, &"f".repeat(40)] {
            site.me(key).send().await;
        }
        assert_eq!(count(), 0);
        let password = wardroom::directory::password::Password::new("a long enough password".into());
        site.directory().set_password(&operator(), &key(site.staff.id), password).await.unwrap();
        assert_eq!(count(), 1, "the counter would not have seen a hash");
    }
}

/// Every way to take something from a user, and the answer of `me` afterwards.
async fn each_taking(directory: &Directory, site: &Site, address: std::net::SocketAddr) {
    let get = async |path: &str, key: &str| Request::new(address, "GET", path).token(key).send().await;
    let me = async |key: &str| {
        // With a parameter the request takes the ordinary path, which has its own cache.
        let (one, other) = (get("/api/users/me", key).await, get("/api/users/me?other=1", key).await);
        assert_eq!((one.status, &one.body), (other.status, &other.body));
        other
    };
    let actor = operator();
    let alex = key(42);
    let draft = |change: fn(&mut UserDraft)| {
        let mut draft = UserDraft::default();
        change(&mut draft);
        draft
    };
    assert_eq!(me(&site.alex.key).await.status, 200);
    directory
        .update_user(&actor, &alex, &draft(|d| d.first_name = Some("Alexis".into())), None)
        .await
        .unwrap();
    assert_eq!(me(&site.alex.key).await.json()["full_name"], "Alexis Thompson");
    let group = "name:Billing".parse().unwrap();
    directory
        .change_members(&actor, &group, std::slice::from_ref(&alex), MemberChange::Remove)
        .await
        .unwrap();
    assert_eq!(me(&site.alex.key).await.json()["groups"], serde_json::json!([1, 7]));
    for (right, status) in [(vec![6], 200), (vec![], 403), (vec![6], 200)] {
        let held = UserDraft { permissions: Some(right), ..UserDraft::default() };
        directory.update_user(&actor, &alex, &held, None).await.unwrap();
        assert_eq!(get("/api/users/42", &site.alex.key).await.status, status);
    }
    directory.update_user(&actor, &alex, &draft(|d| d.is_staff = Some(false)), None).await.unwrap();
    assert_eq!(me(&site.alex.key).await.status, 403);
    assert_eq!(get("/api/users/42", &site.alex.key).await.status, 403);
    directory.update_user(&actor, &alex, &draft(|d| d.is_staff = Some(true)), None).await.unwrap();
    assert_eq!(me(&site.alex.key).await.status, 200);
    directory.update_user(&actor, &alex, &draft(|d| d.is_active = Some(false)), None).await.unwrap();
    assert_eq!(me(&site.alex.key).await.body, r#"{"detail":"User inactive or deleted."}"#);
    directory.update_user(&actor, &alex, &draft(|d| d.is_active = Some(true)), None).await.unwrap();
    let issued = directory
        .issue_token(&actor, &alex, "second", wardroom::directory::tokens::Expiry::Never)
        .await
        .unwrap();
    assert_eq!(me(issued.key.reveal()).await.status, 200);
    directory.revoke_token(&actor, None, issued.token.id).await.unwrap();
    assert_eq!(me(issued.key.reveal()).await.body, r#"{"detail":"Invalid token."}"#);
    directory.delete_user(&actor, &alex).await.unwrap();
    assert_eq!(me(&site.alex.key).await.body, r#"{"detail":"Invalid token."}"#);
}

both! {
    /// Guards against answers that outlive a change made in the same process.
    async fn nothing_is_stale_after_a_change_here(backend: Backend) {
        let site = Site::start(backend).await;
        each_taking(site.directory(), &site, site.address).await;
    }
}

both! {
    /// Guards against answers that outlive a change made by another process or replica.
    async fn nothing_is_stale_after_a_change_elsewhere(backend: Backend) {
        let site = Site::start(backend).await;
        let elsewhere = site.database.open(&Clock::system().unwrap()).await;
        each_taking(&elsewhere, &site, site.address).await;
    }
}

/// SQLite's `REPLACE` deletes without firing triggers. Without foreign keys, nothing follows the deleted row.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_s_replace_is_noticed_as_any_other_change() {
    let site = Site::start(Backend::Sqlite).await;
    let right = UserDraft { permissions: Some(vec![6]), ..UserDraft::default() };
    site.directory().update_user(&operator(), &key(42), &right, None).await.unwrap();
    let status =
        async |path: &str| Request::new(site.address, "GET", path).token(&site.alex.key).send().await.status;
    let columns = "id, username, username_key, email_key, first_name, last_name, password, is_active, is_staff, \
                   is_admin, created_at, updated_at, search_key";
    let replaced = |active: bool| {
        let values = columns.replace("is_active", if active { "1" } else { "0" });
        format!("REPLACE INTO users ({columns}) SELECT {values} FROM users WHERE id = 42")
    };
    for (change, me, other) in [
        ("SELECT 1".to_owned(), 200, 200),
        (replaced(false), 401, 401),
        (replaced(true), 200, 200),
        ("DELETE FROM permissions WHERE id = 6".to_owned(), 200, 403),
        ("INSERT INTO permissions (id, code, name) VALUES (6, 1222, 'user_read')".to_owned(), 200, 200),
        (
            "REPLACE INTO tokens (id, user_id, name, kind, digest, prefix, last_four, created_at, revoked_at) \
             SELECT id, user_id, name, kind, digest, prefix, last_four, created_at, 1 FROM tokens WHERE user_id = 42"
                .to_owned(),
            401,
            401,
        ),
    ] {
        site.database.sql(&format!("PRAGMA foreign_keys = OFF; {change}")).await;
        assert_eq!(status("/api/users/me").await, me, "{change}");
        assert_eq!(status("/api/users/42").await, other, "{change}");
    }
}
