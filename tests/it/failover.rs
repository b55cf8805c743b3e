//! Failovers of PostgreSQL: a primary with a streaming standby, and replicas of Wardroom whose URL names both. Issue 20,
//! point 7.
//!
//! The limit of the time without answers is not in seconds, which a busy machine would exceed: while the replicas
//! recover, a plain client of PostgreSQL connects and writes, again and again with a pause. Both are slow on a slow machine.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;
use tokio_postgres::NoTls;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory, Settings};

use crate::process::{Process, serve};
use crate::support::client::Connection;
use crate::support::own_postgres::OwnPostgres;
use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Database, Site};

/// The pause between two attempts of the plain client. It gets as many attempts as this second has pauses, and as many
/// again: each of its attempts takes time as well.
const PAUSE: Duration = Duration::from_millis(10);
const ATTEMPTS: u32 = 200;
/// What each writer has acknowledged before a primary is killed.
const WRITES: i64 = 6;
/// The most tokens that a writer issues.
const TOKENS: usize = 20;

/// One database on two servers.
fn both_hosts(a: &OwnPostgres, b: &OwnPostgres) -> Database {
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", a.port(), b.port());
    Database::at(&format!("postgres://wardroom@{hosts}/postgres?target_session_attrs=read-write"))
}

async fn number(server: &OwnPostgres, query: &str) -> i64 {
    Database::at(&server.url()).number(query).await
}

async fn until(server: &OwnPostgres, query: &str) {
    while number(server, query).await == 0 {
        sleep(PAUSE).await;
    }
}

/// Waits until a standby has applied all that its primary has written.
async fn until_applied(primary: &OwnPostgres, standby: &OwnPostgres) {
    let written = number(primary, "SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT)").await;
    let applied =
        format!("SELECT CAST(coalesce(pg_last_wal_replay_lsn() - '0/0' >= {written}, FALSE) AS INT)::BIGINT");
    until(standby, &applied).await;
}

#[expect(clippy::print_stdout, reason = "the person who runs the test reads the figures")]
fn report(line: &str) {
    println!("{line}");
}

/// A replica of Wardroom.
#[derive(Clone, Copy)]
struct Replica {
    address: SocketAddr,
}

impl Replica {
    /// It runs as long as the process that is returned with it.
    fn start(database: &Database) -> (Process, Self) {
        let mut process = serve(database, &[]);
        let address = process.address("listening");
        (process, Self { address })
    }

    async fn send(&self, method: &str, path: &str, key: &str, body: Option<&str>) -> Answer {
        Connection::to(self.address).await.send(method, path, Some(key), body).await
    }

    /// The first answer that is not 503.
    async fn me(&self, key: &str) -> Answer {
        loop {
            let answer = self.send("GET", "/api/users/me", key, None).await;
            if answer.status != 503 {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }

    async fn last_name(&self, key: &str) -> String {
        let answer = self.me(key).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()["last_name"].as_str().unwrap().to_owned()
    }

    async fn rename(&self, key: &str, name: &str) -> bool {
        let body = json!({ "last_name": name }).to_string();
        self.send("PATCH", "/api/users/me", key, Some(&body)).await.status == 200
    }

    /// Renames until it is acknowledged.
    async fn rename_at_last(&self, key: &str, name: &str) {
        while !self.rename(key, name).await {
            sleep(PAUSE).await;
        }
    }

    /// Issues a token. Returns its key and its path.
    async fn issue(&self, key: &str) -> Option<(String, String)> {
        let body = json!({ "name": "t" }).to_string();
        let answer = self.send("POST", "/api/users/me/tokens", key, Some(&body)).await;
        let token = (answer.status == 201).then(|| answer.json())?;
        Some((token["key"].as_str().unwrap().to_owned(), format!("/api/users/me/tokens/{}", token["id"])))
    }

    async fn revoke(&self, key: &str, path: &str) -> bool {
        self.send("DELETE", path, key, None).await.status == 204
    }
}

/// A user who changes, and what was acknowledged.
struct Writer {
    key: String,
    changes: AtomicI64,
    /// Keys, and whether they are valid.
    tokens: Mutex<Vec<(String, bool)>>,
}

impl Writer {
    fn new(key: &str) -> Arc<Self> {
        Arc::new(Self { key: key.to_owned(), changes: AtomicI64::new(0), tokens: Mutex::default() })
    }

    async fn write(self: Arc<Self>, replicas: [Replica; 2], over: Arc<AtomicBool>) {
        let mut number = 0;
        while !over.load(Ordering::SeqCst) {
            for replica in &replicas {
                // A change that failed may have happened or not. The next one has a number of its own.
                number += 1;
                if replica.rename(&self.key, &number.to_string()).await {
                    self.changes.store(number, Ordering::SeqCst);
                }
                if self.tokens.lock().unwrap().len() < TOKENS {
                    self.use_tokens(replica, number % 2 == 0).await;
                }
            }
        }
    }

    /// Issues a token, and revokes it if it is to be revoked.
    async fn use_tokens(&self, replica: &Replica, is_revoked: bool) {
        let Some((key, path)) = replica.issue(&self.key).await else { return };
        // Whether a revocation that was not acknowledged has happened is not known.
        if !is_revoked || replica.revoke(&self.key, &path).await {
            self.tokens.lock().unwrap().push((key, !is_revoked));
        }
    }

    /// Checks that a replica shows all that was acknowledged.
    async fn check(&self, replica: &Replica) -> usize {
        let shown: i64 = replica.last_name(&self.key).await.parse().unwrap();
        let acknowledged = self.changes.load(Ordering::SeqCst);
        assert!(shown >= acknowledged, "{shown} after {acknowledged}");
        let tokens = self.tokens.lock().unwrap().clone();
        for (key, is_valid) in &tokens {
            assert_eq!(replica.me(key).await.status, if *is_valid { 200 } else { 401 });
        }
        tokens.len()
    }
}

/// A token that is revoked on one replica is refused by both at once.
async fn check_revocations(replicas: &[Replica; 2], key: &str) {
    for revoking in replicas {
        let (token, path) = loop {
            if let Some(issued) = revoking.issue(key).await {
                break issued;
            }
        };
        for replica in replicas {
            assert_eq!(replica.me(&token).await.status, 200);
        }
        while !revoking.revoke(key, &path).await && revoking.me(&token).await.status != 401 {}
        for replica in replicas {
            assert_eq!(replica.me(&token).await.status, 401);
        }
    }
}

/// Promotes a standby, and waits until both replicas have answered and have acknowledged a change. Fails if that takes much
/// longer than a plain client needs.
async fn fail_over(to: &OwnPostgres, replicas: &[Replica; 2], key: &str, what: &str) {
    let mut recovering = JoinSet::new();
    for (number, replica) in replicas.iter().copied().enumerate() {
        let key = key.to_owned();
        recovering.spawn(async move {
            replica.me(&key).await;
            let answered = Instant::now();
            replica.rename_at_last(&key, what_is_written(number)).await;
            [answered, Instant::now()]
        });
    }
    let url = to.url();
    let promotion = tokio::spawn(async move {
        let client = crate::support::database::connect(&url).await;
        while client.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap().get(0) {
            sleep(Duration::from_millis(2)).await;
        }
        Instant::now()
    });
    let over = Arc::new(AtomicBool::new(false));
    let plain = tokio::spawn(write_plainly(to.url(), Arc::clone(&over)));
    block_in_place(|| to.promote());
    let promoted = promotion.await.unwrap();
    let recovered: Vec<[Duration; 2]> = recovering
        .join_all()
        .await
        .into_iter()
        .map(|times| times.map(|time| time.saturating_duration_since(promoted)))
        .collect();
    over.store(true, Ordering::SeqCst);
    let attempts = plain.await.unwrap();
    report(&format!(
        "{what}: after the promotion, the replicas answered and wrote after {recovered:?}; a plain client wrote {attempts} times"
    ));
    assert!(attempts <= ATTEMPTS, "{what}: a plain client wrote {attempts} times meanwhile");
}

fn what_is_written(replica: usize) -> &'static str {
    ["by one", "by the other"][replica]
}

/// Connects and writes, with pauses, until it is over. Returns how often that succeeded.
async fn write_plainly(url: String, over: Arc<AtomicBool>) -> u32 {
    let mut succeeded = 0;
    while !over.load(Ordering::SeqCst) {
        if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
            tokio::spawn(connection);
            succeeded += u32::from(client.execute("SELECT pg_current_xact_id()", &[]).await.is_ok());
        }
        sleep(PAUSE).await;
    }
    succeeded
}

/// Cuts the connections of Wardroom.
async fn cut(server: &OwnPostgres) {
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wardroom'")
        .await;
}

/// Sessions in which Wardroom has done anything but look whether the server is the primary.
const USED: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wardroom' \
     AND query NOT LIKE '%pg_is_in_recovery%' AND query NOT LIKE 'SHOW transaction_read_only%' AND query <> ''";

/// Whether three servers of Wardroom look at a server that they do not use.
const LOOKED_AT_BY_THREE: &str = "SELECT CAST(CAST(count(*) >= 3 AS INT) AS BIGINT) FROM pg_stat_activity \
     WHERE application_name = 'wardroom' AND query LIKE '%pg_is_in_recovery%' AND state = 'idle'";

/// A commit that waits for its synchronous standby is not confirmed when the time is up, and no one sees it. It is done when the
/// standby is back.
async fn check_that_an_unreplicated_commit_is_not_confirmed(
    a: &OwnPostgres,
    b: &OwnPostgres,
    user: &Persona,
) {
    const LATE: &str = "SELECT count(*) FROM users WHERE first_name = 'Late'";
    let timeout = Duration::from_secs(1);
    let settings = Settings { timeout, ..Database::at(&a.url()).settings() };
    let directory = Arc::new(Directory::open(&settings, Clock::system().unwrap()).await.unwrap());
    let key = UserKey::Id(user.id.try_into().unwrap());
    loop {
        b.freeze();
        let change = {
            let (directory, key) = (Arc::clone(&directory), key.clone());
            tokio::spawn(async move {
                let draft = UserDraft { first_name: Some("Late".to_owned()), ..UserDraft::default() };
                directory.update_user(&operator(), &key, &draft, None).await
            })
        };
        let mut has_waited = false;
        while !has_waited && !change.is_finished() {
            has_waited =
                number(a, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").await > 0;
        }
        assert!(change.await.unwrap().is_err(), "a commit was confirmed that the standby does not have");
        if has_waited {
            // The server's time limit for statements has passed as well.
            sleep(timeout + timeout / 2).await;
            assert_eq!(number(a, LATE).await, 0, "a commit is shown that the standby does not have");
        }
        b.thaw();
        if has_waited {
            break;
        }
    }
    until(a, LATE).await;
}

/// Four failovers in a row: a crash of the primary with a synchronous standby, the return of the old primary as a second
/// primary and as a standby, a controlled switchover, and a primary that falls silent.
#[tokio::test(flavor = "multi_thread")]
async fn no_failover_loses_or_revives_what_was_acknowledged() {
    let a = OwnPostgres::start().await;
    let (alone, clock) = (Database::at(&a.url()), Clock::system().unwrap());
    Directory::create(&alone.settings(), &clock).await.unwrap();
    let directory = alone.open(&clock).await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "eve"] {
        people.push(person(&directory, name, |draft| draft.is_admin = Some(true)).await);
    }
    directory.close().await.unwrap();
    let b = a.standby().await;
    a.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
    a.sql("SELECT pg_reload_conf()").await;
    until(&a, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").await;
    check_that_an_unreplicated_commit_is_not_confirmed(&a, &b, &people[2]).await;

    let database = both_hosts(&a, &b);
    let ((one, first), (two, second)) = (Replica::start(&database), Replica::start(&database));
    let replicas = [first, second];
    let [ann, bob, eve] = [0, 1, 2].map(|number: usize| people[number].key.clone());

    // The primary loses its power while it is written to.
    let (writers, over) = ([Writer::new(&ann), Writer::new(&bob)], Arc::new(AtomicBool::new(false)));
    let mut writing = JoinSet::new();
    for writer in &writers {
        writing.spawn(Arc::clone(writer).write(replicas, Arc::clone(&over)));
    }
    while writers.iter().any(|writer| writer.changes.load(Ordering::SeqCst) < WRITES) {
        sleep(PAUSE).await;
    }
    a.kill();
    fail_over(&b, &replicas, &eve, "a crash").await;
    over.store(true, Ordering::SeqCst);
    writing.join_all().await;
    for writer in &writers {
        for replica in &replicas {
            assert!(writer.check(replica).await > 0);
        }
    }
    check_revocations(&replicas, &eve).await;

    // The old primary comes back and accepts writes. It is the first host of the URL.
    a.start_again();
    replicas[0].rename_at_last(&ann, "new").await;
    // Its own commits would wait for its standby.
    a.sql("SET synchronous_commit = local; UPDATE users SET last_name = 'old'").await;
    let (third_process, third) = Replica::start(&database);
    for _ in 0..3 {
        cut(&b).await;
        for replica in &replicas {
            assert_eq!(replica.last_name(&ann).await, "new");
            replica.rename_at_last(&bob, "newer").await;
        }
        check_revocations(&replicas, &eve).await;
    }
    assert_eq!(
        number(&a, "SELECT count(*) FROM users WHERE last_name <> 'old'").await,
        0,
        "nothing is written there"
    );
    // A server that starts looks at all hosts, and again if one did not answer in time. From then on all three keep looking at the
    // old primary.
    until(&a, LOOKED_AT_BY_THREE).await;
    assert_eq!(third.last_name(&ann).await, "new");
    drop(third_process);

    // It comes back as a standby, of which nothing is read.
    a.rebuild_from(&b);
    cut(&b).await;
    for replica in &replicas {
        assert_eq!(replica.last_name(&ann).await, "new");
    }
    assert_eq!(number(&a, USED).await, 0);

    // A controlled switchover.
    until_applied(&b, &a).await;
    b.stop();
    fail_over(&a, &replicas, &eve, "a switchover").await;
    b.follow(&a);
    until(&a, "SELECT count(*) FROM pg_stat_replication").await;
    // The standby does not get any further.
    b.sql("SELECT pg_wal_replay_pause()").await;
    cut(&a).await;
    for (number, replica) in replicas.iter().enumerate() {
        replica.rename_at_last(&ann, what_is_written(number)).await;
        for replica in &replicas {
            assert_eq!(replica.last_name(&ann).await, what_is_written(number));
        }
    }
    check_revocations(&replicas, &eve).await;
    assert_eq!(number(&b, USED).await, 0);
    b.sql("SELECT pg_wal_replay_resume()").await;
    until_applied(&a, &b).await;

    // The primary falls silent, with all connections open, and wakes up later.
    a.freeze();
    fail_over(&b, &replicas, &eve, "a silence").await;
    replicas[0].rename_at_last(&ann, "awake").await;
    a.thaw();
    for replica in &replicas {
        assert_eq!(replica.last_name(&ann).await, "awake");
    }
    check_revocations(&replicas, &eve).await;

    for process in [one, two] {
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(log.matches("another server of database_url is the primary now").count(), 3, "{log}");
        assert!(log.contains("accepts writes: stop it"), "{log}");
    }
}

async fn count(address: SocketAddr, key: &str) -> Option<i64> {
    let path = "/api/users?is_active=true&limit=1";
    let answer = Connection::to(address).await.send("GET", path, Some(key), None).await;
    (answer.status == 200).then(|| answer.json()["count"].as_i64().unwrap())
}

async fn me(address: SocketAddr, key: &str) -> (u16, String) {
    let (status, body) = Connection::to(address).await.get("/api/users/me", key).await;
    let name = body.split_once(r#""last_name":""#).and_then(|(_, rest)| rest.split('"').next());
    (status, name.unwrap_or_default().to_owned())
}

/// Reads a user while a change is between two looks at the feed: the look of the request does not see it, and the read of the
/// user does. Returns the name that the server keeps from then on.
async fn read_between_looks(primary: &OwnPostgres, address: SocketAddr, user: &Persona) -> String {
    const WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wardroom' AND wait_event_type = 'Lock'";
    for turn in 0.. {
        let name = format!("between {turn}");
        let other = crate::support::database::connect(&primary.url()).await;
        let change = format!(
            "BEGIN; UPDATE users SET last_name = '{name}' WHERE id = {}; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE",
            user.id
        );
        other.batch_execute(&change).await.unwrap();
        let key = user.key.clone();
        let reading = tokio::spawn(async move { me(address, &key).await });
        while !reading.is_finished() && number(primary, WAITS).await == 0 {}
        other.batch_execute("COMMIT").await.unwrap();
        // It may have given up before.
        if reading.await.unwrap() == (200, name.clone()) {
            return name;
        }
    }
    unreachable!()
}

/// What an asynchronous standby has not received is lost with the primary. Nothing of it is answered afterwards, whether it is
/// in the cache of identities or in the bitmaps of lists.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_with_the_primary_is_not_answered() {
    let a = OwnPostgres::start().await;
    let (alone, clock) = (Database::at(&a.url()), Clock::system().unwrap());
    Directory::create(&alone.settings(), &clock).await.unwrap();
    let b = a.standby().await;
    let database = both_hosts(&a, &b);
    let open = async || Directory::open(&database.settings(), clock.clone()).await.unwrap();
    let (app, address) = Site::serve_open(open().await).await;
    let (_other_app, other) = Site::serve_open(open().await).await;
    let directory = app.directory();
    let staff = |draft: &mut UserDraft| {
        draft.is_admin = Some(true);
        draft.last_name = Some("kept".to_owned());
    };
    let [ann, bob, eve] = [
        person(directory, "ann", staff).await,
        person(directory, "bob", staff).await,
        person(directory, "eve", staff).await,
    ];
    let id = |user: &Persona| UserKey::Id(user.id.try_into().unwrap());
    let spare = directory.issue_token(&operator(), &id(&ann), "spare", Expiry::Never).await.unwrap();
    assert!(directory.build_list_bitmaps().await.unwrap());
    assert_eq!(count(address, &bob.key).await, Some(3));
    assert_eq!(me(other, &bob.key).await.0, 200);
    until_applied(&a, &b).await;
    b.stop();

    // The tail. The other replica has looked at nothing of it.
    let between = read_between_looks(&a, other, &eve).await;
    let draft = UserDraft { last_name: Some("lost".to_owned()), ..UserDraft::default() };
    directory.update_user(&operator(), &id(&ann), &draft, None).await.unwrap();
    let new = person(directory, "new", staff).await;
    directory.revoke_token(&operator(), None, spare.token.id).await.unwrap();
    let spare = spare.key.reveal().to_owned();
    assert_eq!(me(address, &ann.key).await, (200, "lost".to_owned()));
    assert_eq!((me(address, &new.key).await.0, me(address, &spare).await.0), (200, 401));
    assert_eq!(count(address, &bob.key).await, Some(4));
    assert!(directory.list_bitmaps().is_some());
    a.kill();
    b.start_again();
    b.promote();

    let shown = loop {
        match me(other, &eve.key).await {
            (503, _) => sleep(PAUSE).await,
            answer => break answer,
        }
    };
    assert_eq!(shown, (200, "kept".to_owned()), "and not {between}");
    for user in [&ann, &eve] {
        assert_eq!(me(address, &user.key).await, (200, "kept".to_owned()));
    }
    assert_eq!(me(address, &new.key).await.0, 401);
    // The revocation is lost as well; docs/operating.md says so.
    assert_eq!(me(address, &spare).await.0, 200);
    assert_eq!(count(address, &bob.key).await, Some(3));
    assert!(directory.list_bitmaps().is_none(), "they are built again");
    assert!(directory.build_list_bitmaps().await.unwrap());
    person(directory, "newer", staff).await;
    assert_eq!(count(address, &bob.key).await, Some(4));
}
