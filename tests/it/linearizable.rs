//! The promise under load and failures. While a writer changes a user through one process, readers query two others: the user's
//! own record, and forward authentication on both of its paths.
//! Connections are cut, a replica is suspended, PostgreSQL crashes and comes back. No answer may be older than the
//! last write that was acknowledged before the request, and none may be older than an earlier answer.

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use wardroom::directory::avatars::AvatarOwner;
use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory, Settings};

use crate::avatars::{FORM, file, form, png};
use crate::support::client::Connection;
use crate::support::own_postgres::OwnPostgres;
use crate::support::site::{EXAMPLE_KEY, operator, person};
use crate::support::{Backend, Database, Request, Site, both, free_address};

const READERS: usize = 6;
/// What the readers ask for, one after the other.
const PATHS: [&str; 3] = ["/api/users/me", "/api/auth/forward/staff", "/api/auth/forward/staff/x"];
/// The number of answers that must be reached, however long it takes.
const WRITES: i64 = 60;
const ANSWERS: u64 = 300;
/// How soon every replica must answer again after PostgreSQL has come back.
const RECOVERY: Duration = Duration::from_secs(2);

/// What readers know of the writer and of each other.
struct World {
    user: UserKey,
    key: String,
    servers: [SocketAddr; 2],
    acknowledged: AtomicI64,
    seen: AtomicI64,
    answers: AtomicU64,
    over: AtomicBool,
}

impl World {
    fn new(user: i64, key: &str, servers: [SocketAddr; 2]) -> Self {
        Self {
            user: UserKey::Id(user.try_into().unwrap()),
            key: key.to_owned(),
            servers,
            acknowledged: AtomicI64::new(0),
            seen: AtomicI64::new(0),
            answers: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Writes and reads while `trouble` is repeated, until there are this many answers.
    async fn run_under(self, writer: Directory, answers: u64, mut trouble: impl AsyncFnMut()) {
        let world = Arc::new(self);
        assert!(world.change(&writer, 0).await);
        let mut readers: JoinSet<()> = (0..READERS).map(|_| Arc::clone(&world).read()).collect();
        let writing = tokio::spawn(Arc::clone(&world).write(writer));
        while world.answers.load(Ordering::SeqCst) < answers
            || world.acknowledged.load(Ordering::SeqCst) < WRITES
        {
            trouble().await;
            if let Some(ended) = readers.try_join_next() {
                ended.unwrap();
            }
        }
        world.over.store(true, Ordering::SeqCst);
        readers.join_all().await;
        writing.await.unwrap();
        let (writes, answers) = (&world.acknowledged, &world.answers);
        report(&format!(
            "{} answers to {} acknowledged writes",
            answers.load(Ordering::SeqCst),
            writes.load(Ordering::SeqCst)
        ));
    }

    async fn change(&self, directory: &Directory, number: i64) -> bool {
        let draft = UserDraft { last_name: Some(number.to_string()), ..UserDraft::default() };
        directory.update_user(&operator(), &self.user, &draft, None).await.is_ok()
    }

    async fn write(self: Arc<Self>, directory: Directory) {
        let mut number = 0;
        while !self.over.load(Ordering::SeqCst) {
            // A write that failed may have happened or not. The next one has a number of its own.
            number += 1;
            if self.change(&directory, number).await {
                self.acknowledged.store(number, Ordering::SeqCst);
            }
            // Sometimes in a row, sometimes with enough time between them for an answer from memory.
            sleep(Duration::from_millis(number.unsigned_abs() % 8)).await;
        }
    }

    /// Queries the servers in turn, one request after the other.
    async fn read(self: Arc<Self>) {
        let mut connections = Vec::new();
        for server in self.servers {
            connections.push(Connection::to(server).await);
        }
        while !self.over.load(Ordering::SeqCst) {
            for path in PATHS {
                for connection in &mut connections {
                    self.query(connection, path).await;
                }
            }
        }
    }

    /// Checks one answer against the promise; returns false if the database could not be reached.
    async fn query(&self, connection: &mut Connection, path: &str) -> bool {
        // What had been acknowledged, and what any reader had seen, before this request is sent.
        let least = self.acknowledged.load(Ordering::SeqCst).max(self.seen.load(Ordering::SeqCst));
        let answer = connection.send("GET", path, Some(&self.key), None).await;
        if answer.status == 503 {
            return false;
        }
        assert_eq!(answer.status, 200, "{answer}");
        let shown = match answer.header("remote-name") {
            Some(name) => name.rsplit("%20").next(),
            None => answer.body.split_once(r#""last_name":""#).and_then(|(_, rest)| rest.split('"').next()),
        };
        let shown: i64 = shown.unwrap().parse().unwrap();
        assert!(shown >= least, "{path}: {shown} after {least}");
        self.seen.fetch_max(shown, Ordering::SeqCst);
        self.answers.fetch_add(1, Ordering::SeqCst);
        true
    }
}

#[expect(clippy::print_stdout, reason = "the person who runs the long form reads the figures")]
fn report(line: &str) {
    println!("{line}");
}

/// Cuts every connection to a database except the one that runs this.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

both! {
    async fn no_answer_is_stale_or_out_of_order(backend: Backend) {
        let site = Site::start(backend).await;
        let world = World::new(42, EXAMPLE_KEY, [site.address, site.replica().await]);
        let writer = site.database.open(&site.clock).await;
        world.run_under(writer, ANSWERS, async || {
            sleep(Duration::from_millis(50)).await;
            if backend == Backend::Postgres {
                site.database.sql(CUT).await;
            }
        }).await;
    }
}

both! {
    /// A new avatar is shown by every replica from the moment on that its upload is acknowledged.
    async fn no_answer_shows_an_older_avatar(backend: Backend) {
        const UPLOADS: usize = 40;
        let site = Site::with_directory(backend, |settings| settings.rates.uploads = None).await;
        let servers = [site.address, site.replica().await];
        let pictures: Vec<_> = (0..UPLOADS).map(|number| png([u8::try_from(number).unwrap(); 3])).collect();
        let owner = AvatarOwner::of(42.try_into().unwrap());
        let names: Arc<Vec<_>> = Arc::new(pictures.iter().map(|picture| owner.name(picture, "jpg")).collect());
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for reader in 0..READERS {
            let (names, acknowledged) = (Arc::clone(&names), Arc::clone(&acknowledged));
            readers.spawn(async move {
                let mut connection = Connection::to(servers[reader % 2]).await;
                let (mut seen, mut answers) = (0, 0_usize);
                while seen < UPLOADS {
                    let least = acknowledged.load(Ordering::SeqCst).max(seen);
                    let (status, body) = connection.get("/api/users/me", EXAMPLE_KEY).await;
                    if status == 503 {
                        continue;
                    }
                    assert_eq!(status, 200, "{body}");
                    // The picture of before the first upload is number 0.
                    let shown = names.iter().position(|name| body.contains(name.as_str())).map_or(0, |at| at + 1);
                    assert!(shown >= least, "{shown} after {least}");
                    (seen, answers) = (shown, answers + 1);
                }
                answers
            });
        }
        for (number, picture) in pictures.iter().enumerate() {
            let request = Request::new(servers[number % 2], "PATCH", "/api/users/me").token(EXAMPLE_KEY);
            let answer = request.body(FORM, form(&[file(picture)])).send().await;
            assert_eq!(answer.status, 200, "{answer}");
            assert!(answer.body.contains(&names[number]), "{answer}");
            acknowledged.store(number + 1, Ordering::SeqCst);
        }
        let answers = readers.join_all().await;
        assert!(answers.iter().all(|count| *count > 1), "{answers:?}");
    }
}

both! {
    /// What only forward authentication shows: names of groups, scopes, and that a token is revoked, by use cases and by SQL.
    async fn no_answer_to_a_proxy_is_older_than_a_change(backend: Backend) {
        const CHANGES: usize = 40;
        let site = Site::start(backend).await;
        let (directory, alex) = (site.directory(), UserKey::Id(42.try_into().unwrap()));
        let reads = UserDraft { permissions: Some(vec![6]), ..UserDraft::default() };
        directory.update_user(&operator(), &alex, &reads, None).await.unwrap();
        // Scopes are shown with their permissions only.
        let permissions: Vec<_> = (1..=CHANGES).map(|number| format!("(70{number:03}, 'p{number}')")).collect();
        site.database.sql(&format!(
            "INSERT INTO permissions (code, name) VALUES {}; \
             INSERT INTO user_permissions (user_id, permission_id) SELECT 42, id FROM permissions WHERE code > 70000",
            permissions.join(", ")
        )).await;
        let servers = [site.address, site.replica().await];
        let mut tokens = Vec::new();
        for number in 0..CHANGES {
            tokens.push(directory.issue_token(&operator(), &alex, &format!("t{number}"), Expiry::Never).await.unwrap());
        }
        let keys: Arc<Vec<_>> = Arc::new(tokens.iter().map(|token| token.key.reveal().to_owned()).collect());
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for reader in 0..READERS {
            let (keys, acknowledged) = (Arc::clone(&keys), Arc::clone(&acknowledged));
            readers.spawn(async move {
                let mut connection = Connection::to(servers[reader % 2]).await;
                let path = ["/api/auth/forward/permission=1222", "/api/auth/forward/permission=1222/x"][reader / 2 % 2];
                let (mut seen, mut answers) = ([0; 2], 0_usize);
                while seen != [CHANGES; 2] {
                    let least = acknowledged.load(Ordering::SeqCst);
                    // Each of these keys is in memory before it is revoked.
                    for (number, key) in keys.iter().enumerate().skip(least.saturating_sub(1)).take(3) {
                        let status = connection.send("GET", path, Some(key), None).await.status;
                        let is_valid = number >= least;
                        assert!(status == 401 || status == 503 || (is_valid && status == 200), "{status}: {number} after {least}");
                    }
                    let answer = connection.send("GET", path, Some(EXAMPLE_KEY), None).await;
                    if answer.status == 503 {
                        continue;
                    }
                    assert_eq!(answer.status, 200, "{answer}");
                    for (shown, header) in ["remote-group-names", "remote-scopes"].into_iter().enumerate() {
                        let text = answer.header(header).unwrap();
                        let number = text.split(',').find_map(|item| item.strip_prefix("70")).map_or(0, |text| text.parse().unwrap());
                        assert!(number >= least.max(seen[shown]), "{header}: {text} after {least} and {seen:?}");
                        seen[shown] = number;
                    }
                    answers += 1;
                }
                answers
            });
        }
        for number in 1..=CHANGES {
            let (name, token) = (format!("70{number:03}"), tokens[number - 1].token.id);
            let by_sql = number % 2 == 0;
            if by_sql {
                site.database.sql(&format!("UPDATE groups SET name = '{name}' WHERE id = 3")).await;
                site.database.sql(&format!("UPDATE tokens SET revoked_at = created_at WHERE id = {token}")).await;
            } else {
                let draft = GroupDraft { name: Some(name.clone()), ..GroupDraft::default() };
                directory.update_group(&operator(), &GroupKey::Id(3.try_into().unwrap()), &draft).await.unwrap();
                directory.revoke_token(&operator(), None, token).await.unwrap();
            }
            let scopes = format!("UPDATE tokens SET scopes = 'me_read user_read {name}' WHERE user_id = 42 AND kind = 'imported'");
            site.database.sql(&scopes).await;
            acknowledged.store(number, Ordering::SeqCst);
        }
        let answers = readers.join_all().await;
        assert!(answers.iter().all(|count| *count > 1), "{answers:?}");
    }
}

both! {
    /// Counts and members of lists, on two replicas with bitmaps: use cases, the command line and an operator's own SQL write.
    async fn no_list_is_older_than_a_change(backend: Backend) {
        const CHANGES: u64 = 45;
        let site = Site::start(backend).await;
        let writer = site.database.open(&site.clock).await;
        let mut people = Vec::new();
        for number in 0..CHANGES {
            people.push(person(&writer, &format!("p{number}"), |_| {}).await.id);
        }
        let servers = [site.address, site.replica().await];
        // Changes that were acknowledged, and that were begun.
        let [acknowledged, begun] = [0, 1].map(|_| Arc::new(AtomicU64::new(0)));
        let mut readers = JoinSet::new();
        for reader in 0..READERS {
            let (acknowledged, begun, key) = (Arc::clone(&acknowledged), Arc::clone(&begun), site.admin.key.clone());
            readers.spawn(async move {
                let mut connection = Connection::to(servers[reader % 2]).await;
                let (mut seen, mut answers) = ([0; 3], 0_usize);
                while seen != [CHANGES; 3] {
                    for (place, (query, others)) in [
                        ("group_id=7&search=p&limit=1000&id_min=43", 0), ("groups_in=7&has_token=true&id_min=43&limit=1000&ordering=-created_at", 0),
                        ("is_staff=true&limit=1000&ordering=username", 4),
                    ].into_iter().enumerate() {
                        let least = acknowledged.load(Ordering::SeqCst).max(seen[place]);
                        let answer = connection.send("GET", &format!("/api/users?{query}"), Some(&key), None).await;
                        let most = begun.load(Ordering::SeqCst);
                        if answer.status == 503 {
                            continue;
                        }
                        assert_eq!(answer.status, 200, "{answer}");
                        let list = answer.json();
                        let (count, rows) = (list["count"].as_u64().unwrap() - others, list["results"].as_array().unwrap().len() as u64 - others);
                        assert!((least..=most).contains(&count) && (least..=most).contains(&rows), "{query}: {count}, {rows} rows, not {least} to {most}");
                        (seen[place], answers) = (count, answers + 1);
                    }
                }
                answers
            });
        }
        for (number, user) in (1..=CHANGES).zip(people) {
            begun.store(number, Ordering::SeqCst);
            match number % 5 {
                0 => {
                    let user = user.to_string();
                    for args in [["group", "add-member", "7", &user], ["user", "edit", &user, "--staff"]] {
                        assert_eq!(crate::cli::on(&site.database, &args, "").code, 0);
                    }
                }
                1 | 2 => site.database.sql(&format!(
                    "BEGIN; INSERT INTO memberships (user_id, group_id) VALUES ({user}, 7); UPDATE users SET is_staff = TRUE WHERE id = {user}; COMMIT"
                )).await,
                _ => {
                    let groups = Some(vec![7]);
                    let draft = UserDraft { is_staff: Some(true), groups, ..UserDraft::default() };
                    writer.update_user(&operator(), &UserKey::Id(user.try_into().unwrap()), &draft, None).await.unwrap();
                }
            }
            acknowledged.store(number, Ordering::SeqCst);
        }
        let answers = readers.join_all().await;
        assert!(answers.iter().all(|count| *count > 3), "{answers:?}");
        assert!(site.directory().list_bitmaps().is_some(), "the lists were answered without bitmaps");
    }
}

/// A replica as a process.
struct Replica {
    process: Child,
    address: SocketAddr,
}

impl Replica {
    async fn start(database: &Database) -> Self {
        let address = free_address();
        let mut command = crate::process::wardroom(&["serve", "--listen"]);
        command.arg(address.to_string()).args(database.args()).stderr(Stdio::null());
        let mut replica = Self { process: command.spawn().unwrap(), address };
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(replica.process.try_wait().unwrap().is_none(), "the replica ended");
            sleep(Duration::from_millis(20)).await;
        }
        replica
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Suspends the process for a while.
    async fn stop_for(&self, time: Duration) {
        self.signal("-STOP");
        sleep(time).await;
        self.signal("-CONT");
    }

    fn query(&self) -> impl Future<Output = crate::support::Answer> + use<> {
        Request::new(self.address, "GET", "/api/users/me").token(EXAMPLE_KEY).send()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two replica processes, and a third that writes, deliver this many answers under every kind of failure, each as
/// long as `pause`. Returns how long the slowest recovery from a crash of PostgreSQL took.
async fn every_trouble(
    database: &Database,
    server: Option<&OwnPostgres>,
    answers: u64,
    pause: Duration,
) -> Duration {
    let clock = Clock::system().unwrap();
    Directory::create(&database.settings(), &clock).await.unwrap();
    let timeout = Duration::from_secs(2);
    let writer = Directory::open(&Settings { timeout, ..database.settings() }, clock).await.unwrap();
    let ann = person(&writer, "ann", |draft| draft.is_staff = Some(true)).await;
    let replicas = [Replica::start(database).await, Replica::start(database).await];
    let world = World::new(ann.id, &ann.key, [replicas[0].address, replicas[1].address]);
    let (mut slowest, mut turn) = (Duration::ZERO, 0);
    let trouble = async || {
        turn += 1;
        sleep(pause / 4).await;
        replicas[turn % 2].stop_for(pause).await;
        let Some(server) = server else { return };
        for _ in 0..3 {
            database.sql(CUT).await;
            sleep(pause / 20).await;
        }
        server.crash();
        sleep(pause / 4).await;
        server.start_again();
        let back = Instant::now();
        for replica in &replicas {
            let mut connection = Connection::to(replica.address).await;
            while connection.get("/api/users/me", &ann.key).await.0 != 200 {
                sleep(Duration::from_millis(5)).await;
            }
        }
        slowest = slowest.max(back.elapsed());
    };
    world.run_under(writer, answers, trouble).await;
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promise_outlives_crashes_of_postgresql_and_replicas_that_stand_still() {
    let server = OwnPostgres::start().await;
    let database = Database::at(&server.url());
    every_trouble(&database, Some(&server), ANSWERS, Duration::from_secs(1)).await;
}

both! {
    /// The same for longer, with the limit on recovery, which needs a machine that is not busy.
    #[ignore = "takes minutes"]
    async fn a_million_answers_are_neither_stale_nor_out_of_order(backend: Backend) {
        let pause = Duration::from_secs(5);
        if backend == Backend::Sqlite {
            every_trouble(&Database::empty(backend).await, None, 1_000_000, pause).await;
            return;
        }
        let server = OwnPostgres::start().await;
        let slowest = every_trouble(&Database::at(&server.url()), Some(&server), 1_000_000, pause).await;
        report(&format!("the slowest recovery took {slowest:?}"));
        assert!(slowest <= RECOVERY, "{slowest:?}");
    }
}

/// A replica that was suspended during changes returns nothing of the old state when it continues.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_stopped_is_not_stale() {
    let site = Site::start(Backend::Postgres).await;
    let replica = Replica::start(&site.database).await;
    assert_eq!(replica.query().await.status, 200);
    replica.signal("-STOP");
    let draft = UserDraft { is_active: Some(false), ..UserDraft::default() };
    let alex = UserKey::Id(42.try_into().unwrap());
    site.directory().update_user(&operator(), &alex, &draft, None).await.unwrap();
    // Sent while the replica is suspended, answered when it continues.
    let waiting = tokio::spawn(replica.query());
    sleep(Duration::from_millis(1500)).await;
    replica.signal("-CONT");
    assert_eq!(waiting.await.unwrap().status, 401);
    assert_eq!(replica.query().await.status, 401);
}
