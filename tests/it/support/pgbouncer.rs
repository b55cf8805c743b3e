//! A real PgBouncer of a single test, in front of the suite's PostgreSQL.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::database;

/// The pooler; it stops when this is dropped.
pub struct PgBouncer {
    child: Child,
    port: u16,
    _place: TempDir,
}

impl PgBouncer {
    /// Starts it with these lines of its section `[pgbouncer]`, such as `pool_mode = transaction`.
    pub async fn start(settings: &str) -> Self {
        let server = database::server();
        let (_, address) = server.split_once('@').unwrap();
        let server_port = address.split_once(':').unwrap().1.split_once('/').unwrap().0;
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let port = super::free_address().port();
        let path = |name: &str| place.path().join(name).display().to_string();
        std::fs::write(path("users.txt"), "\"wardroom\" \"\"\n").unwrap();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\nlogfile = {}\n{settings}\n",
            path("users.txt"),
            path("log"),
        );
        std::fs::write(path("pgbouncer.ini"), text).unwrap();
        let mut command = Command::new(program());
        command.arg("--quiet").arg(path("pgbouncer.ini")).stdin(Stdio::null()).stdout(Stdio::null());
        // It refuses to run as root, as PostgreSQL does.
        if std::fs::metadata(place.path()).unwrap().uid() == 0 {
            let (user, group) = owner_of_server().await;
            for name in ["", "users.txt", "pgbouncer.ini"] {
                chown(place.path().join(name), Some(user), Some(group)).unwrap();
            }
            command.uid(user).gid(group);
        }
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut pooler = Self { child, port, _place: place };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(pooler.child.try_wait().unwrap().is_none(), "PgBouncer ended");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        pooler
    }

    /// The URL of a database of the suite's server, through the pooler.
    pub fn url(&self, database: &str) -> String {
        let (_, name) = database.rsplit_once('/').unwrap();
        format!("postgres://wardroom@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The directories for programs of the system are often not on the path.
fn program() -> &'static str {
    let known = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    known
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("pgbouncer is missing: install the package pgbouncer, or run the tests with scripts/test")
}

async fn owner_of_server() -> (u32, u32) {
    let suite = database::connect(&database::server()).await;
    let directory = suite.query_one("SELECT current_setting('data_directory')", &[]).await.unwrap();
    let data = std::fs::metadata(directory.get::<_, String>(0)).unwrap();
    (data.uid(), data.gid())
}
