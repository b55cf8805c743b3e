//! A database of another program, made of SQL statements: what an import reads.

use tempfile::TempDir;

use super::Backend;
use super::database::{Loan, connect};

/// A small Django database. Each test changes it.
pub const BASE: &str = "\
CREATE TABLE auth_user(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, username text NOT NULL UNIQUE, email text NOT NULL, first_name text NOT NULL, last_name text NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL);
CREATE TABLE auth_group(id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE auth_user_groups(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user(id), group_id integer NOT NULL REFERENCES auth_group(id));
CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user(id));
INSERT INTO auth_user VALUES (1,'!',NULL,1,'root','','','',1,1,'2020-01-01 00:00:00'),(2,'!',NULL,0,'ann','','','',1,1,'2020-01-01 00:00:00'),(3,'!',NULL,0,'bob','','','',1,1,'2020-01-01 00:00:00');
";

/// A database that is removed when it is dropped.
pub struct ForeignSource {
    place: TempDir,
    loan: Option<Loan>,
}

impl ForeignSource {
    /// An empty database.
    pub async fn empty(backend: Backend) -> Self {
        let loan = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Loan::new().await),
        };
        let source = Self { place: tempfile::tempdir().unwrap(), loan };
        match backend {
            Backend::Sqlite => source.sql("VACUUM").await,
            // As in SQLite, a flag can be written as 1 or 0.
            Backend::Postgres => {
                source
                    .sql("UPDATE pg_cast SET castcontext = 'a' WHERE castsource = 'int4'::regtype AND casttarget = 'bool'::regtype")
                    .await;
            }
        }
        source
    }

    /// [`BASE`], and then these statements.
    pub async fn base(backend: Backend, statements: &str) -> Self {
        let source = Self::empty(backend).await;
        source.sql(BASE).await;
        source.sql(statements).await;
        source
    }

    /// Runs SQL statements. The type `datetime` is SQLite's; on PostgreSQL it is a time with a zone.
    pub async fn sql(&self, statements: &str) {
        match &self.loan {
            None => rusqlite::Connection::open(self.place.path().join("django.db"))
                .unwrap()
                .execute_batch(statements)
                .unwrap(),
            Some(loan) => {
                let statements = statements.replace(" datetime", " timestamp with time zone");
                let client = connect(&loan.url()).await;
                client.batch_execute("SET TIME ZONE 'UTC'").await.unwrap();
                client.batch_execute(&statements).await.unwrap();
            }
        }
    }

    /// What `--from` gets: the path of the SQLite file, or the URL.
    pub fn from(&self) -> String {
        match &self.loan {
            None => self.place.path().join("django.db").display().to_string(),
            Some(loan) => loan.url(),
        }
    }
}
