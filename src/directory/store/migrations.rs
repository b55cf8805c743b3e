//! The schema's history: numbered files, each applied once and recorded with a checksum.

use crate::database::migrate::{self, Migration, Repair};
use crate::database::{DatabaseError, Link, OpenError, schema};
use crate::directory::model::Timestamp;

/// Every migration, oldest first. A released one is never edited: its checksum is in every database.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "directory",
        sqlite: include_str!("../../../migrations/sqlite/0001_directory.sql"),
        postgres: include_str!("../../../migrations/postgres/0001_directory.sql"),
    },
    Migration {
        version: 2,
        name: "identity_changes",
        sqlite: include_str!("../../../migrations/sqlite/0002_identity_changes.sql"),
        postgres: include_str!("../../../migrations/postgres/0002_identity_changes.sql"),
    },
    Migration {
        version: 3,
        name: "recycle_bin",
        sqlite: include_str!("../../../migrations/sqlite/0003_recycle_bin.sql"),
        postgres: include_str!("../../../migrations/postgres/0003_recycle_bin.sql"),
    },
    Migration {
        version: 4,
        name: "guard",
        sqlite: include_str!("../../../migrations/sqlite/0004_guard.sql"),
        postgres: include_str!("../../../migrations/postgres/0004_guard.sql"),
    },
    Migration {
        version: 5,
        name: "users_count",
        sqlite: include_str!("../../../migrations/sqlite/0005_users_count.sql"),
        postgres: include_str!("../../../migrations/postgres/0005_users_count.sql"),
    },
    Migration {
        version: 6,
        name: "search_pending",
        sqlite: include_str!("../../../migrations/sqlite/0006_search_pending.sql"),
        postgres: include_str!("../../../migrations/postgres/0006_search_pending.sql"),
    },
    Migration {
        version: 7,
        name: "cheaper_writes",
        sqlite: include_str!("../../../migrations/sqlite/0007_cheaper_writes.sql"),
        postgres: include_str!("../../../migrations/postgres/0007_cheaper_writes.sql"),
    },
    Migration {
        version: 8,
        name: "reserved_names",
        sqlite: include_str!("../../../migrations/sqlite/0008_reserved_names.sql"),
        postgres: include_str!("../../../migrations/postgres/0008_reserved_names.sql"),
    },
    Migration {
        version: 9,
        name: "token_origins",
        sqlite: include_str!("../../../migrations/sqlite/0009_token_origins.sql"),
        postgres: include_str!("../../../migrations/postgres/0009_token_origins.sql"),
    },
    Migration {
        version: 10,
        name: "feed_always",
        sqlite: include_str!("../../../migrations/sqlite/0010_feed_always.sql"),
        postgres: include_str!("../../../migrations/postgres/0010_feed_always.sql"),
    },
    Migration {
        version: 11,
        name: "import_origins",
        sqlite: include_str!("../../../migrations/sqlite/0011_import_origins.sql"),
        postgres: include_str!("../../../migrations/postgres/0011_import_origins.sql"),
    },
    Migration {
        version: 12,
        name: "ended_tokens",
        sqlite: include_str!("../../../migrations/sqlite/0012_ended_tokens.sql"),
        postgres: include_str!("../../../migrations/postgres/0012_ended_tokens.sql"),
    },
    Migration {
        version: 13,
        name: "deleted_groups",
        sqlite: include_str!("../../../migrations/sqlite/0013_deleted_groups.sql"),
        postgres: include_str!("../../../migrations/postgres/0013_deleted_groups.sql"),
    },
    Migration {
        version: 14,
        name: "unreferenced_media",
        sqlite: include_str!("../../../migrations/sqlite/0014_unreferenced_media.sql"),
        postgres: include_str!("../../../migrations/postgres/0014_unreferenced_media.sql"),
    },
    Migration {
        version: 15,
        name: "narrow_tokens",
        sqlite: include_str!("../../../migrations/sqlite/0015_narrow_tokens.sql"),
        postgres: include_str!("../../../migrations/postgres/0015_narrow_tokens.sql"),
    },
    Migration {
        version: 16,
        name: "introspection_permission",
        sqlite: include_str!("../../../migrations/sqlite/0016_introspection_permission.sql"),
        postgres: include_str!("../../../migrations/postgres/0016_introspection_permission.sql"),
    },
    Migration {
        version: 17,
        name: "group_names",
        sqlite: include_str!("../../../migrations/sqlite/0017_group_names.sql"),
        postgres: include_str!("../../../migrations/postgres/0017_group_names.sql"),
    },
    Migration {
        version: 18,
        name: "dangling_ids",
        sqlite: include_str!("../../../migrations/sqlite/0018_dangling_ids.sql"),
        postgres: include_str!("../../../migrations/postgres/0018_dangling_ids.sql"),
    },
    Migration {
        version: 19,
        name: "admin_site",
        sqlite: include_str!("../../../migrations/sqlite/0019_admin_site.sql"),
        postgres: include_str!("../../../migrations/postgres/0019_admin_site.sql"),
    },
    Migration {
        version: 20,
        name: "outbox",
        sqlite: include_str!("../../../migrations/sqlite/0020_outbox.sql"),
        postgres: include_str!("../../../migrations/postgres/0020_outbox.sql"),
    },
    Migration {
        version: 21,
        name: "codes",
        sqlite: include_str!("../../../migrations/sqlite/0021_codes.sql"),
        postgres: include_str!("../../../migrations/postgres/0021_codes.sql"),
    },
    Migration {
        version: 22,
        name: "links",
        sqlite: include_str!("../../../migrations/sqlite/0022_links.sql"),
        postgres: include_str!("../../../migrations/postgres/0022_links.sql"),
    },
    Migration {
        version: 23,
        name: "lists",
        sqlite: include_str!("../../../migrations/sqlite/0023_lists.sql"),
        postgres: include_str!("../../../migrations/postgres/0023_lists.sql"),
    },
];

/// What runs before released migrations that stop at data that they do not expect.
pub(super) const REPAIRS: &[Repair] = &[Repair {
    before: 16,
    sqlite: include_str!("../../../migrations/repairs/sqlite/0016.sql"),
    postgres: include_str!("../../../migrations/repairs/postgres/0016.sql"),
}];

/// The version of the schema that this program works with.
pub(in crate::directory) fn schema_version() -> i64 {
    migrate::known_version(MIGRATIONS)
}

/// Refuses a schema of another version than this program's.
pub(super) fn check_version(link: &Link) -> Result<(), OpenError> {
    migrate::check(link, MIGRATIONS)
}

/// Upgrades a schema and returns the versions that were applied.
pub(super) fn upgrade(link: &Link, now: Timestamp) -> Result<Vec<i64>, OpenError> {
    migrate::migrate(link, MIGRATIONS, REPAIRS, now.as_micros())
}

/// Does the same inside a transaction that the caller has begun and will end.
pub(super) fn upgrade_within(link: &Link, now: Timestamp) -> Result<Vec<i64>, OpenError> {
    migrate::migrate_within(link, MIGRATIONS, REPAIRS, now.as_micros())
}

/// Returns whether the database has a schema of ours at all.
pub(super) fn is_initialised(link: &Link) -> Result<bool, DatabaseError> {
    migrate::is_initialised(link)
}

/// Describes what of a SQLite file's schema is not ours, and what of ours it lacks.
pub(super) fn strangers(link: &Link) -> Result<Vec<String>, OpenError> {
    schema::differences(link, MIGRATIONS)
}

/// Refuses a SQLite file whose schema is not ours, before anything of it is run.
pub(super) fn check_schema(link: &Link) -> Result<(), OpenError> {
    schema::check(link, MIGRATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Sql;

    #[test]
    fn members_who_were_there_before_are_counted() {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        let (before, after) = MIGRATIONS.split_at(4);
        before.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        link.batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) \
             VALUES (1, 'a', 'a', '', 0, 0, ''), (2, 'b', 'b', '', 0, 0, ''); \
             INSERT INTO memberships (user_id, group_id) VALUES (1, 1), (2, 1)",
        )
        .unwrap();
        after.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        let kept: Vec<i64> = link.all(&Sql::new("SELECT users_count FROM groups ORDER BY id")).unwrap();
        assert_eq!(kept, [2, 0]);
    }

    #[test]
    fn constraints_that_are_written_anew_refuse_what_they_did() {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        let (before, after) = MIGRATIONS.split_at(6);
        before.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        let event = |kind: &str| {
            format!(
                "INSERT INTO audit_events (at, actor_kind, actor_name, action, object_kind, object_name, changes, \
                 previous_hash, hash) VALUES (0, '{kind}', '', '', '', '', '', x'', x'')"
            )
        };
        link.batch(&event("person")).unwrap();
        after.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        for known in ["operator", "person", "anonymous"] {
            link.batch(&event(known)).unwrap();
        }
        for (wrong, constraint) in [
            (event("robot"), "audit_events_actor_kind_known"),
            (
                "INSERT INTO identity_changes (scope) VALUES ('none')".to_owned(),
                "identity_changes_scope_known",
            ),
            (
                "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at) \
                 VALUES (1, '', 'other', x'', '', '', 0)"
                    .to_owned(),
                "tokens_kind_known",
            ),
        ] {
            let refused = link.batch(&wrong).unwrap_err();
            let DatabaseError::Constraint(name) = &refused else { panic!("{refused:?}") };
            assert!(name.ends_with(constraint), "{name}");
        }
        let kept: Vec<i64> = link.all(&Sql::new("SELECT count(*) FROM audit_events")).unwrap();
        assert_eq!(kept, [4]);
    }

    fn file() -> Link {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        migrate::create(&link, MIGRATIONS, schema_version()).unwrap();
        link
    }

    fn fresh(version: i64) -> Link {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        migrate::create(&link, MIGRATIONS, version).unwrap();
        link
    }

    #[test]
    fn each_version_of_ours_is_ours() {
        for version in 1..=schema_version() {
            assert_eq!(
                schema::differences(&fresh(version), MIGRATIONS).unwrap(),
                [""; 0],
                "version {version}"
            );
        }
        let analysed = file();
        analysed.batch("INSERT INTO users_search_pending (id) VALUES (1); ANALYZE").unwrap();
        assert_eq!(schema::differences(&analysed, MIGRATIONS).unwrap(), [""; 0]);
    }

    /// Whatever is added, changed or taken away is named, in a file of any version.
    #[test]
    fn what_is_not_ours_is_named() {
        for (change, message) in [
            (
                "CREATE TRIGGER evil AFTER INSERT ON tokens BEGIN UPDATE users SET is_admin = 1; END",
                "the trigger \"evil\" of \"tokens\" is not part of this program's schema",
            ),
            ("CREATE VIEW evil AS SELECT 1", "the view \"evil\" is not part of this program's schema"),
            ("CREATE TABLE evil (x)", "the table \"evil\" is not part of this program's schema"),
            (
                "CREATE INDEX evil ON users (gender)",
                "the index \"evil\" of \"users\" is not part of this program's schema",
            ),
            (
                "CREATE VIRTUAL TABLE evil USING fts5 (x)",
                "the table \"evil\" is not part of this program's schema",
            ),
            ("DROP TRIGGER tokens_changed", "the trigger \"tokens_changed\" is missing"),
            ("DROP INDEX tokens_digest_unique", "the index \"tokens_digest_unique\" is missing"),
            (
                "DROP TRIGGER tokens_changed; CREATE TRIGGER tokens_changed AFTER UPDATE OF name ON tokens BEGIN SELECT 1; END",
                "the trigger \"tokens_changed\" of \"tokens\" differs from this program's",
            ),
            ("ALTER TABLE groups ADD COLUMN evil TEXT", "the table \"groups\" differs from this program's"),
            (
                "DROP TABLE schema_migrations; CREATE VIEW schema_migrations AS SELECT 1 AS version, '' AS checksum",
                "the table schema_migrations differs from this program's",
            ),
            (
                "ALTER TABLE schema_migrations ADD COLUMN evil TEXT",
                "the table schema_migrations differs from this program's",
            ),
            (
                "DROP TABLE known_addresses; CREATE VIEW known_addresses AS SELECT 1 AS user_id, '' AS network, 0 AS used_at",
                "the view \"known_addresses\" is not part of this program's schema",
            ),
        ] {
            for version in [5, schema_version()] {
                let link = fresh(version);
                link.batch(change).unwrap();
                let found = schema::differences(&link, MIGRATIONS).unwrap();
                assert!(found.iter().any(|found| found == message), "{change}: {found:?}");
                let refused = schema::check(&link, MIGRATIONS).unwrap_err().to_string();
                assert!(refused.contains(message), "{refused}");
            }
        }
        let many = file();
        for number in 0..50 {
            many.batch(&format!("CREATE VIEW v{number} AS SELECT 1")).unwrap();
        }
        let found = schema::differences(&many, MIGRATIONS).unwrap();
        assert_eq!((found.len(), found.last().unwrap().as_str()), (21, "and 30 more"));
    }

    #[test]
    fn history_with_a_gap_is_foreign() {
        let link = file();
        link.batch("DELETE FROM schema_migrations WHERE version = 3").unwrap();
        assert!(matches!(schema::differences(&link, MIGRATIONS), Err(OpenError::MigrationDiffers(4))));
    }
}
