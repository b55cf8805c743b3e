//! How the databases find the users of a list: every filter that has an index is served by it, and a page beyond a
//! cursor costs as much as the first one. The table is large enough for an index to pay off.

use wardroom::directory::Clock;
use wardroom::directory::model::AuditFilter;
use wardroom::directory::query::{TokenQuery, UserQuery};

use crate::support::site::operator;
use crate::support::{Backend, Database, both};

/// Users, few of which have any special property.
async fn filled(backend: Backend, users: i64) -> Database {
    let database = Database::new(backend).await;
    let numbers = match backend {
        Backend::Sqlite => {
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})")
        }
        Backend::Postgres => format!("WITH n (i) AS (SELECT generate_series(1::bigint, {users}))"),
    };
    let flag = |every: i64| match backend {
        Backend::Sqlite => format!("i % {every} = 0"),
        Backend::Postgres => format!("(i % {every} = 0)"),
    };
    // Two weeks from 2025-01-01 on, whatever their number: one minute for each of 20,000.
    let at = format!("1735689600000000 + i * {}", 60_000_000 * 20_000 / users);
    database.sql(&format!(
        "INSERT INTO users (username, username_key, mobile_number, email, email_key, avatar, first_name, last_name, gender, \
           password, is_active, is_staff, is_admin, last_login, last_seen_at, created_at, updated_at, search_key) \
         {numbers} SELECT 'user' || i, 'user' || i, CASE WHEN i % 500 = 0 THEN '+49' || i END, \
           CASE WHEN i % 500 <> 0 THEN 'user' || i || '@example.com' END, \
           CASE WHEN i % 500 <> 0 THEN 'user' || i || '@example.com' ELSE '' END, CASE WHEN i % 500 = 0 THEN 'a.png' END, 'Ann', 'Lee', \
           CASE i % 500 WHEN 0 THEN 'other' WHEN 1 THEN NULL ELSE 'female' END, '!', NOT {0}, {0}, {0}, \
           CASE WHEN i % 2 = 0 THEN {at} END, CASE WHEN i % 500 = 0 THEN {at} END, {at}, {at}, \
           i || CAST(x'1f' AS TEXT) || 'user' || i || CAST(x'1f' AS TEXT) || CASE WHEN i % 500 = 0 THEN 'xyzzy' ELSE 'lee' END FROM n",
        flag(500)
    ).replace("CAST(x'1f' AS TEXT)", if backend == Backend::Sqlite { "CAST(x'1f' AS TEXT)" } else { "chr(31)" })).await;
    let at = "0, 0, ''";
    database
        .sql(&format!(
            "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) \
           VALUES (1, 'few', 'few', '', {at}), (2, 'many', 'many', '', {at});
         INSERT INTO memberships (user_id, group_id) SELECT id, 1 FROM users WHERE id % 500 = 0;
         INSERT INTO memberships (user_id, group_id) SELECT id, 2 FROM users WHERE id % 2 = 0;"
        ))
        .await;
    if backend == Backend::Postgres {
        // PostgreSQL gathers statistics by itself, at a time that it chooses.
        database.sql("VACUUM ANALYZE").await;
    }
    database
}

async fn plans(database: &Database, query: &str) -> [String; 2] {
    let clock = Clock::fixed("2025-01-14T22:00:00Z".parse().unwrap()).unwrap();
    let pairs: Vec<_> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let query = UserQuery::parse(&pairs).unwrap();
    let directory = database.open(&clock).await;
    directory.explain_users(&operator(), &query).await.unwrap()
}

/// Filters that keep few of many, and the index that finds them.
const FILTERS: [(&str, &str); 21] = [
    ("id_min=10&id_max=12", "pkey"),
    ("created_date=2025-01-03", "users_by_created_at"),
    ("created_date_from=2025-01-14", "users_by_created_at"),
    ("updated_date=2025-01-03", "users_by_updated_at"),
    ("updated_date_to=2025-01-01", "users_by_updated_at"),
    ("last_login_date=2025-01-03", "users_by_last_login"),
    ("has_email=0", "users_by_email"),
    ("has_avatar=1", "users_with_avatar"),
    ("has_phone=1", "users_mobile_number_unique"),
    ("is_active=0", "users_inactive"),
    ("is_staff=1", "users_staff"),
    ("is_admin=1", "users_admins"),
    ("is_online=1", "users_by_last_seen_at"),
    ("username=user777", "users_username_unique"),
    ("email=USER777@example.com", "users_by_email"),
    ("mobile_number=+491000", "users_mobile_number_unique"),
    ("gender=other", "users_by_gender"),
    ("group_id=1", "memberships_by_group"),
    ("groups_in=1,99", "memberships_by_group"),
    ("search=xyzzy", "users_search"),
    ("search=XYZZY,zz", "users_search"),
];

fn name_of(filter: &str) -> &str {
    filter.split_once('=').unwrap().0
}

/// Whether a plan uses an index, and reads no table from end to end.
fn serves(backend: Backend, index: &str, plan: &str) -> bool {
    let plan = format!("{plan}\n");
    let has = |texts: &[String]| texts.iter().any(|text| plan.contains(text));
    let whole = has(&["SCAN u\n".to_owned(), "Seq Scan on users".to_owned()]);
    !whole
        && match (backend, index) {
            // With statistics it may skip-scan a smaller index that has few values before the ids.
            (Backend::Sqlite, "pkey") => {
                has(&["USING INTEGER PRIMARY KEY".to_owned(), "AND id>? AND id<?".to_owned()])
            }
            (Backend::Sqlite, "users_search") => has(&["users_search VIRTUAL TABLE INDEX".to_owned()]),
            (Backend::Sqlite, index) => has(&[format!("INDEX {index} "), format!("INDEX {index}\n")]),
            (Backend::Postgres, "pkey") => has(&["users_pkey".to_owned()]),
            // Two indexes have the numbers, and only those of users who have one.
            (Backend::Postgres, "users_mobile_number_unique") => {
                ["users_mobile_number_unique", "users_by_number"]
                    .iter()
                    .any(|index| has(&[format!(" on {index}"), format!(" using {index}")]))
            }
            (Backend::Postgres, index) => has(&[format!(" on {index} "), format!(" using {index} ")]),
        }
}

async fn each_filter_has_its_index(backend: Backend, users: i64) {
    let database = filled(backend, users).await;
    for statistics in ["SELECT 1", "ANALYZE"] {
        database.sql(statistics).await;
        for (query, index) in FILTERS {
            let [_, count] = plans(&database, query).await;
            assert!(
                serves(backend, index, &count),
                "{query} is not served by {index} after {statistics}:\n{count}"
            );
        }
    }
}

both! {
    /// With statistics, and on SQLite also without them: the program does not gather them there.
    async fn every_indexed_filter_is_served_by_its_index(backend: Backend) {
        each_filter_has_its_index(backend, 20_000).await;
    }
}

both! {
    /// Whoever is named by an exact filter is found by its index, and then checked, whatever else is asked. A list of the members of
    /// large groups, or a walk along the order, would read thousands for one.
    async fn a_named_user_is_found_by_the_name_whatever_else_is_asked(backend: Backend) {
        let database = filled(backend, 20_000).await;
        if backend == Backend::Postgres {
            database.sql("ANALYZE").await;
        }
        let exact = FILTERS.iter().filter(|(filter, _)| ["username", "email", "mobile_number"].contains(&name_of(filter)));
        let exact: Vec<_> = exact.collect();
        let others = FILTERS.map(|(filter, _)| filter).into_iter().chain([
            "has_token=1", "has_token=0", "has_groups=1", "has_groups=0", "group_id=2", "groups_in=1,2", "is_active=1", "has_email=1", "id_min=10",
            "last_login_from=2025-01-02", "is_online=0", "gender=female", "search=lee", "ordering=-last_login", "ordering=username", "ordering=gender",
        ]);
        for other in others {
            for (named, index) in exact.iter().filter(|(named, _)| name_of(named) != name_of(other)) {
                // Of two names, either will do.
                let also = exact.iter().find(|(named, _)| name_of(named) == name_of(other)).map(|(_, index)| *index);
                for plan in plans(&database, &format!("{named}&{other}")).await {
                    let by_name = [Some(*index), also].into_iter().flatten().any(|index| serves(backend, index, &plan));
                    let reads_members = plan.contains("memberships_by_group");
                    // PostgreSQL knows whether another index names as few.
                    let served = match backend {
                        Backend::Sqlite => by_name && !reads_members,
                        Backend::Postgres => !plan.contains("Seq Scan on users"),
                    };
                    assert!(served, "{named}&{other}:\n{plan}");
                }
            }
        }
    }
}

both! {
    /// The same with a million users.
    #[ignore = "takes minutes"]
    async fn a_million_are_served_by_the_same_indexes(backend: Backend) {
        each_filter_has_its_index(backend, 1_000_000).await;
    }
}

both! {
    /// A page beyond a cursor: each part is a range of the order's index, and nothing larger than a page is sorted.
    async fn a_late_page_is_a_stretch_of_an_index(backend: Backend) {
        let database = filled(backend, 20_000).await;
        let clock = Clock::system().unwrap();
        for (ordering, index) in [
            ("username", "users_by_username"),
            ("-username", "users_by_username"),
            ("email", "users_by_email"),
            ("gender", "users_by_gender"),
            ("-gender", "users_by_gender"),
            ("last_login", "users_by_last_login"),
            ("-last_login", "users_by_last_login"),
            ("created_at", "users_by_created_at"),
            ("-updated_at", "users_by_updated_at"),
        ] {
            let directory = database.open(&clock).await;
            let mut pairs = vec![("ordering".to_owned(), ordering.to_owned()), ("cursor".to_owned(), String::new())];
            for number in 0..3 {
                let query = UserQuery::parse(&pairs).unwrap();
                let [plan, _] = directory.explain_users(&operator(), &query).await.unwrap();
                assert!(plan.contains(index), "{ordering}:\n{plan}");
                for whole in ["Seq Scan on users", "Incremental Sort"] {
                    assert!(!plan.contains(whole), "{ordering}:\n{plan}");
                }
                // SQLite calls reading a whole index a scan. Only the first page starts at its end.
                assert!(number == 0 || !plan.contains("SCAN u"), "{ordering}:\n{plan}");
                let page = directory.list_users(&operator(), &query).await.unwrap();
                let Some(wardroom::directory::query::PageLink::Cursor(next)) = page.next else { panic!("no cursor") };
                pairs[1].1 = next;
            }
        }
    }
}

/// Tokens, few of which are revoked, expire or belong to the first user.
async fn filled_with_tokens(backend: Backend, users: i64) -> Database {
    let database = filled(backend, users).await;
    let digest = match backend {
        Backend::Sqlite => "CAST(printf('%032d', id) AS BLOB)",
        Backend::Postgres => "CAST(lpad(CAST(id AS TEXT), 32, '0') AS BYTEA)",
    };
    let columns = "user_id, name, kind, digest, prefix, last_four, created_at, expires_at, revoked_at, last_used_at, made_by, scopes, allowed_networks";
    database
        .sql(&format!(
            "INSERT INTO tokens ({columns}) SELECT id, 'laptop', 'api', {digest}, 'wrd_h3Kd', 'Yc0q', created_at, \
               CASE WHEN id % 500 = 0 THEN created_at END, CASE WHEN id % 500 = 1 THEN created_at END, last_login, 'operator', \
               CASE id % 1000 WHEN 2 THEN 'me_read user_read' WHEN 502 THEN 'me_read' END, \
               CASE id % 1000 WHEN 3 THEN '10.0.0.0/8 192.0.2.0/24' WHEN 503 THEN '192.0.2.0/24' END FROM users"
        ))
        .await;
    if backend == Backend::Postgres {
        database.sql("VACUUM ANALYZE").await;
    }
    database
}

async fn token_plans(database: &Database, query: &str) -> [String; 2] {
    let clock = Clock::fixed("2025-01-14T22:00:00Z".parse().unwrap()).unwrap();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let directory = database.open(&clock).await;
    directory.explain_tokens(&operator(), &TokenQuery::parse(&pairs).unwrap()).await.unwrap()
}

/// Whether a plan of tokens reads the whole table, or sorts.
fn is_slow(plan: &str) -> bool {
    let plan = format!("{plan}\n");
    ["SCAN t\n", "Seq Scan on tokens", "TEMP B-TREE FOR ORDER BY"].iter().any(|slow| plan.contains(slow))
}

both! {
    /// The list of the tokens of all users is read in the order of their ids, and few tokens are found by an index.
    async fn tokens_are_read_along_indexes(backend: Backend) {
        let database = filled_with_tokens(backend, 20_000).await;
        for (query, index) in [
            ("user_id=7", "tokens_by_user"),
            ("id_min=10&id_max=12", "pkey"),
            ("expires_date=2025-01-03", "tokens_by_end"),
            ("expires_to=2025-01-02", "tokens_by_end"),
            ("user_id=7&kind=api&has_expiry=0&is_used=0", "tokens_by_user"),
            ("state=revoked", "tokens_by_revocation"),
            ("has_scopes=1", "tokens_with_scopes"),
            ("scope=user_read", "tokens_with_scopes"),
            ("scope=user_read&state=active&has_expiry=0", "tokens_with_scopes"),
            ("has_networks=1", "tokens_with_networks"),
            ("kind=browser&state=active", "tokens_of_sign_ins"),
            ("kind=sign_in", "tokens_of_sign_ins"),
            ("network=10.0.0.0/8", "tokens_with_networks"),
        ] {
            let [_, count] = token_plans(&database, query).await;
            let serves = match (backend, index) {
                (Backend::Sqlite, "pkey") => count.contains("USING INTEGER PRIMARY KEY"),
                (Backend::Postgres, "pkey") => count.contains("tokens_pkey"),
                (_, index) => count.contains(index),
            };
            assert!(serves && !is_slow(&count), "{query}: {count}");
        }
        // The order of the ids: the first page and a late one, with filters that most tokens pass.
        for query in ["cursor=", "ordering=-id&cursor=", "state=active&limit=50", "has_expiry=0&is_used=1&limit=50", "unused_since=2025-01-15&kind=api&limit=50", "is_used=0&limit=50",
            "has_scopes=0&has_networks=0&read_only=0&limit=50"] {
            let [page, _] = token_plans(&database, query).await;
            let along = match backend {
                // SQLite calls walking along the table in its own order a scan. It sorts the few ids of the page again.
                Backend::Sqlite => page.contains("SCAN t") || page.contains("SEARCH t"),
                Backend::Postgres => page.contains("tokens_pkey"),
            };
            let sorts_all = page.contains("Seq Scan on tokens") || page.matches("TEMP B-TREE FOR ORDER BY").count() > 1;
            assert!(along && !sorts_all, "{query}: {page}");
        }
    }
}

both! {
    /// A page beyond a cursor begins at its place in the index.
    async fn a_late_page_of_tokens_begins_in_the_index(backend: Backend) {
        let database = filled_with_tokens(backend, 20_000).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let first = [("cursor".to_owned(), String::new())];
        let page = directory.list_tokens(&operator(), &TokenQuery::parse(&first).unwrap()).await.unwrap();
        let Some(wardroom::directory::query::PageLink::Cursor(next)) = page.next else { panic!("no cursor") };
        let [plan, _] = token_plans(&database, &format!("cursor={next}")).await;
        let begins = match backend {
            Backend::Sqlite => plan.contains("SEARCH t USING INTEGER PRIMARY KEY (rowid>?)"),
            Backend::Postgres => plan.contains("tokens_pkey") && plan.contains("Index Cond"),
        };
        assert!(begins, "{plan}");
    }
}

/// Whether a plan reads a large table from end to end, or sorts it.
fn reads_all(plan: &str) -> bool {
    let tables = ["users", "tokens", "audit_events", "memberships", "activity"];
    let aliases = ["users", "u", "tokens", "t", "audit_events", "memberships", "own", "activity"];
    // SQLite calls walking along the rows in their own order a scan, too: without a sort, the limit ends it.
    let is_sorted = plan.contains("TEMP B-TREE FOR ORDER BY");
    let is_scanned = |table: &&str| plan.lines().any(|line| line.trim() == format!("SCAN {table}"));
    tables.iter().any(|table| plan.contains(&format!("Seq Scan on {table}")))
        || (is_sorted && aliases.iter().any(is_scanned))
}

/// An audit trail in which few events have any special property.
async fn filled_with_events(backend: Backend, events: i64) -> Database {
    let database = filled(backend, 20_000).await;
    let numbers = match backend {
        Backend::Sqlite => {
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events})")
        }
        Backend::Postgres => format!("WITH n (i) AS (SELECT generate_series(1::bigint, {events}))"),
    };
    let bytes = match backend {
        Backend::Sqlite => "x'00'",
        Backend::Postgres => "'\\x00'::bytea",
    };
    database.sql(&format!(
        "INSERT INTO audit_events (at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, changes, address, previous_hash, hash) \
         {numbers} SELECT 1735689600000000 + i * 1000000, 'person', i % 1000 + 1, 'user' || (i % 1000 + 1), \
           CASE WHEN i % 500 = 0 THEN 'user.create' ELSE 'user.update' END, 'user', i % 20000 + 1, 'user' || (i % 20000 + 1), '{{}}', '10.0.' || (i % 250) || '.7', {bytes}, {bytes} FROM n"
    )).await;
    database.sql("INSERT INTO activity (span, starts_at, kind, count) SELECT 'hour', 1740866400000000 - id * 3600000000, 'key.unknown', 1 FROM users").await;
    if backend == Backend::Postgres {
        database.sql("VACUUM ANALYZE").await;
    }
    database
}

both! {
    /// A page of the audit trail is read along an index, whatever its filter by a name, and a late page like the first one.
    async fn events_are_read_along_indexes(backend: Backend) {
        let database = filled_with_events(backend, 50_000).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let filter = AuditFilter::default;
        let name = || Some("user7".to_owned());
        let early = Some("2025-01-01T00:10:00Z".parse().unwrap());
        // PostgreSQL knows that nearly all events have this action, and may read along the times alone.
        let by_action_and_time = if backend == Backend::Sqlite { vec!["audit_events_by_action_and_time"] } else { vec![] };
        for (filter, indexes) in [
            (filter(), vec![]),
            (AuditFilter { before: Some(100), ..filter() }, vec![]),
            (AuditFilter { action: Some("user.create".to_owned()), ..filter() }, vec!["audit_events_by_action"]),
            (AuditFilter { actor_id: Some(7), ..filter() }, vec!["audit_events_by_actor"]),
            (AuditFilter { actor_name: name(), ..filter() }, vec!["audit_events_by_actor_name", "audit_events_by_actor"]),
            (AuditFilter { actor_name: name(), before: Some(20_000), ..filter() }, vec!["audit_events_by_actor_name"]),
            (AuditFilter { object_name: name(), ..filter() }, vec!["audit_events_by_object_name", "audit_events_by_object"]),
            (AuditFilter { object_kind: Some("user".to_owned()), object_id: Some(7), ..filter() }, vec!["audit_events_by_object"]),
            (AuditFilter { address: Some("10.0.0.7".to_owned()), ..filter() }, vec!["audit_events_by_address"]),
            (AuditFilter { to: early, ..filter() }, vec!["audit_events_by_time"]),
            (AuditFilter { from: early, ..filter() }, vec!["audit_events_by_time"]),
            (AuditFilter { to: early, before: Some(300), ..filter() }, vec!["audit_events_by_time"]),
            (AuditFilter { action: Some("user.update".to_owned()), to: early, ..filter() }, by_action_and_time.clone()),
            (AuditFilter { action: Some("user.update".to_owned()), to: early, before: Some(300), ..filter() }, by_action_and_time),
        ] {
            let plan = directory.explain_audit(&operator(), &filter).await.unwrap();
            for index in indexes {
                assert!(plan.contains(index), "{filter:?} is not served by {index}:\n{plan}");
            }
            assert!(!reads_all(&plan), "{filter:?}:\n{plan}");
            let found = directory.audit_events(&operator(), &filter, 51).await.unwrap();
            assert!(!found.is_empty() && found.windows(2).all(|two| two[0].id > two[1].id), "{filter:?}");
            assert!(found.iter().all(|event| filter.actor_name.as_ref().is_none_or(|name| *name == event.event.actor_name)));
        }
    }
}

both! {
    /// The statements that only the admin site has read ranges of indexes.
    async fn statements_of_the_site_read_along_indexes(backend: Backend) {
        let database = filled_with_events(backend, 1000).await;
        let digest = match backend {
            Backend::Sqlite => "CAST(printf('%032d', id) AS BLOB)",
            Backend::Postgres => "CAST(lpad(CAST(id AS TEXT), 32, '0') AS BYTEA)",
        };
        // Nearly all tokens are of sign-ins that end soon, or were used.
        database.sql(&format!(
            "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, expires_at, last_used_at, made_by) \
             SELECT id, 'x', CASE WHEN id % 2 = 0 THEN 'sign_in' ELSE 'api' END, {digest}, 'wrd_h3Kd', 'Yc0q', created_at, \
               CASE WHEN id % 2 = 0 THEN created_at END, CASE WHEN id % 500 <> 1 THEN created_at END, 'operator' FROM users"
        )).await;
        if backend == Backend::Postgres {
            database.sql("VACUUM ANALYZE").await;
        }
        let clock = Clock::fixed("2025-03-01T22:00:00Z".parse().unwrap()).unwrap();
        let directory = database.open(&clock).await;
        let of = (2.try_into().unwrap(), 1.try_into().unwrap(), 15_000.try_into().unwrap());
        let plans = directory.explain_site(&operator(), of).await.unwrap();
        assert_eq!(plans.len(), 7);
        for (name, plan) in &plans {
            assert!(!reads_all(plan), "{name}:\n{plan}");
            let indexes: &[&str] = match *name {
                "users online" => &["users_by_last_seen_at"],
                "tokens of note" => &["tokens_lasting_by_end", "tokens_never_used"],
                _ => &[],
            };
            assert!(indexes.iter().all(|index| plan.contains(index)), "{name}:\n{plan}");
        }
    }
}

both! {
    /// How long the lists take on a large account database. Run it by hand (`scripts/test --release --test it --
    /// --ignored --nocapture a_large_list`).
    #[ignore = "measures, and takes minutes"]
    async fn a_large_list_is_timed(backend: Backend) {
        let database = filled(backend, 200_000).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        for query in [
            "", "cursor=", "offset=190000", "limit=1000", "search=xyzzy", "search=lee", "search=zz", "ordering=-last_login",
            "ordering=gender,username", "has_first_name=0", "has_token=1", "has_groups=0", "gender=other", "created_date=2025-02-01",
        ] {
            let pairs: Vec<_> = query.split_once('=').into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let query = UserQuery::parse(&pairs).unwrap();
            let started = std::time::Instant::now();
            for _ in 0..5 {
                directory.list_users(&operator(), &query).await.unwrap();
            }
            report(&format!("{backend:?} {pairs:?}: {:?}", started.elapsed() / 5));
        }
    }
}

#[expect(clippy::print_stdout, reason = "the person who runs it reads the measurement")]
fn report(line: &str) {
    println!("{line}");
}
