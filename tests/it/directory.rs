//! The use cases of `Directory`, on both databases.

use std::sync::Arc;

use wardroom::directory::groups::MemberChange;
use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::query::{GroupFilters, GroupQuery, Terms, UserFilters, UserQuery};
use wardroom::directory::{Clock, Denial, Directory, Error};

use crate::support::site::{import, imported, operator, person};
use crate::support::{Backend, Database, both};

async fn directory(database: &Database) -> Directory {
    database.open(&Clock::system().unwrap()).await
}

fn named(username: &str) -> UserDraft {
    UserDraft { username: Some(username.into()), ..UserDraft::default() }
}

both! {
    async fn what_must_be_unique_is(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let first = UserDraft { email: Some(Some("a@example.com".into())), mobile_number: Some(Some("+49 711 1".into())), ..named("ann") };
        directory.create_user(&operator(), &first, None).await.unwrap();
        let message = async |draft: UserDraft| directory.create_user(&operator(), &draft, None).await.unwrap_err().to_string();
        assert_eq!(message(named("ann")).await, "username: user with this username already exists.");
        assert_eq!(message(first.clone()).await.matches("already exists").count(), 3);
        let email = UserDraft { email: first.email.clone(), ..named("bob") };
        assert_eq!(message(email).await, "email: user with this email already exists.");
        // A new name that differs from another's by case alone is taken. Empty e-mail addresses do not collide.
        assert_eq!(message(named("Ann")).await, "username: user with this username already exists.");
        for name in ["bob", "cid"] {
            directory.create_user(&operator(), &named(name), None).await.unwrap();
        }
        let group = GroupDraft { name: Some("Billing".into()), notes: None, permissions: None };
        directory.create_group(&operator(), &group).await.unwrap();
        let twice = directory.create_group(&operator(), &group).await.unwrap_err();
        assert_eq!(twice.to_string(), "name: group with this name already exists.");
    }
}

both! {
    /// Ids are never used again, and an import's ids raise the next id.
    async fn ids_are_used_once(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        import(&directory, vec![(imported(500, "five_hundred"), "k500")]).await;
        let next = directory.create_user(&operator(), &named("next"), None).await.unwrap();
        assert_eq!(next.id.get(), 501);
        directory.delete_user(&operator(), &UserKey::Id(next.id)).await.unwrap();
        assert_eq!(directory.create_user(&operator(), &named("after"), None).await.unwrap().id.get(), 502);
    }
}

both! {
    async fn an_import_is_all_or_nothing(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let mut member = imported(2, "two");
        member.groups = vec![99.try_into().unwrap()];
        let records = wardroom::directory::transfer::seed::SeedRows {
            users: [imported(1, "one"), member].map(|user| wardroom::directory::transfer::seed::SeedUser { user, password: "!".into() }).into(),
            ..Default::default()
        };
        let error = directory.seed(&operator(), records).await.unwrap_err();
        assert_eq!(error.to_string(), "groups: Invalid pk \"99\" - object does not exist.");
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        assert_eq!(database.number("SELECT count(*) FROM audit_events").await, 0);
    }
}

both! {
    /// If many requests try at once to demote two admins, one admin remains.
    async fn the_last_admin_stays(backend: Backend) {
        let database = Database::new(backend).await;
        if backend == Backend::Postgres {
            // With a snapshot older than the writers' lock, each of two would see the other.
            database.sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$").await;
        }
        let directory = Arc::new(directory(&database).await);
        let mut admins = Vec::new();
        for name in ["one", "two", "three"] {
            admins.push(person(&directory, name, |draft| draft.is_admin = Some(true)).await.id);
        }
        let mut attempts = tokio::task::JoinSet::new();
        for attempt in 0..51_usize {
            let (directory, id) = (Arc::clone(&directory), admins[attempt % 3]);
            attempts.spawn(async move {
                let key = UserKey::Id(id.try_into().unwrap());
                match attempt % 2 {
                    0 => directory.update_user(&operator(), &key, &UserDraft { is_active: Some(false), ..UserDraft::default() }, None).await,
                    _ => directory.update_user(&operator(), &key, &UserDraft { is_admin: Some(false), ..UserDraft::default() }, None).await,
                }
            });
        }
        let outcomes = attempts.join_all().await;
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Error::Denied(Denial::LastAdmin)))));
        assert_eq!(database.number("SELECT count(*) FROM users WHERE is_admin AND is_active").await, 1);
        let filters = UserFilters { is_admin: Some(true), is_active: Some(true), ..UserFilters::default() };
        let last = directory.list_users(&operator(), &UserQuery::by_id(filters, None, 10)).await.unwrap().rows;
        let refused = directory.delete_user(&operator(), &UserKey::Id(last[0].id)).await.unwrap_err();
        assert_eq!(refused.to_string(), "The last active admin cannot be removed, demoted or deactivated.");
    }
}

both! {
    /// The rule for new passwords applies wherever one is set, and knows the user.
    async fn a_password_that_is_tried_first_is_refused(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let set = async |text: &str| {
            let key = UserKey::Name("miller_and_daughters".into());
            directory.set_password(&operator(), &key, Password::new(text.into())).await.unwrap_err().to_string()
        };
        let draft = named("miller_and_daughters");
        let with_password = async |text: &str| {
            directory.create_user(&operator(), &draft, Some(Password::new(text.into()))).await.unwrap_err().to_string()
        };
        let (common, similar) = ("This password is too common.", "The password is too similar to the username.");
        assert_eq!(with_password("passwordpassword").await, format!("password: {common}"));
        assert_eq!(with_password("Miller_and_daughters1").await, format!("password: {similar}"));
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        directory.create_user(&operator(), &draft, None).await.unwrap();
        assert_eq!(set("passwordpassword").await, format!("password: {common}"));
        assert_eq!(set("Miller_and_daughters1").await, format!("password: {similar}"));
        // The user after the edit counts, not before it.
        let (key, renamed) = (UserKey::Name("miller_and_daughters".into()), named("baker_and_sons"));
        let taken = Some(Password::new("Baker_and_sons1".into()));
        let refused = directory.update_user(&operator(), &key, &renamed, taken).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("password: {similar}"));
        assert_eq!(directory.counters().password_hashes.get(), 0);
    }
}

both! {
    /// Each change writes one event, in its own transaction, linked to the event before. A refused change writes
    /// none, and no event contains a secret.
    async fn every_change_is_audited(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let (actor, ann) = (operator(), UserKey::Name("ann".into()));
        let group = GroupKey::Name("Billing".into());
        directory.create_user(&actor, &named("ann"), Some(Password::new("a secret password".into()))).await.unwrap();
        directory.update_user(&actor, &ann, &UserDraft { first_name: Some("Ann".into()), ..UserDraft::default() }, None).await.unwrap();
        directory.create_group(&actor, &GroupDraft { name: Some("Billing".into()), notes: None, permissions: None }).await.unwrap();
        directory.change_members(&actor, &group, std::slice::from_ref(&ann), MemberChange::Add).await.unwrap();
        directory.change_members(&actor, &group, std::slice::from_ref(&ann), MemberChange::Add).await.unwrap();
        let issued = directory.issue_token(&actor, &ann, "t", wardroom::directory::tokens::Expiry::Never).await.unwrap();
        directory.revoke_token(&actor, None, issued.token.id).await.unwrap();
        directory.revoke_token(&actor, None, issued.token.id).await.unwrap();
        directory.create_user(&actor, &named("ann"), None).await.unwrap_err();
        assert_eq!(database.number("SELECT count(*) FROM audit_events").await, 6);
        let linked = "SELECT count(*) FROM audit_events a JOIN audit_events b ON b.previous_hash = a.hash";
        assert_eq!(database.number(linked).await, 5);
        for secret in ["a secret password", "argon2", issued.key.reveal()] {
            let query = format!("SELECT count(*) FROM audit_events WHERE changes LIKE '%{secret}%' OR object_name LIKE '%{secret}%'");
            assert_eq!(database.number(&query).await, 0, "{secret}");
        }
        let changed = r#"SELECT count(*) FROM audit_events WHERE action = 'user.update' AND changes = '{"first_name":["","Ann"]}'"#;
        assert_eq!(database.number(changed).await, 1);
    }
}

both! {
    /// Only the digest of a key is stored, anywhere.
    async fn a_key_is_not_in_the_database(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let ann = person(&directory, "ann", |_| {}).await;
        let query = format!("SELECT count(*) FROM tokens WHERE name = '{0}' OR prefix = '{0}' OR last_four = '{0}'", ann.key);
        assert_eq!(database.number(&query).await, 0);
        assert_eq!(database.number("SELECT count(*) FROM tokens WHERE length(digest) = 32").await, 1);
    }
}

both! {
    /// Pages follow the ids, filters apply, and both databases give the same result.
    async fn users_are_listed_page_by_page(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        for number in 1..=7 {
            person(&directory, &format!("user{number}"), |draft| draft.is_staff = Some(number % 2 == 0)).await;
        }
        let group = directory.create_group(&operator(), &GroupDraft { name: Some("Two".into()), notes: None, permissions: None }).await.unwrap();
        for user in ["user2", "user5"] {
            directory.change_members(&operator(), &GroupKey::Id(group.id), &[UserKey::Name(user.into())], MemberChange::Add).await.unwrap();
        }
        let names = async |filters: UserFilters, after, limit| {
            let query = UserQuery::by_id(filters, after, limit);
            let users = directory.list_users(&operator(), &query).await.unwrap().rows;
            users.into_iter().map(|user| user.username).collect::<Vec<_>>().join(" ")
        };
        let all = UserFilters::default;
        assert_eq!(names(all(), None, 3).await, "user1 user2 user3");
        assert_eq!(names(all(), Some(3), 100).await, "user4 user5 user6 user7");
        assert_eq!(names(UserFilters { is_staff: Some(true), ..all() }, None, 100).await, "user2 user4 user6");
        assert_eq!(names(UserFilters { is_staff: Some(false), group: Some(group.id), ..all() }, None, 100).await, "user5");
        assert_eq!(names(UserFilters { is_active: Some(false), ..all() }, None, 100).await, "");
        let query = GroupQuery::by_id(GroupFilters::default(), None, 10);
        let two = directory.list_groups(&operator(), &query).await.unwrap().rows;
        assert_eq!((two[0].name.as_str(), two[0].users_count), ("Two", 2));
    }
}

both! {
    /// Writes that arrive together share transactions. One that fails does not affect the others.
    async fn writes_that_come_together_do_not_disturb_each_other(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = Arc::new(directory(&database).await);
        let mut writes = tokio::task::JoinSet::new();
        for number in 0..60 {
            let directory = Arc::clone(&directory);
            // Every third takes a name that only one user can have.
            let name = if number % 3 == 0 { "same".to_owned() } else { format!("user{number}") };
            writes.spawn(async move { directory.create_user(&operator(), &named(&name), None).await.is_ok() });
        }
        let done = writes.join_all().await.into_iter().filter(|done| *done).count();
        assert_eq!(done, 41);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 41);
        assert_eq!(database.number("SELECT count(*) FROM audit_events").await, 41);
    }
}

both! {
    /// The search key follows every change, and so do searches.
    async fn search_keys_follow_changes(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        let ann = person(&directory, "Ann", |draft| draft.last_name = Some("Straße".into())).await;
        let renamed = UserDraft { last_name: Some("Łukasz".into()), ..UserDraft::default() };
        directory.update_user(&operator(), &UserKey::Id(ann.id.try_into().unwrap()), &renamed, None).await.unwrap();
        let held = format!("SELECT count(*) FROM users WHERE search_key LIKE '{}\u{1f}ann%łukasz'", ann.id);
        assert_eq!(database.number(&held).await, 1);
        let found = async |term| {
            let query = UserQuery { terms: Terms::parse(term).unwrap(), ..UserQuery::by_id(UserFilters::default(), None, 10) };
            directory.list_users(&operator(), &query).await.unwrap().rows.len()
        };
        assert_eq!((found("łuk").await, found("strasse").await, found("zzyzx").await), (1, 0, 0));
        // A change by an operator's own SQL is found at once, too.
        database.sql("UPDATE users SET search_key = 'zzyzx'").await;
        assert_eq!((found("łuk").await, found("zzyzx").await), (0, 1));
    }
}

both! {
    async fn a_password_is_kept_in_django_s_encoding(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = directory(&database).await;
        person(&directory, "ann", |_| {}).await;
        let ann = UserKey::Name("ann".into());
        assert_eq!(database.number("SELECT count(*) FROM users WHERE password = '!'").await, 1);
        let short = directory.set_password(&operator(), &ann, Password::new("short".into())).await.unwrap_err();
        assert_eq!(short.to_string(), "password: Ensure this field has at least 8 characters.");
        directory.set_password(&operator(), &ann, Password::new("long enough".into())).await.unwrap();
        let kept = "SELECT count(*) FROM users WHERE password LIKE 'argon2$argon2id$v=19$m=65536,t=2,p=1$%'";
        assert_eq!(database.number(kept).await, 1);
    }
}
