//! A PostgreSQL server of a single test, which may stop and start it.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::database;

/// The server; it stops when this is dropped.
pub struct OwnPostgres {
    programs: PathBuf,
    place: TempDir,
    port: u16,
    /// Options of the server's command line.
    options: &'static str,
    /// How far its clock is off, as the package faketime wants it, such as `+90m`.
    clock: Option<&'static str>,
    /// PostgreSQL refuses to run as root. Then it runs as the account of the suite's server.
    account: Option<(u32, u32)>,
}

impl OwnPostgres {
    /// Creates and starts the server, with the programs of the server that the suite runs on.
    pub async fn start() -> Self {
        Self::start_with("-c fsync=off").await
    }

    /// Does the same with other options of the command line.
    pub async fn start_with(options: &'static str) -> Self {
        Self::create(options, None).await
    }

    /// Does the same with a wrong clock: `+90m` is ahead.
    pub async fn start_at(clock: &'static str) -> Self {
        Self::create("-c fsync=off", Some(clock)).await
    }

    async fn create(options: &'static str, clock: Option<&'static str>) -> Self {
        let server = Self::prepare(options, clock).await;
        let settings =
            ["--username=wardroom", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        server.run("initdb", &settings);
        server.start_again();
        server
    }

    /// A place for a server that has no data yet.
    async fn prepare(options: &'static str, clock: Option<&'static str>) -> Self {
        let suite = database::connect(&database::server()).await;
        let ask = async |query: &str| suite.query_one(query, &[]).await.unwrap().get::<_, String>(0);
        let programs = PathBuf::from(ask("SELECT setting FROM pg_config WHERE name = 'BINDIR'").await);
        let data = std::fs::metadata(ask("SELECT current_setting('data_directory')").await)
            .expect("the suite's PostgreSQL runs on another machine: this test needs its programs here");
        // Not in TMPDIR: the path of a socket has to be short, and the other account needs access.
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let root = std::fs::metadata(place.path()).unwrap().uid() == 0;
        let account = root.then(|| (data.uid(), data.gid()));
        if let Some((user, group)) = account {
            chown(place.path(), Some(user), Some(group)).unwrap();
        }
        let port = super::free_address().port();
        Self { programs, place, port, options, clock, account }
    }

    /// Creates and starts a standby of this server, which replicates as `standby`.
    pub async fn standby(&self) -> Self {
        let standby = Self::prepare(self.options, self.clock).await;
        standby.copy(self);
        standby
    }

    /// Replaces all data by those of a primary, and starts as its standby.
    pub fn rebuild_from(&self, primary: &Self) {
        if self.data().join("postmaster.pid").exists() {
            self.crash();
        }
        std::fs::remove_dir_all(self.data()).unwrap();
        self.copy(primary);
    }

    fn copy(&self, primary: &Self) {
        let from = format!("--dbname={}", primary.replication());
        let settings = [&from, "--write-recovery-conf", "--no-sync", "--checkpoint=fast"];
        self.run("pg_basebackup", &settings);
        self.start_again();
    }

    fn replication(&self) -> String {
        format!("host=127.0.0.1 port={} user=wardroom application_name=standby", self.port)
    }

    /// Starts a primary that was stopped, as the standby of the one that has taken its place.
    pub fn follow(&self, primary: &Self) {
        let settings = std::fs::read_to_string(self.data().join("postgresql.auto.conf")).unwrap();
        let more =
            format!("primary_conninfo = '{}'\nrecovery_target_timeline = 'latest'\n", primary.replication());
        self.write("postgresql.auto.conf", &(settings + &more));
        self.write("standby.signal", "");
        self.start_again();
    }

    /// Makes a standby the primary. Returns when it is.
    pub fn promote(&self) {
        self.run("pg_ctl", &["promote", "--wait", "--silent"]);
    }

    /// Stops the server after all its standbys have everything.
    pub fn stop(&self) {
        self.run("pg_ctl", &["stop", "--mode=fast", "--silent"]);
    }

    /// Ends all processes of the server at once, as a machine that loses its power does.
    pub fn kill(&self) {
        // None can be started or end meanwhile.
        self.freeze();
        let first = self.first_process().expect("it runs");
        let processes = [vec![first], children(first)].concat();
        processes.iter().for_each(|process| send("-KILL", *process));
        while processes.iter().any(|process| is_running(*process)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // Their numbers may be in use for longer, or again.
        std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
        let _ = std::fs::remove_file(self.place.path().join(format!(".s.PGSQL.{}.lock", self.port)));
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    pub fn url(&self) -> String {
        format!("postgres://wardroom@127.0.0.1:{}/postgres", self.port)
    }

    /// The URL of the server with another host and other parameters.
    pub fn url_of(&self, host: &str, end: &str) -> String {
        format!("postgres://wardroom@{host}:{}/postgres{end}", self.port)
    }

    /// The directory of its socket. Other accounts may pass through it, and not list it.
    pub fn socket_directory(&self) -> PathBuf {
        std::fs::set_permissions(self.place.path(), Permissions::from_mode(0o711)).unwrap();
        self.place.path().to_owned()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements as the superuser.
    pub async fn sql(&self, statements: &str) {
        database::connect(&self.url()).await.batch_execute(statements).await.unwrap();
    }

    /// Writes a file into the server's data directory.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.place.path().join("data").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// Makes the server accept TLS connections, with this certificate and key.
    pub async fn enable_tls(&self, certificate: &str, key: &str) {
        self.write("server.crt", certificate);
        self.write("server.key", key);
        let client = database::connect(&self.url()).await;
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
        // The server reloads it after a while.
        loop {
            let fresh = database::connect(&self.url()).await;
            let on: String = fresh.query_one("SHOW ssl", &[]).await.unwrap().get(0);
            if on == "on" {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Stops all processes of the server, as a machine that hangs does. Connections stay open, and nothing answers.
    pub fn freeze(&self) {
        // The first process starts the others, so it is stopped first.
        self.signal("-STOP");
    }

    /// Lets the processes of the server run again.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let Some(first) = self.first_process() else { return };
        send(signal, first);
        children(first).into_iter().for_each(|process| send(signal, process));
    }

    /// The process that starts the others.
    fn first_process(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }

    /// Ends the server as a crash does: connections are cut and nothing is cleaned up.
    pub fn crash(&self) {
        self.thaw();
        self.run("pg_ctl", &["stop", "--mode=immediate", "--silent"]);
    }

    /// Starts the server; returns when it accepts connections.
    pub fn start_again(&self) {
        let place = self.place.path().display();
        let options = format!("-p {} -h 127.0.0.1 -k {place} {}", self.port, self.options);
        let log = format!("--log={place}/log");
        self.run("pg_ctl", &["start", "--wait", "--silent", &log, "--options", &options]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.output(program, arguments);
        let log = || std::fs::read_to_string(self.place.path().join("log")).unwrap_or_default();
        assert!(output.status.success(), "{program}: {} {}", String::from_utf8_lossy(&output.stderr), log());
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--pgdata").arg(self.data()).args(arguments);
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        if let Some(clock) = self.clock {
            // Only the time of day: waits are not faked.
            let library = libfaketime("libfaketime.so.1");
            command.env("LD_PRELOAD", library).env("FAKETIME", clock).env("DONT_FAKE_MONOTONIC", "1");
        }
        command.current_dir(Path::new("/")).output().unwrap()
    }
}

/// The library of the package `faketime`, or its variant for programs with threads.
pub fn libfaketime(name: &str) -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = folders.map(|folder| folder.join("faketime").join(name)).find(|path| path.exists());
    found
        .expect("the package faketime is not installed: run the tests with scripts/test")
        .display()
        .to_string()
}

/// Sends a signal to a process, which may have ended meanwhile.
fn send(signal: &str, process: u32) {
    let _ = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
}

/// Whether a process runs. One that has ended may still be in the list.
fn is_running(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The processes that another one started.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        // The fields after the name, which is in parentheses: state, then the parent.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        rest.split(' ').nth(1) == Some(&parent.to_string())
    })
    .collect()
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // A failed test may have left it frozen, or in any other state.
        if self.data().join("postmaster.pid").exists() {
            self.thaw();
            let _ = self.output("pg_ctl", &["stop", "--mode=immediate", "--silent"]);
        }
    }
}
