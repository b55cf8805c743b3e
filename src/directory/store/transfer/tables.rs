//! The description of every table that is copied between databases.
//!
//! Eight tables are not copied: `deliveries`, because a message that two databases have would be sent twice, or again after a
//! restore; `links`, `sign_in_codes` and `code_requests`, because a link or code that was used would be good again after a restore; `identity_changes`, because a new database has a change feed of its own; `rate_counts`, because it covers the
//! last minutes only; `servers`, which are those of one database; and `schema_migrations`, because both databases must have
//! run the same migrations.
//!
//! A test checks this list against the schema of both databases, so a migration cannot forget it.

use crate::directory::model::user_fields;

/// The type of a column, for both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Int,
    /// 0 or 1 on SQLite.
    Bool,
    Text,
    Bytes,
}

/// A table that is copied.
#[derive(Debug)]
pub(in crate::directory) struct TableSpec {
    pub(super) name: &'static str,
    /// The columns of the key come first. Rows are read in their order.
    pub(super) columns: &'static [(&'static str, ColumnKind)],
    /// The number of columns of the key.
    pub(super) key: usize,
    /// Whether the database assigns the ids, each only once.
    pub(super) numbered: bool,
}

use ColumnKind::{Bool, Bytes, Int, Text};

/// Names the columns of the users' table. The list of fields gives those of the fields.
macro_rules! user_columns {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        &[
            ("id", Int),
            ("username", Text),
            ("username_key", Text),
            ("email_key", Text),
            $((stringify!($name), Text),)+
            ("password", Text),
            $((stringify!($flag), Bool),)+
            ("last_login", Int),
            ("last_seen_at", Int),
            ("created_at", Int),
            ("updated_at", Int),
            ("search_key", Text),
            ("made_here", Bool),
        ]
    };
}

/// All tables that are copied, each after those that it refers to.
pub(super) const TABLES: &[TableSpec] = &[
    TableSpec { name: "users", columns: user_fields!(user_columns), key: 1, numbered: true },
    TableSpec {
        name: "groups",
        columns: &[
            ("id", Int),
            ("name", Text),
            ("name_key", Text),
            ("notes", Text),
            ("created_at", Int),
            ("updated_at", Int),
            ("search_key", Text),
            ("users_count", Int),
            ("made_here", Bool),
        ],
        key: 1,
        numbered: true,
    },
    TableSpec {
        name: "memberships",
        columns: &[("user_id", Int), ("group_id", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "permissions",
        columns: &[("id", Int), ("code", Int), ("name", Text)],
        key: 1,
        numbered: true,
    },
    TableSpec {
        name: "user_permissions",
        columns: &[("user_id", Int), ("permission_id", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "group_permissions",
        columns: &[("group_id", Int), ("permission_id", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "tokens",
        columns: &[
            ("id", Int),
            ("user_id", Int),
            ("name", Text),
            ("kind", Text),
            ("digest", Bytes),
            ("prefix", Text),
            ("last_four", Text),
            ("created_at", Int),
            ("expires_at", Int),
            ("revoked_at", Int),
            ("last_used_at", Int),
            ("last_used_from", Text),
            ("made_by", Text),
            ("root", Bytes),
            ("ends_by", Int),
            ("scopes", Text),
            ("read_only", Bool),
            ("allowed_networks", Text),
            ("amr", Text),
        ],
        key: 1,
        numbered: true,
    },
    TableSpec {
        name: "saved_views",
        columns: &[("user_id", Int), ("place", Text), ("name", Text), ("query", Text)],
        key: 3,
        numbered: false,
    },
    TableSpec {
        name: "code_failures",
        columns: &[("user_id", Int), ("failures", Int)],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "mail_changes",
        columns: &[("user_id", Int), ("changed_at", Int)],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "contact_changes",
        columns: &[("user_id", Int), ("channel", Text), ("changed_at", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "ended_tokens",
        columns: &[("digest", Bytes), ("revoked_at", Int), ("ends_by", Int)],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "audit_events",
        columns: &[
            ("id", Int),
            ("at", Int),
            ("actor_kind", Text),
            ("actor_id", Int),
            ("actor_name", Text),
            ("action", Text),
            ("object_kind", Text),
            ("object_id", Int),
            ("object_name", Text),
            ("changes", Text),
            ("address", Text),
            ("request_id", Text),
            ("previous_hash", Bytes),
            ("hash", Bytes),
        ],
        key: 1,
        numbered: true,
    },
    TableSpec {
        name: "deleted_users",
        columns: &[
            ("id", Int),
            ("username", Text),
            ("username_key", Text),
            ("email", Text),
            ("deleted_at", Int),
            ("deleted_by", Text),
            ("search_key", Text),
            ("remains", Text),
        ],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "deleted_groups",
        columns: &[
            ("id", Int),
            ("name", Text),
            ("name_key", Text),
            ("deleted_at", Int),
            ("deleted_by", Text),
            ("search_key", Text),
            ("remains", Text),
        ],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "deleted_memberships",
        columns: &[("group_id", Int), ("user_id", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "attempts",
        columns: &[("key", Bytes), ("failures", Int), ("blocked_until", Int), ("expires_at", Int)],
        key: 1,
        numbered: false,
    },
    TableSpec {
        name: "known_addresses",
        columns: &[("user_id", Int), ("network", Text), ("used_at", Int)],
        key: 2,
        numbered: false,
    },
    TableSpec {
        name: "activity",
        columns: &[("span", Text), ("starts_at", Int), ("kind", Text), ("count", Int)],
        key: 3,
        numbered: false,
    },
    TableSpec {
        name: "unreferenced_media",
        columns: &[("name", Text), ("since", Int), ("state", Text)],
        key: 1,
        numbered: false,
    },
];

/// Tables that are not copied, and of which a server changes rows.
const UPKEEP: [&str; 7] =
    ["code_requests", "deliveries", "identity_changes", "links", "rate_counts", "servers", "sign_in_codes"];

/// Returns the tables of which a server changes rows. The events of the audit trail are never changed.
pub(in crate::directory) fn changed_tables() -> Vec<&'static str> {
    let copied = TABLES.iter().map(|table| table.name).filter(|name| *name != "audit_events");
    copied.chain(UPKEEP).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{DatabaseError, FromRow, Row};
    use crate::directory::model::{FLAG_FIELDS, PERSONAL_FIELDS};
    use crate::directory::store::testing::on_both;
    use crate::directory::store::{Dialect, Sql, Store};

    const NOT_COPIED: [&str; 8] = [
        "code_requests",
        "deliveries",
        "identity_changes",
        "links",
        "rate_counts",
        "schema_migrations",
        "servers",
        "sign_in_codes",
    ];

    /// A column of the actual schema: its table, name and type, its position in the key (0: none), and whether the
    /// database assigns the table's ids.
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct ActualColumn {
        table: String,
        column: String,
        kind: String,
        key: i64,
        numbered: i64,
    }

    impl FromRow for ActualColumn {
        fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
            Ok(Self {
                table: row.next()?,
                column: row.next()?,
                kind: row.next()?,
                key: row.next()?,
                numbered: row.next()?,
            })
        }
    }

    const SQLITE: &str = "SELECT t.name, c.name, c.type, c.pk, t.sql LIKE '%AUTOINCREMENT%' \
         FROM pragma_table_list l JOIN sqlite_schema t ON t.name = l.name JOIN pragma_table_info(l.name) c \
         WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite_%' AND l.name <> 'users_search_pending'";
    const POSTGRES: &str = "SELECT c.table_name::text, c.column_name::text, c.data_type::text, \
           coalesce(k.ordinal_position, 0)::bigint, (max(is_identity) OVER (PARTITION BY c.table_name) = 'YES')::int::bigint \
         FROM information_schema.columns c LEFT JOIN (information_schema.key_column_usage k \
           JOIN information_schema.table_constraints t ON t.constraint_name = k.constraint_name AND t.constraint_type = 'PRIMARY KEY') \
           ON k.table_name = c.table_name AND k.column_name = c.column_name WHERE c.table_schema = 'public'";

    fn described(kind: ColumnKind, dialect: Dialect) -> &'static str {
        match (dialect, kind) {
            (Dialect::Sqlite, Int | Bool) => "INTEGER",
            (Dialect::Sqlite, Bytes) => "BLOB",
            (Dialect::Sqlite, Text) => "TEXT",
            (Dialect::Postgres, Int) => "bigint",
            (Dialect::Postgres, Bool) => "boolean",
            (Dialect::Postgres, Text) => "text",
            (Dialect::Postgres, Bytes) => "bytea",
        }
    }

    /// A new table or column must be added here, or to the list of those that are not copied.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_description_is_the_schema() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let dialect = store.dialect();
            let sql = if dialect == Dialect::Sqlite { SQLITE } else { POSTGRES };
            let mut real: Vec<ActualColumn> = store.all(Sql::new(sql)).await.unwrap();
            let left = real.iter().filter(|column| NOT_COPIED.contains(&column.table.as_str()));
            assert_eq!(
                left.map(|column| &column.table).collect::<std::collections::BTreeSet<_>>().len(),
                NOT_COPIED.len()
            );
            real.retain(|column| !NOT_COPIED.contains(&column.table.as_str()));
            let mut expected: Vec<ActualColumn> = Vec::new();
            for table in TABLES {
                expected.extend(table.columns.iter().enumerate().map(|(place, (name, kind))| ActualColumn {
                    table: table.name.into(),
                    column: (*name).into(),
                    kind: described(*kind, dialect).into(),
                    key: if place < table.key { i64::try_from(place).unwrap() + 1 } else { 0 },
                    numbered: table.numbered.into(),
                }));
            }
            real.sort();
            expected.sort();
            assert_eq!(expected, real);
        })
        .await;
    }

    /// Cached identities show every field of the list, so the trigger must note a change of each.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_feed_of_changes_notes_every_field_of_a_user() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let sql = if store.dialect() == Dialect::Sqlite {
                "SELECT sql FROM sqlite_schema WHERE name = 'users_changed'"
            } else {
                "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'users_changed'"
            };
            let trigger: Vec<String> = store.all(Sql::new(sql)).await.unwrap();
            let words: Vec<&str> = trigger[0].split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for field in PERSONAL_FIELDS.iter().chain(FLAG_FIELDS) {
                assert!(words.contains(field), "{field}: {trigger:?}");
            }
        })
        .await;
    }

    /// A row can only be inserted when the rows that it refers to exist.
    #[tokio::test(flavor = "multi_thread")]
    async fn each_table_comes_after_those_it_refers_to() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let sql = if store.dialect() == Dialect::Sqlite {
                "SELECT t.name || ' ' || f.\"table\" FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f"
            } else {
                "SELECT conrelid::regclass || ' ' || confrelid::regclass FROM pg_constraint WHERE contype = 'f'"
            };
            let references: Vec<String> = store.all(Sql::new(sql)).await.unwrap();
            assert!(references.len() >= 8, "{references:?}");
            let place = |name: &str| TABLES.iter().position(|table| table.name == name);
            for reference in references {
                let (from, to) = reference.split_once(' ').unwrap();
                // Others are not copied.
                let is_copied = place(from).is_some();
                assert!(is_copied || NOT_COPIED.contains(&from), "{reference}");
                assert!(!is_copied || place(from) > Some(place(to).unwrap()), "{reference}");
            }
        })
        .await;
    }
}
