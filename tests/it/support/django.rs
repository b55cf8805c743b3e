//! Real Django projects, built from `tests/django` with the Django versions that `scripts/django-environments`
//! installs. They are what an import reads, and what the old server answers. Every test gets a copy of its own and
//! may change it.

mod material;
mod original;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub use self::material::{Exchange, Group, KnoxToken, Person};
use self::material::{Material, read};
use self::original::Original;
use super::Backend;
use super::database::{Loan, connect};

/// A Django version, with the matching versions of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Django 4.2 with knox 4.2.
    V42,
    /// Django 5.2 with knox 5.
    V52,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::V42, Self::V52];

    pub fn name(self) -> &'static str {
        match self {
            Self::V42 => "4.2",
            Self::V52 => "5.2",
        }
    }
}

/// The user model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserModel {
    /// Django's own `auth.User`.
    Plain,
    /// The project's own `people.Person`, with a side table for groups.
    Custom,
}

impl UserModel {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Custom];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Custom => "custom",
        }
    }
}

/// A project of a single test; it is removed when it is dropped.
pub struct DjangoProject {
    version: Version,
    model: UserModel,
    source: String,
    place: TempDir,
    /// The PostgreSQL database, if there is one.
    loan: Option<Loan>,
    material: Material,
    answers: Vec<Exchange>,
}

impl DjangoProject {
    pub async fn build(version: Version, model: UserModel, backend: Backend) -> Self {
        let place = tempfile::tempdir().unwrap();
        let loan = Original::new(version, model, backend).copy_to(place.path()).await;
        let source = loan.as_ref().map_or_else(|| original::sqlite(place.path()), Loan::url);
        let material = read(&place.path().join("people.json"));
        let answers = read(&place.path().join("answers.json"));
        Self { version, model, source, place, loan, material, answers }
    }

    /// The path of the SQLite file or the URL of the PostgreSQL database.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The directory of uploaded files.
    pub fn media(&self) -> PathBuf {
        self.place.path().join("media")
    }

    /// The table of the users.
    pub fn user_table(&self) -> &str {
        &self.material.user_table
    }

    pub fn people(&self) -> &[Person] {
        &self.material.people
    }

    pub fn person(&self, username: &str) -> &Person {
        self.people().iter().find(|person| person.username == username).unwrap()
    }

    pub fn groups(&self) -> &[Group] {
        &self.material.groups
    }

    /// Django's answers for every key of the project, with the Host `www.example.com`.
    pub fn answers(&self) -> &[Exchange] {
        &self.answers
    }

    /// Damages the project in one of the ways in `tests/django/material/faults.py`.
    pub async fn damage(&self, faults: &[&str]) {
        let mut command = self.python();
        command.args(["build.py", "--fault"]).args(faults);
        original::run(command).await;
    }

    /// Runs SQL statements without Django's knowledge.
    pub async fn sql(&self, statements: &str) {
        match self.loan {
            None => rusqlite::Connection::open(&self.source).unwrap().execute_batch(statements).unwrap(),
            Some(_) => connect(&self.source).await.batch_execute(statements).await.unwrap(),
        }
    }

    /// Runs a query and returns one number.
    pub async fn number(&self, query: &str) -> i64 {
        match self.loan {
            None => rusqlite::Connection::open(&self.source)
                .unwrap()
                .query_row(query, [], |row| row.get(0))
                .unwrap(),
            Some(_) => connect(&self.source).await.query_one(query, &[]).await.unwrap().get(0),
        }
    }

    /// Serves the project with a real server, on a port of its own.
    pub async fn serve(&self) -> DjangoServer {
        let mut command = self.python();
        command.args(["-m", "gunicorn", "office.wsgi", "--bind", "127.0.0.1:0", "--no-control-socket"]);
        command.args(["--workers", "1", "--threads", "4"]);
        tokio::task::spawn_blocking(|| DjangoServer::start(command)).await.unwrap()
    }

    fn python(&self) -> Command {
        original::python(self.version, self.model, &self.source, &self.media())
    }
}

/// A Django server on the network; it stops when it is dropped.
pub struct DjangoServer {
    pub address: SocketAddr,
    child: Child,
}

impl DjangoServer {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        let address = loop {
            let Some(Ok(line)) = log.next() else { panic!("Django did not start:\n{seen}") };
            // `[INFO] Listening at: http://127.0.0.1:34567 (123)`
            if let Some((_, rest)) = line.split_once("Listening at: http://") {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
            seen += &format!("{line}\n");
        };
        // Keeps reading: a full pipe would stop the server.
        std::thread::spawn(move || log.for_each(drop));
        Self { address, child }
    }
}

impl Drop for DjangoServer {
    fn drop(&mut self) {
        // SIGTERM instead of SIGKILL: it has to end its workers, too.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
