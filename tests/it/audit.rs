//! The audit trail: its content, and how tampering is detected.

use wardroom::directory::model::AuditFilter;
use wardroom::directory::model::{GroupDraft, UserDraft, UserKey};
use wardroom::directory::{Clock, Directory, Error};

use crate::support::site::operator;
use crate::support::{Backend, Database, both};

/// An account database with five events.
async fn directory(database: &Database) -> Directory {
    let directory = database.open(&Clock::fixed("2025-09-01T12:00:00Z".parse().unwrap()).unwrap()).await;
    for name in ["ann", "bob", "cid", "dan"] {
        let draft = UserDraft { username: Some(name.into()), ..UserDraft::default() };
        directory.create_user(&operator(), &draft, None).await.unwrap();
    }
    let group = GroupDraft { name: Some("Billing".into()), ..GroupDraft::default() };
    directory.create_group(&operator(), &group).await.unwrap();
    directory
}

both! {
    async fn an_untouched_trail_fits(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let found = directory.verify_audit(&operator(), None).await.unwrap();
        assert_eq!((found.good, found.broken, found.head.len()), (5, None, 64));
        let again = directory.verify_audit(&operator(), Some(&found.head)).await.unwrap();
        assert_eq!(again.expected_seen, Some(true));
    }
}

both! {
    /// Every kind of tampering is found, at the first event that is affected.
    async fn tampering_shows(backend: Backend) {
        for (about, statement, first) in [
            ("a changed name", "UPDATE audit_events SET object_name = 'eve' WHERE id = 3", 3),
            ("a changed time", "UPDATE audit_events SET at = at + 1 WHERE id = 2", 2),
            ("changed changes", "UPDATE audit_events SET changes = '{}' WHERE id = 4", 4),
            ("an event taken out", "DELETE FROM audit_events WHERE id = 2", 3),
            ("the first taken out", "DELETE FROM audit_events WHERE id = 1", 2),
            ("two swapped", "UPDATE audit_events SET id = 100 WHERE id = 3; UPDATE audit_events SET id = 3 WHERE id = 4; UPDATE audit_events SET id = 4 WHERE id = 100", 3),
            ("one put in twice", "INSERT INTO audit_events (at, actor_kind, actor_name, action, object_kind, object_name, changes, previous_hash, hash) SELECT at, actor_kind, actor_name, action, object_kind, object_name, changes, previous_hash, hash FROM audit_events WHERE id = 5", 6),
        ] {
            let database = Database::new(backend).await;
            let directory = directory(&database).await;
            database.sql(statement).await;
            let found = directory.verify_audit(&operator(), None).await.unwrap();
            assert_eq!(found.broken.map(|(id, _)| id), Some(first), "{about}");
        }
    }
}

both! {
    /// A cut-off end, which the chain alone cannot reveal, is found with the head kept elsewhere.
    async fn a_cut_end_shows_by_the_head(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let head = directory.verify_audit(&operator(), None).await.unwrap().head;
        database.sql("DELETE FROM audit_events WHERE id = 5").await;
        let found = directory.verify_audit(&operator(), Some(&head)).await.unwrap();
        assert_eq!((found.broken, found.expected_seen), (None, Some(false)));
    }
}

both! {
    async fn events_are_listed_newest_first_and_filtered(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let ids = async |filter: AuditFilter, limit| {
            let events = directory.audit_events(&operator(), &filter, limit).await.unwrap();
            events.into_iter().map(|recorded| recorded.id).collect::<Vec<_>>()
        };
        let all = AuditFilter::default;
        assert_eq!(ids(all(), 2).await, [5, 4]);
        assert_eq!(ids(AuditFilter { before: Some(4), ..all() }, 10).await, [3, 2, 1]);
        assert_eq!(ids(AuditFilter { action: Some("group.create".into()), ..all() }, 10).await, [5]);
        assert_eq!(ids(AuditFilter { object_kind: Some("user".into()), object_id: Some(2), ..all() }, 10).await, [2]);
        assert_eq!(ids(AuditFilter { from: Some("2025-09-01T12:00:00.000001Z".parse().unwrap()), ..all() }, 10).await, [0; 0]);
        assert_eq!(ids(AuditFilter { actor_id: Some(1), ..all() }, 10).await, [0; 0]);
    }
}

both! {
    /// A change that cannot be recorded does not happen.
    async fn no_change_without_its_event(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        database.sql("ALTER TABLE audit_events RENAME TO aside").await;
        let draft = UserDraft { first_name: Some("Eve".into()), ..UserDraft::default() };
        let ann = UserKey::Name("ann".into());
        assert!(matches!(directory.update_user(&operator(), &ann, &draft, None).await, Err(Error::Broken { .. })));
        assert_eq!(database.number("SELECT count(*) FROM users WHERE first_name = 'Eve'").await, 0);
    }
}
