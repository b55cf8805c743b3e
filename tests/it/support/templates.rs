//! Account databases that are built once in a run and copied for each test: migrations and the usual users cost more than most
//! tests do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::sync::OnceCell;

use super::database::Loan;
use super::{Backend, Database};

/// The templates of one kind, one for each database, and what tests need to know of their rows.
pub struct Templates<T> {
    sqlite: OnceCell<(Template, T)>,
    postgres: OnceCell<(Template, T)>,
}

impl<T> Templates<T> {
    pub const fn new() -> Self {
        Self { sqlite: OnceCell::const_new(), postgres: OnceCell::const_new() }
    }

    /// Returns a copy for one test. The first call builds the template: `fill` gets a place without a database, and closes
    /// whatever it opens there.
    pub async fn copy<F: Future<Output = (Database, T)>>(
        &self,
        backend: Backend,
        fill: impl FnOnce(Database) -> F,
    ) -> (Database, &T) {
        let cell = match backend {
            Backend::Sqlite => &self.sqlite,
            Backend::Postgres => &self.postgres,
        };
        let build = async || {
            let (database, known) = fill(Database::empty(backend).await).await;
            (Template::of(database).await, known)
        };
        let (template, known) = cell.get_or_init(build).await;
        (template.copy().await, known)
    }
}

/// A database that no test changes.
enum Template {
    /// The files of a data directory, and their modes.
    Sqlite(Vec<(String, u32, Vec<u8>)>),
    /// The name of a database on the suite's server.
    Postgres(String),
}

impl Template {
    async fn of(database: Database) -> Self {
        let [_, place] = database.args();
        match database.backend() {
            Backend::Sqlite => {
                let file = rusqlite::Connection::open(Path::new(&place).join("wardroom.db")).unwrap();
                // All changes are in the file then, and the file alone is copied.
                file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
                let entries = fs::read_dir(&place).unwrap().map(Result::unwrap);
                let names = entries.map(|entry| entry.file_name().into_string().unwrap());
                let files = names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
                Self::Sqlite(files.map(|name| read(&Path::new(&place).join(&name), name)).collect())
            }
            Backend::Postgres => Self::Postgres(database.into_template().await),
        }
    }

    async fn copy(&self) -> Database {
        match self {
            Self::Sqlite(files) => {
                let database = Database::empty(Backend::Sqlite).await;
                let [_, place] = database.args();
                fs::create_dir(&place).unwrap();
                fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
                for (name, mode, content) in files {
                    let path = Path::new(&place).join(name);
                    fs::write(&path, content).unwrap();
                    fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
                }
                database
            }
            Self::Postgres(name) => Database::of(Loan::copy_of(name).await),
        }
    }
}

fn read(path: &Path, name: String) -> (String, u32, Vec<u8>) {
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
    (name, mode, fs::read(path).unwrap())
}
