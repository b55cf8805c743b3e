//! The original project of each combination, from which all tests get copies. It is built once and kept: below
//! `target/tmp` and, for PostgreSQL, as a template on the suite's server, which usually lives no longer than the run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::{UserModel, Version};
use crate::support::Backend;
use crate::support::database::{Loan, connect, server};

/// The project of a combination.
pub struct Original {
    version: Version,
    model: UserModel,
    backend: Backend,
    /// A prefix that all builds of the combination share.
    combination: String,
    /// The name of the directory and of the template. It differs for other sources.
    name: String,
}

impl Original {
    pub fn new(version: Version, model: UserModel, backend: Backend) -> Self {
        let version_digits = version.name().replace('.', "");
        let combination = format!("office_{version_digits}_{}_{backend:?}_", model.name()).to_lowercase();
        let name = combination.clone() + &fingerprint(version);
        Self { version, model, backend, combination, name }
    }

    /// Copies the project for one test. The PostgreSQL database is dropped with the returned value.
    pub async fn copy_to(&self, place: &Path) -> Option<Loan> {
        // Held until the copy is complete: one process builds and the others wait.
        let _lock = self.lock().await;
        if !self.is_complete().await {
            self.build().await;
        }
        copy(&self.directory(), place);
        match self.backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Loan::copy_of(&self.name).await),
        }
    }

    fn directory(&self) -> PathBuf {
        shelf().join(&self.name)
    }

    async fn lock(&self) -> File {
        fs::create_dir_all(shelf()).unwrap();
        let file = File::create(shelf().join(format!("{}lock", self.combination))).unwrap();
        tokio::task::spawn_blocking(|| file.lock().map(|()| file)).await.unwrap().unwrap()
    }

    async fn is_complete(&self) -> bool {
        self.directory().exists() && (self.backend == Backend::Sqlite || self.has_template().await)
    }

    async fn build(&self) {
        self.clear();
        // It is renamed when it is complete.
        let unfinished = shelf().join(format!("{}unfinished", self.combination));
        fs::create_dir(&unfinished).unwrap();
        let database = match self.backend {
            Backend::Sqlite => sqlite(&unfinished),
            Backend::Postgres => self.make_template().await,
        };
        let mut command = python(self.version, self.model, &database, &unfinished.join("media"));
        command.arg("build.py").arg(&unfinished);
        run(command).await;
        fs::rename(&unfinished, self.directory()).unwrap();
    }

    /// Removes builds of other sources, and unfinished ones.
    fn clear(&self) {
        for entry in fs::read_dir(shelf()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && name.starts_with(&self.combination) {
                fs::remove_dir_all(&path).unwrap();
            }
        }
    }

    async fn has_template(&self) -> bool {
        let query = "SELECT 1 FROM pg_database WHERE datname = $1";
        connect(&server()).await.query_opt(query, &[&self.name]).await.unwrap().is_some()
    }

    async fn make_template(&self) -> String {
        let server = server();
        let client = connect(&server).await;
        let name = &self.name;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        format!("{}/{name}", server.rsplit_once('/').unwrap().0)
    }
}

/// The SQLite file of the project in a directory.
pub fn sqlite(place: &Path) -> String {
    place.join("office.sqlite3").display().to_string()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django")
}

fn shelf() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("django")
}

#[expect(clippy::disallowed_methods, reason = "scripts/test names the Django versions in the environment")]
fn environment(version: Version) -> PathBuf {
    let environments = std::env::var("WARDROOM_TEST_DJANGO")
        .expect("WARDROOM_TEST_DJANGO names no environments: run the tests with scripts/test");
    Path::new(&environments).join(version.name())
}

/// A hash of everything that a project is built from.
fn fingerprint(version: Version) -> String {
    let mut files = vec![environment(version).join("stamp")];
    collect(&sources(), &mut files);
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "py" || extension == "txt") {
            files.push(path);
        }
    }
}

/// The project's Python, with the settings of the project in its environment.
pub fn python(version: Version, model: UserModel, database: &str, media: &Path) -> Command {
    let mut command = Command::new(environment(version).join("bin/python"));
    command.current_dir(sources()).stdin(Stdio::null());
    command
        .env("OFFICE_USER_MODEL", model.name())
        .env("OFFICE_DATABASE", database)
        .env("OFFICE_MEDIA", media);
    // Leave no files among the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command
}

pub async fn run(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if source.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
