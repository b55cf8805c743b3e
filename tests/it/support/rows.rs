//! Reads all rows of a database as one text over a connection that is kept. Tests compare it before and after, and
//! restore the rows.

use std::collections::HashMap;

use tokio::sync::Mutex;
use tokio_postgres::{NoTls, Statement};
use wardroom::directory::Location;

use super::Database;

/// Tables that requests change as a side effect: the audit trail, counts of attempts and requests, the change feed,
/// what ended the tokens of deleted users, requests for codes with their failures, who set a number and when, messages, the search
/// index. All other tables are compared, those of later migrations included.
const NOT_COMPARED: [&str; 13] = [
    "audit_events",
    "attempts",
    "known_addresses",
    "sign_in_codes",
    "code_requests",
    "code_failures",
    "contact_changes",
    "ended_tokens",
    "rate_counts",
    "identity_changes",
    "schema_migrations",
    "deliveries",
    "mail_changes",
];

/// A connection of its own, with the statements that read and restore every table.
pub struct Rows {
    link: Link,
    /// Tables that others refer to come first.
    tables: Vec<Table>,
    select: String,
    /// What says whether other connections have written: SQLite's counter of their changes; on PostgreSQL the number of rows
    /// of every table and the newest transaction that wrote one of them.
    version_query: String,
    version: String,
}

/// A table with the statements that restore it: they delete new rows, and write missing or different rows again.
struct Table {
    name: String,
    clear: String,
    fill: String,
}

enum Link {
    Sqlite(Box<rusqlite::Connection>),
    /// With the statements that are repeated.
    Postgres(tokio_postgres::Client, Box<Mutex<HashMap<String, Statement>>>),
}

impl Rows {
    pub async fn of(database: &Database) -> Self {
        let link = match &database.location {
            Location::Sqlite(directory) => {
                let connection = rusqlite::Connection::open(directory.join("wardroom.db")).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").unwrap();
                Link::Sqlite(Box::new(connection))
            }
            Location::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute("SET synchronous_commit = off").await.unwrap();
                Link::Postgres(client, Box::default())
            }
        };
        let (select, version_query, version) = (String::new(), String::new(), String::new());
        let mut rows = Self { link, tables: Vec::new(), select, version_query, version };
        rows.learn().await;
        rows
    }

    async fn learn(&mut self) {
        let tables = match self.link {
            Link::Sqlite(_) => {
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
                 AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'users_search%'"
            }
            Link::Postgres(..) => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' \
                 AND table_name NOT LIKE 'users_search%'"
            }
        };
        let mut tables = self.texts(tables).await;
        tables.retain(|table| !NOT_COMPARED.contains(&table.as_str()));
        let refers = |table: &str| !["users", "groups", "permissions"].contains(&table);
        tables.sort_by_key(|table| (refers(table), table.clone()));
        assert!(tables.len() >= 8, "{tables:?}");
        self.version_query = match self.link {
            Link::Sqlite(_) => "SELECT CAST(data_version AS TEXT) FROM pragma_data_version".to_owned(),
            Link::Postgres(..) => {
                let of = |table: &String| {
                    format!(
                        "SELECT count(*) || ' ' || coalesce(max(xmin::text::bigint), 0) AS line FROM {table}"
                    )
                };
                let tables = tables.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ");
                format!("SELECT string_agg(line, ', ') FROM ({tables}) every")
            }
        };
        let mut parts = Vec::new();
        for table in tables {
            let (key, columns, line) = self.of_table(&table).await;
            parts.push(format!("SELECT '{table} ' || {line} AS line FROM {table} t"));
            self.tables.push(Table::new(&table, &key, &columns));
        }
        let parts = parts.join(" UNION ALL ");
        self.select = match self.link {
            Link::Sqlite(_) => format!("SELECT group_concat(line, char(10)) FROM ({parts} ORDER BY 1)"),
            Link::Postgres(..) => {
                format!("SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM ({parts}) every")
            }
        };
    }

    /// Returns the primary key of a table, its columns, and the expression that makes one text of a row.
    async fn of_table(&self, table: &str) -> (Vec<String>, Vec<String>, String) {
        let (key, columns) = match self.link {
            Link::Sqlite(_) => (
                format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"),
                format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            ),
            Link::Postgres(..) => (
                format!(
                    "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a \
                     ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
                     WHERE i.indrelid = '{table}'::regclass AND i.indisprimary ORDER BY a.attnum"
                ),
                format!(
                    "SELECT column_name::text FROM information_schema.columns \
                     WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
                ),
            ),
        };
        let (key, columns) = (self.texts(&key).await, self.texts(&columns).await);
        let line = match self.link {
            Link::Sqlite(_) => {
                let blobs = format!("SELECT name FROM pragma_table_info('{table}') WHERE type = 'BLOB'");
                let blobs = self.texts(&blobs).await;
                let value = |column: &String| {
                    let value =
                        if blobs.contains(column) { format!("hex({column})") } else { column.clone() };
                    format!("'{column}', {value}")
                };
                format!("json_object({})", columns.iter().map(value).collect::<Vec<_>>().join(", "))
            }
            Link::Postgres(..) => "row_to_json(t)::text".to_owned(),
        };
        (key, columns, line)
    }

    /// Runs a query and returns one text from each row.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        match &self.link {
            Link::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(query).unwrap();
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Link::Postgres(client, known) => {
                let mut known = known.lock().await;
                if !known.contains_key(query) {
                    known.insert(query.to_owned(), client.prepare(query).await.unwrap());
                }
                client.query(&known[query], &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Runs SQL statements without the program's knowledge.
    pub async fn run(&self, statements: &str) {
        match &self.link {
            Link::Sqlite(connection) => connection.execute_batch(statements).unwrap(),
            Link::Postgres(client, _) => client.batch_execute(statements).await.unwrap(),
        }
    }

    /// Returns every row: a line each, with its table and then its columns as JSON, sorted by bytes.
    pub async fn all(&self) -> String {
        self.texts(&self.select).await.remove(0)
    }

    /// Whether a table may have been written since the last call. A change of a row is a new row on PostgreSQL.
    pub async fn may_be_written(&mut self) -> bool {
        let version = self.texts(&self.version_query).await.remove(0);
        std::mem::replace(&mut self.version, version.clone()) != version
    }

    /// Remembers the current rows for [`Rows::restore`].
    pub async fn keep(&self) {
        for Table { name, .. } in &self.tables {
            let again = format!("DROP TABLE IF EXISTS kept_{name}");
            self.run(&format!("{again}; CREATE TEMP TABLE kept_{name} AS SELECT * FROM {name}")).await;
        }
    }

    /// Restores some tables. That does not count as written.
    pub async fn restore(&mut self, changed: impl Fn(&str) -> bool) {
        let mut steps = vec!["BEGIN"];
        let changed: Vec<_> = self.tables.iter().filter(|table| changed(&table.name)).collect();
        steps.extend(changed.iter().map(|table| table.clear.as_str()));
        steps.extend(changed.iter().map(|table| table.fill.as_str()));
        // The triggers have counted the restored members again.
        let count = "UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id) \
                     WHERE users_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id)";
        steps.extend(changed.iter().any(|table| table.name == "memberships").then_some(count));
        steps.extend(["DELETE FROM attempts", "COMMIT"]);
        match &self.link {
            Link::Sqlite(connection) => {
                for step in steps {
                    connection.prepare_cached(step).unwrap().execute([]).unwrap();
                }
            }
            Link::Postgres(client, _) => client.batch_execute(&steps.join("; ")).await.unwrap(),
        }
        self.may_be_written().await;
    }
}

impl Table {
    fn new(name: &str, key: &[String], columns: &[String]) -> Self {
        let (keys, all) = (key.join(", "), columns.join(", "));
        let clear = format!("DELETE FROM {name} WHERE ({keys}) NOT IN (SELECT {keys} FROM kept_{name})");
        let rest: Vec<_> = columns.iter().filter(|column| !key.contains(column)).collect();
        let set: Vec<_> = rest.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let otherwise =
            if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        let other = format!("SELECT {all} FROM kept_{name} EXCEPT SELECT {all} FROM {name}");
        // Without a WHERE, SQLite would parse ON as part of a join.
        let fill = format!(
            "INSERT INTO {name} ({all}) SELECT {all} FROM ({other}) other WHERE TRUE \
             ON CONFLICT ({keys}) DO {otherwise}"
        );
        Self { name: name.to_owned(), clear, fill }
    }
}
