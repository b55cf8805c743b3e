//! Lists of users that are answered with bitmaps: whatever was written, and by whom, they show what a plain scan finds.

use std::cmp::Ordering;
use std::time::Duration;

use wardroom::directory::model::{GroupId, Timestamp, User, UserDraft, UserKey};
use wardroom::directory::query::{PageLink, SortOrder, SortValue, UserColumn, UserFilters, UserQuery};
use wardroom::directory::{Clock, Directory, Settings};

use crate::backup::{archive, text, works};
use crate::support::site::{operator, person};
use crate::support::{Backend, Database, Site, both};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// A user as a scan finds it.
struct Scanned {
    user: User,
    search_key: String,
    /// The ends of tokens that are not revoked.
    tokens: Vec<Option<i64>>,
}

async fn scan(database: &Database, plain: &Directory) -> Vec<Scanned> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let query = UserQuery::by_id(UserFilters::default(), after, 1000);
        let page = plain.list_users(&operator(), &query).await.unwrap();
        let Some(last) = page.rows.last() else { break };
        after = Some(last.id.get());
        rows.extend(page.rows);
    }
    let keys = database.texts("SELECT CAST(id AS TEXT) || ' ' || search_key FROM users").await;
    let tokens = "SELECT CAST(user_id AS TEXT) || ' ' || coalesce(CAST(expires_at AS TEXT), '') FROM tokens WHERE revoked_at IS NULL";
    let tokens = database.texts(tokens).await;
    let of = |list: &[String], user: &User| -> Vec<String> {
        let id = user.id.to_string();
        list.iter()
            .filter_map(|row| row.split_once(' '))
            .filter(|(of, _)| *of == id)
            .map(|(_, rest)| rest.to_owned())
            .collect()
    };
    rows.into_iter()
        .map(|user| Scanned {
            search_key: of(&keys, &user).remove(0),
            tokens: of(&tokens, &user).iter().map(|end| end.parse().ok()).collect(),
            user,
        })
        .collect()
}

const DAY: i64 = 86_400_000_000;

/// Whether a user passes a filter, by its name and value as a request has them.
fn passes(row: &Scanned, name: &str, value: &str, now: Timestamp) -> bool {
    let user = &row.user;
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let flag = |is: bool| is == (value == "true");
    let groups = || {
        value.split(',').map(|id| id.parse::<i64>().unwrap().try_into().unwrap()).collect::<Vec<GroupId>>()
    };
    let day = |at: Timestamp| at.as_micros().div_euclid(DAY);
    let given = || day(format!("{value}T00:00:00Z").parse().unwrap());
    match name {
        "is_active" => flag(user.is_active),
        "is_staff" => flag(user.is_staff),
        "is_admin" => flag(user.is_admin),
        "has_email" => flag(filled(&user.email)),
        "has_avatar" => flag(filled(&user.avatar)),
        "has_phone" => flag(filled(&user.mobile_number)),
        "has_first_name" => flag(!user.first_name.is_empty()),
        "has_last_name" => flag(!user.last_name.is_empty()),
        "has_groups" => flag(!user.groups.is_empty()),
        "has_token" => flag(row.tokens.iter().any(|end| end.is_none_or(|end| end > now.as_micros()))),
        "is_online" => flag(user.is_online(now)),
        "gender" => user.gender.as_deref() == Some(value),
        "group_id" | "groups_in" => groups().iter().any(|group| user.groups.contains(group)),
        "id_min" => user.id.get() >= value.parse::<i64>().unwrap(),
        "id_max" => user.id.get() <= value.parse::<i64>().unwrap(),
        "created_date" => day(user.created_at) == given(),
        "created_from" => day(user.created_at) >= given(),
        "updated_to" => day(user.updated_at) <= given(),
        "last_login_from" => user.last_login.is_some_and(|at| day(at) >= given()),
        "last_login_date" => user.last_login.is_some_and(|at| day(at) == given()),
        "search" => value.split(' ').all(|term| row.search_key.contains(term)),
        "username" => user.username == value,
        other => panic!("{other}"),
    }
}

/// Every filter with values that select some users.
const FILTERS: [(&str, &[&str]); 22] = [
    ("is_active", &["true", "false"]),
    ("is_staff", &["true", "false"]),
    ("is_admin", &["true", "false"]),
    ("has_email", &["true", "false"]),
    ("has_avatar", &["true", "false"]),
    ("has_phone", &["true", "false"]),
    ("has_first_name", &["true", "false"]),
    ("has_last_name", &["true", "false"]),
    ("has_groups", &["true", "false"]),
    ("has_token", &["true", "false"]),
    ("is_online", &["true", "false"]),
    ("gender", &["male", "female", "other"]),
    ("group_id", &["1", "2", "3", "9"]),
    ("groups_in", &["1,2", "2,3,9", "9"]),
    ("id_min", &["3", "20", "1000000"]),
    ("id_max", &["25", "0", "1000001"]),
    ("created_date", &["2025-01-01", "2025-01-03"]),
    ("created_from", &["2025-01-03"]),
    ("updated_to", &["2025-01-04"]),
    ("last_login_from", &["2025-01-02"]),
    ("last_login_date", &["2025-01-02"]),
    ("search", &["ann", "user", "user1", "an", "ann user", "nobody"]),
];

const ORDERS: [&str; 10] = [
    "",
    "-id",
    "username",
    "-email",
    "gender",
    "last_login",
    "-last_login",
    "created_at",
    "-updated_at,username",
    "-gender,-id",
];

fn by_value(one: &SortValue, other: &SortValue) -> Ordering {
    match (one, other) {
        (SortValue::Number(one), SortValue::Number(other)) => one.cmp(other),
        (SortValue::Text(one), SortValue::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (SortValue::Null, SortValue::Null) => Ordering::Equal,
        (SortValue::Null, _) => Ordering::Less,
        (_, _) => Ordering::Greater,
    }
}

/// The ids of the users that pass, in an order.
fn expected(rows: &[Scanned], filters: &[(&str, &str)], order: &str, now: Timestamp) -> Vec<i64> {
    let order = SortOrder::<UserColumn>::parse(order).unwrap();
    let passing = rows.iter().filter(|row| filters.iter().all(|(name, value)| passes(row, name, value, now)));
    let mut found: Vec<_> = passing.map(|row| (order.values(&row.user), row.user.id.get())).collect();
    found.sort_by(|(one, _), (other, _)| {
        let columns = order.columns().iter().zip(one.iter().zip(other));
        let mut ways = columns.map(|(sorted, (one, other))| {
            let way = by_value(one, other);
            if sorted.descending { way.reverse() } else { way }
        });
        ways.find(|way| way.is_ne()).unwrap_or(Ordering::Equal)
    });
    found.into_iter().map(|(_, id)| id).collect()
}

async fn page(
    directory: &Directory,
    pairs: &[(&str, &str)],
) -> (Vec<i64>, Option<u64>, Option<PageLink>, Option<PageLink>) {
    let owned: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let page = directory.list_users(&operator(), &UserQuery::parse(&owned).unwrap()).await.unwrap();
    (page.rows.iter().map(|user| user.id.get()).collect(), page.count, page.next, page.previous)
}

/// Compares one list with the scan: a page at an offset, with its count and without, and all pages by cursor, both ways.
async fn compare(
    directory: &Directory,
    rows: &[Scanned],
    filters: &[(&str, &str)],
    order: &str,
    dice: &mut Dice,
    now: Timestamp,
) {
    let expected = expected(rows, filters, order, now);
    let (limit, offset) = (3 + dice.roll(9), dice.roll(expected.len() as u64 + 3));
    let (limit_text, offset_text) = (limit.to_string(), offset.to_string());
    let mut pairs = filters.to_vec();
    pairs.extend([("ordering", order), ("limit", limit_text.as_str())]);
    let from = usize::try_from(offset).unwrap().min(expected.len());
    let to = (from + usize::try_from(limit).unwrap()).min(expected.len());
    let at = [&pairs[..], &[("offset", &offset_text)]].concat();
    let (found, count, next, _) = page(directory, &at).await;
    assert_eq!(found, expected[from..to], "{at:?}");
    assert_eq!(count, Some(expected.len() as u64), "{at:?}");
    assert_eq!(next.is_some(), to < expected.len(), "{at:?}");
    let uncounted = [&at[..], &[("count", "none")]].concat();
    let (found, count, again, _) = page(directory, &uncounted).await;
    assert_eq!((found.as_slice(), count, again), (&expected[from..to], None, next), "{uncounted:?}");
    let (mut forward, mut cursor, mut last) = (Vec::new(), String::new(), String::new());
    loop {
        let (found, count, next, _) = page(directory, &[&pairs[..], &[("cursor", &cursor)]].concat()).await;
        assert_eq!(count, None);
        forward.extend(found);
        match next {
            Some(PageLink::Cursor(next)) => last = std::mem::replace(&mut cursor, next),
            None => break,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(forward, expected, "{pairs:?}");
    // Back from the last page but one.
    let (_, _, _, previous) = page(directory, &[&pairs[..], &[("cursor", &last)]].concat()).await;
    if let Some(PageLink::Cursor(previous)) = previous {
        let (found, ..) = page(directory, &[&pairs[..], &[("cursor", &previous)]].concat()).await;
        let place = expected.iter().position(|id| Some(id) == found.first()).unwrap();
        assert_eq!(found, expected[place..place + found.len()], "{pairs:?} back");
    }
}

/// A statement of an operator that knows nothing of this program.
fn statement(backend: Backend, dice: &mut Dice) -> String {
    let (user, group, day) = (1 + dice.roll(30), 1 + dice.roll(3), 1 + dice.roll(6));
    let at = 1_735_689_600_000_000
        + i64::try_from(day).unwrap() * DAY
        + i64::try_from(dice.roll(DAY.unsigned_abs())).unwrap();
    let new = 1_000_000 + dice.roll(20);
    let row = |id: u64| {
        format!(
            "INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, is_staff, is_admin, created_at, updated_at, search_key) \
                 VALUES ({id}, 'user{id}', 'user{id}', '', 'Ann', '', '!', TRUE, FALSE, FALSE, {at}, {at}, 'user{id} ann')"
        )
    };
    let digest = match backend {
        Backend::Sqlite => format!("x'{:016x}'", dice.roll(u64::MAX)),
        Backend::Postgres => format!("'\\x{:016x}'", dice.roll(u64::MAX)),
    };
    match dice.roll(18) {
        0 => format!("UPDATE users SET is_active = NOT is_active WHERE id % 7 = {user} % 7"),
        1 => format!("UPDATE users SET is_staff = NOT is_staff, gender = 'other' WHERE id = {user}"),
        2 => format!("UPDATE users SET last_login = {at} WHERE id % 5 = {user} % 5"),
        3 => format!("UPDATE users SET created_at = {at}, updated_at = {at} WHERE id = {user}"),
        4 => {
            format!("UPDATE users SET last_login = NULL, avatar = 'a.png', first_name = '' WHERE id = {user}")
        }
        5 => format!(
            "INSERT INTO memberships SELECT id, {group} FROM users WHERE id % 3 = {user} % 3 ON CONFLICT DO NOTHING"
        ),
        6 => format!("DELETE FROM memberships WHERE group_id = {group} AND user_id % 4 = {user} % 4"),
        7 => format!(
            "UPDATE memberships SET group_id = 9 WHERE user_id = {user} AND group_id = {group} \
                      AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.user_id = {user} AND o.group_id = 9)"
        ),
        8 => format!(
            "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, expires_at) SELECT id, 't', 'api', {digest}, '', '', 0, {at} FROM users WHERE id = {user}"
        ),
        9 => format!("UPDATE tokens SET revoked_at = 1 WHERE user_id % 4 = {user} % 4"),
        10 => format!("UPDATE tokens SET revoked_at = NULL, expires_at = NULL WHERE user_id = {user}"),
        11 => format!("DELETE FROM tokens WHERE user_id = {user}"),
        12 => format!("INSERT {} ON CONFLICT DO NOTHING", row(new)),
        13 => format!("DELETE FROM users WHERE id = {new}"),
        14 => format!("UPDATE users SET search_key = 'user{user} xyzzy' WHERE id = {user}"),
        15 if backend == Backend::Sqlite => format!(
            "REPLACE {}",
            row(new).replace(&format!("({new}, 'user{new}'"), &format!("({}, 'user{new}'", new + 1))
        ),
        16 if backend == Backend::Sqlite => {
            format!(
                "UPDATE OR REPLACE users SET username = 'user{new}' WHERE id = {}",
                1_000_000 + dice.roll(20)
            )
        }
        15 | 16 => format!("UPDATE users SET last_seen_at = {at} WHERE id = {user}"),
        _ => format!(
            "UPDATE users SET id = {} WHERE id = {new} AND NOT EXISTS (SELECT 1 FROM users WHERE id = {}) AND NOT EXISTS (SELECT 1 FROM memberships WHERE user_id = {new})",
            new + 100,
            new + 100
        ),
    }
}

/// What happens seldom.
async fn accident(database: &Database, turn: u64) {
    let both = |sqlite: &'static str, postgres: &'static str| {
        if database.backend() == Backend::Sqlite { sqlite } else { postgres }
    };
    match turn {
        5 => database.sql(both("DELETE FROM memberships", "TRUNCATE memberships")).await,
        8 => _ = works(database, &["user", "add", "by-command", "--staff", "--first-name", "Ann"]),
        11 => {
            let people = database.place().join("people.csv");
            std::fs::write(&people, "username,first_name\nimported1,Ann\nimported2,Bob\n").unwrap();
            works(database, &["import", "csv", "--from", text(&people)]);
        }
        14 => database.sql(both("DELETE FROM tokens", "TRUNCATE tokens")).await,
        // As if another history had reached the same number by other changes.
        17 => {
            let number = database.number("SELECT max(id) FROM identity_changes").await;
            let columns = both("(id, scope)", "(id, scope) OVERRIDING SYSTEM VALUE");
            database
                .sql(&format!(
                    "UPDATE users SET is_active = NOT is_active; DELETE FROM identity_changes WHERE id >= {number}; \
                     INSERT INTO identity_changes {columns} VALUES ({number}, 'tokens')"
                ))
                .await;
        }
        20 if database.backend() == Backend::Postgres => {
            let file = archive(database);
            works(database, &["backup", text(&file)]);
            database.sql("UPDATE users SET gender = 'male', first_name = 'Later', last_login = 5").await;
            works(database, &["restore", text(&file), "--replace"]);
        }
        _ => {}
    }
}

async fn without_bitmaps(database: &Database, clock: &Clock) -> Directory {
    let settings = Settings { list_bitmaps_bytes: 0, ..database.settings() };
    Directory::open(&settings, clock.clone()).await.unwrap()
}

/// Users of all kinds, and groups.
async fn fill(database: &Database, clock: &Clock) {
    let writer = without_bitmaps(database, clock).await;
    database.sql("INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) \
                  VALUES (1, 'a', 'a', '', 0, 0, ''), (2, 'b', 'b', '', 0, 0, ''), (3, 'c', 'c', '', 0, 0, ''), (9, 'd', 'd', '', 0, 0, '')").await;
    for number in 0_u32..25 {
        person(&writer, &format!("user{number}"), |draft| {
            draft.first_name = Some(if number % 2 == 0 { "Ann" } else { "Bob" }.to_owned());
            draft.email = (number % 3 == 0).then(|| Some(format!("u{number}@example.com")));
            draft.is_staff = Some(number % 4 == 0);
        })
        .await;
    }
    writer.close().await.unwrap();
}

both! {
    /// Every filter, alone and with others, in every order and on every page, after random writes by every kind of writer.
    async fn lists_show_what_a_scan_finds(backend: Backend) {
        const TURNS: u64 = 22;
        let database = Database::new(backend).await;
        let clock = Clock::fixed("2025-01-05T12:00:00Z".parse().unwrap()).unwrap();
        fill(&database, &clock).await;
        let (indexed, plain) = (database.open(&clock).await, without_bitmaps(&database, &clock).await);
        assert!(indexed.build_list_bitmaps().await.unwrap());
        let (mut dice, mut stood) = (Dice(42), 0);
        for turn in 0..TURNS {
            for _ in 0..dice.roll(4) {
                let sql = statement(backend, &mut dice);
                database.sql(&sql).await;
            }
            if turn % 3 == 0 {
                let key = UserKey::Name("user3".to_owned());
                let draft = UserDraft { last_name: Some(format!("L{turn}")), is_admin: Some(turn % 2 == 0), ..UserDraft::default() };
                // Any other process; the user may be gone.
                let _ = plain.update_user(&operator(), &key, &draft, None).await;
            }
            accident(&database, turn).await;
            // The clock goes on, and is set back now and then.
            let now: Timestamp = format!("2025-01-0{}T{:02}:00:00Z", 5 + turn / 13, (turn * 5 + dice.roll(3)) % 24).parse().unwrap();
            clock.set(now);
            let rows = scan(&database, &plain).await;
            for filter in 0..FILTERS.len() {
                let mut filters = Vec::new();
                for place in [filter, usize::try_from(dice.roll(FILTERS.len() as u64)).unwrap()] {
                    let (name, values) = FILTERS[place];
                    if filters.iter().all(|(known, _)| *known != name) {
                        filters.push((name, *dice.pick(values)));
                    }
                }
                filters.truncate(1 + usize::try_from(dice.roll(2)).unwrap());
                compare(&indexed, &rows, &filters, dice.pick::<&str>(&ORDERS), &mut dice, now).await;
            }
            compare(&indexed, &rows, &[], dice.pick::<&str>(&ORDERS), &mut dice, now).await;
            stood += u64::from(indexed.list_bitmaps().is_some());
            if indexed.list_bitmaps().is_none() {
                assert!(indexed.build_list_bitmaps().await.unwrap());
            }
        }
        assert!(stood > TURNS / 2, "the bitmaps stood in {stood} of {TURNS} turns");
    }
}

both! {
    /// The same users and rights as before: the bitmaps stay. Only what may concern any user drops them.
    async fn bitmaps_stay_while_rights_change(backend: Backend) {
        let site = Site::start(backend).await;
        let list = async |query: &str| site.get(&format!("/api/users?{query}")).token(&site.admin.key).send().await.json()["count"].as_u64().unwrap();
        assert_eq!(list("is_staff=true").await, 4);
        for change in [
            "INSERT INTO group_permissions (group_id, permission_id) VALUES (3, 5)",
            "DELETE FROM group_permissions WHERE group_id = 3",
            "UPDATE groups SET name = 'New' WHERE id = 3",
            "UPDATE permissions SET name = 'renamed' WHERE id = 14",
            "UPDATE users SET is_staff = TRUE WHERE username = 'plain'",
        ] {
            site.database.sql(change).await;
            let _ = list("is_staff=true").await;
            assert!(site.directory().list_bitmaps().is_some(), "{change}");
        }
        assert_eq!(list("is_staff=true").await, 5);
        site.database.sql("INSERT INTO identity_changes (scope) VALUES ('all')").await;
        assert_eq!(list("is_staff=true").await, 5);
        assert_eq!(site.directory().list_bitmaps(), None);
    }
}

both! {
    /// With bitmaps a count reads no users: a list costs the statements of its page, and a look at the feed.
    async fn a_count_is_no_statement(backend: Backend) {
        let site = Site::start(backend).await;
        let plain = without_bitmaps(&site.database, &site.clock).await;
        let query = [("is_active", "true"), ("limit", "2")];
        let reads = async |directory: &Directory| {
            let before = directory.counters().reads.get();
            assert_eq!(page(directory, &query).await.1, Some(5));
            directory.counters().reads.get() - before
        };
        let indexed = site.database.open(&site.clock).await;
        assert!(indexed.build_list_bitmaps().await.unwrap());
        assert_eq!((reads(&indexed).await, reads(&plain).await), (2, 2));
        // The page beyond the end has no row to read.
        let beyond = [("is_active", "true"), ("offset", "7")];
        let before = indexed.counters().reads.get();
        assert_eq!(page(&indexed, &beyond).await.1, Some(5));
        assert_eq!(indexed.counters().reads.get() - before, 1);
    }
}

both! {
    /// Bitmaps that would take more than the setting allows are not kept, and with 0 there are none.
    async fn the_memory_is_bounded(backend: Backend) {
        let site = Site::start(backend).await;
        assert!(site.directory().list_bitmaps().is_some_and(|bytes| bytes < 64 << 10));
        for bytes in [0, 100] {
            let settings = Settings { list_bitmaps_bytes: bytes, ..site.database.settings() };
            let small = Directory::open(&settings, site.clock.clone()).await.unwrap();
            assert!(!small.build_list_bitmaps().await.unwrap());
            assert_eq!(small.list_bitmaps(), None);
            assert_eq!(page(&small, &[("is_staff", "true")]).await.1, Some(4));
        }
    }
}

both! {
    /// Whether a token is valid is decided at the time of the request, without any change of the database.
    async fn expired_tokens_count_no_more(backend: Backend) {
        let site = Site::start(backend).await;
        let at = site.clock.now().as_micros();
        site.database.sql(&format!("UPDATE tokens SET expires_at = {} WHERE user_id = 42", at + 60_000_000)).await;
        let count = async || page(site.directory(), &[("has_token", "true")]).await.1.unwrap();
        let all = count().await;
        for (seconds, gone) in [(59, 0), (60, 1), (61, 1), (30, 0), (3600, 1)] {
            site.clock.set(Timestamp::from_micros(at + seconds * 1_000_000).unwrap());
            assert_eq!(count().await, all - gone, "after {seconds} s");
        }
        assert!(site.directory().list_bitmaps().is_some());
        // A clock that is set back by days: what was forgotten is read again.
        site.clock.set(Timestamp::from_micros(at - 3 * DAY).unwrap());
        assert_eq!(count().await, all);
    }
}

both! {
    /// A list that takes too long ends with 503, and says what it was narrowed by.
    async fn a_list_over_its_time_names_its_filters(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.list_timeout = Duration::from_millis(1)).await;
        // Reading 40 MB of text takes longer, on any machine.
        let (numbers, text) = match backend {
            Backend::Sqlite => ("WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 20999)", "replace(hex(zeroblob(1000)), '0', 'a')"),
            Backend::Postgres => ("WITH n (i) AS (SELECT generate_series(1000, 20999))", "repeat('a', 2000)"),
        };
        site.database.sql(&format!(
            "INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, is_staff, is_admin, created_at, updated_at, search_key) \
             {numbers} SELECT i, 'u' || i, 'u' || i, '', '', '', '!', TRUE, TRUE, FALSE, 0, 0, {text} FROM n"
        )).await;
        let refused = site.get("/api/users?search=x,y&is_staff=true&ordering=email").token(&site.admin.key).send().await;
        assert_eq!(refused.status, 503, "{refused}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("search, is_staff, ordering") && detail.contains("count=none"), "{detail}");
        // Its time is over for the database, too: other requests go on.
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
        assert_eq!(site.get("/api/users/42").token(&site.admin.key).send().await.status, 200);
    }
}

both! {
    /// Without its count a list says null, and its links still lead on.
    async fn a_list_without_its_count(backend: Backend) {
        let site = Site::start(backend).await;
        let answer = site.get("/api/users?limit=2&count=none").token(&site.admin.key).send().await.json();
        assert_eq!(answer["count"], serde_json::Value::Null);
        let next = answer["next"].as_str().unwrap();
        assert!(next.contains("count=none") && next.contains("offset=2"), "{next}");
        let refused = site.get("/api/users?count=all").token(&site.admin.key).send().await;
        assert_eq!((refused.status, refused.json()["count"][0].as_str()), (400, Some("\"all\" is not a valid choice.")));
    }
}
