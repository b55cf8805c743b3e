//! `GET /api/users`: filters, search, order, pages, and every invalid query.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wardroom::directory::model::{GroupId, User};
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};

use crate::support::site::{imported, moment, operator};
use crate::support::{Answer, Backend, Site, both};

async fn list(site: &Site, query: &str) -> Answer {
    site.get(&format!("/api/users?{query}")).token(&site.holder.key).send().await
}

fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Returns the path and query of a link.
fn target(link: &Value) -> Option<String> {
    let link = link.as_str()?;
    Some(link.strip_prefix("http://localhost").expect("the link is absolute").to_owned())
}

/// Users from id 100 on, who differ in everything that a list looks at.
fn people() -> Vec<User> {
    let at = |text: &str| Some(moment(text));
    let groups = |ids: &[i64]| -> Vec<GroupId> { ids.iter().map(|id| (*id).try_into().unwrap()).collect() };
    let text = |text: &str| Some(text.to_owned());
    let long_ago = moment("2020-02-29T23:59:59.999999Z");
    vec![
        User {
            first_name: "Élise".into(),
            last_name: "Straße".into(),
            email: text("elise@école.example"),
            ..imported(100, "Zed")
        },
        User {
            first_name: "ΣΊΣΥΦΟΣ".into(),
            gender: text("male"),
            groups: groups(&[1]),
            last_login: at("2021-05-05T00:00:00Z"),
            ..imported(101, "anna")
        },
        User {
            last_name: "50%_off".into(),
            gender: text("female"),
            groups: groups(&[1, 7]),
            mobile_number: text("+49 711 99"),
            ..imported(102, "Anna2")
        },
        User {
            avatar: text("a.png"),
            email: text(""),
            gender: text("other"),
            groups: groups(&[7]),
            last_login: at("2021-05-04T23:59:59.999999Z"),
            ..imported(103, "bob")
        },
        User {
            avatar: text(""),
            mobile_number: text(""),
            is_active: false,
            is_staff: false,
            created_at: long_ago,
            ..imported(104, "BOB2")
        },
        User {
            is_admin: true,
            email: text("Bob@example.com"),
            updated_at: moment("2020-03-01T00:00:00Z"),
            gender: text(""),
            ..imported(105, "émile")
        },
    ]
}

async fn peopled(backend: Backend) -> Site {
    let site = Site::start(backend).await;
    let users = people().into_iter().map(|user| SeedUser { user, password: "!".into() }).collect();
    site.directory().seed(&operator(), SeedRows { users, ..SeedRows::default() }).await.unwrap();
    let now = site.clock.now().as_micros();
    let seen = |id: i64, ago: i64| format!("UPDATE users SET last_seen_at = {} WHERE id = {id};", now - ago);
    site.database.sql(&(seen(101, 300_000_000) + &seen(102, 300_000_001) + &seen(103, 0))).await;
    let token = |id: i64, ends: &str, revoked: &str, digest: char| {
        format!(
            "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, expires_at, revoked_at) \
                 VALUES ({id}, 't', 'api', {}, 'p', 'l', 0, {ends}, {revoked});",
            if backend == Backend::Sqlite {
                format!("x'{digest}{digest}'")
            } else {
                format!("'\\x{digest}{digest}'::bytea")
            }
        )
    };
    let (past, future) = (now.to_string(), (now + 1).to_string());
    let tokens = token(100, "NULL", "NULL", 'a')
        + &token(101, &past, "NULL", 'b')
        + &token(102, &future, "NULL", 'c')
        + &token(103, "NULL", &past, 'd');
    site.database.sql(&tokens).await;
    site
}

both! {
    async fn each_filter_keeps_the_users_it_names(backend: Backend) {
        let site = peopled(backend).await;
        for (filter, expected) in [
            ("", &[100, 101, 102, 103, 104, 105][..]),
            ("id_min=104", &[104, 105]),
            ("id_max=101", &[100, 101]),
            ("id_min=103&id_max=101", &[]),
            ("created_date=2020-02-29", &[104]),
            ("created_date=2020-03-01", &[]),
            ("created_from=2020-03-01", &[100, 101, 102, 103, 105]),
            ("created_to=2020-02-29", &[104]),
            ("created_from=2020-01-01&created_to=2020-02-28", &[]),
            ("updated_date=2020-03-01", &[105]),
            ("updated_from=2020-03-02", &[100, 101, 102, 103, 104]),
            ("updated_to=2020-03-01", &[105]),
            ("last_login_date=2021-05-04", &[103]),
            ("last_login_from=2021-05-05", &[101]),
            ("last_login_to=2021-05-05", &[101, 103]),
            ("has_email=true", &[100, 105]),
            ("has_email=0", &[101, 102, 103, 104]),
            ("has_avatar=TRUE", &[103]),
            ("has_avatar=false", &[100, 101, 102, 104, 105]),
            ("has_phone=1", &[102]),
            ("has_phone=False", &[100, 101, 103, 104, 105]),
            ("has_token=1", &[100, 102]),
            ("has_token=0", &[101, 103, 104, 105]),
            ("has_first_name=1", &[100, 101]),
            ("has_first_name=0", &[102, 103, 104, 105]),
            ("has_last_name=1", &[100, 102]),
            ("has_last_name=0", &[101, 103, 104, 105]),
            ("has_groups=1", &[101, 102, 103]),
            ("has_groups=0", &[100, 104, 105]),
            ("is_active=1", &[100, 101, 102, 103, 105]),
            ("is_active=0", &[104]),
            ("is_staff=0", &[104]),
            ("is_staff=1", &[100, 101, 102, 103, 105]),
            ("is_admin=1", &[105]),
            ("is_admin=0", &[100, 101, 102, 103, 104]),
            ("is_online=1", &[101, 103]),
            ("is_online=0", &[100, 102, 104, 105]),
            ("username=anna", &[101]),
            ("username=ANNA", &[]),
            ("email=bob@EXAMPLE.com", &[105]),
            ("email=ELISE@%C3%89cole.example", &[100]),
            ("mobile_number=%2B49%20711%2099", &[102]),
            ("mobile_number=%2B49", &[]),
            ("username=anna&is_active=0", &[]),
            ("gender=female", &[102]),
            ("gender=non-binary", &[]),
            ("group_id=1", &[101, 102]),
            ("group_id=99", &[]),
            ("groups_in=7,99,7", &[102, 103]),
            ("groups_in=1,7&gender=male&has_token=0", &[101]),
        ] {
            let floor = if filter.contains("id_min") { "" } else { "&id_min=100" };
            let answer = list(&site, &format!("{filter}{floor}")).await;
            assert_eq!(ids(&answer), expected, "{filter}");
            assert_eq!(answer.json()["count"], expected.len(), "{filter}");
            let cursor = list(&site, &format!("{filter}{floor}&cursor=")).await;
            assert_eq!(ids(&cursor), expected, "{filter}");
            // The spellings of version 0.1 mean the same.
            let old = filter.replace("_from=", "_date_from=").replace("_to=", "_date_to=");
            assert_eq!(ids(&list(&site, &format!("{old}{floor}")).await), expected, "{old}");
        }
    }
}

both! {
    async fn a_search_finds_every_term_in_every_script(backend: Backend) {
        let site = peopled(backend).await;
        for (search, expected) in [
            ("", &[100, 101, 102, 103, 104, 105][..]),
            ("%C3%89LISE", &[100]),
            ("strasse", &[100]),
            ("STRA%E1%BA%9EE", &[100]),
            ("e%CC%81lise", &[100]),
            ("%CF%83%CE%AF%CF%83%CF%85%CF%86%CE%BF%CF%82", &[101]),
            ("%CF%83%CE%AF", &[101]),
            ("%C3%89", &[100, 105]),
            ("ANNA", &[101, 102]),
            ("anna+50", &[102]),
            ("anna,50", &[102]),
            ("%2C+anna%2C%09bob", &[]),
            ("b@exam", &[105]),
            ("711", &[102]),
            ("103", &[103]),
            ("%25", &[102]),
            ("_", &[102]),
            ("%5C", &[]),
            ("50%25_", &[102]),
            ("z%1Fe", &[100]),
            ("zedelise", &[]),
            ("an%22na", &[]),
            ("bob2", &[104]),
            ("ob", &[103, 104, 105]),
            ("xyzzy", &[]),
        ] {
            let answer = list(&site, &format!("id_min=100&search={search}")).await;
            assert_eq!(ids(&answer), expected, "{search}");
            assert_eq!(answer.json()["count"], expected.len(), "{search}");
        }
        // A changed user is found only by the new words.
        site.request("PATCH", "/api/users/103").token(&site.admin.key)
            .body("application/json", r#"{"first_name": "Łukasz"}"#).send().await;
        assert_eq!(ids(&list(&site, "search=%C5%81UKA").await), [103]);
    }
}

both! {
    /// Nulls first, folded text, the id last: the same on both databases, forwards and backwards.
    async fn every_order_is_the_same_everywhere(backend: Backend) {
        let site = peopled(backend).await;
        for (ordering, expected) in [
            ("id", [100, 101, 102, 103, 104, 105]),
            ("", [100, 101, 102, 103, 104, 105]),
            ("-id", [105, 104, 103, 102, 101, 100]),
            ("username", [101, 102, 103, 104, 100, 105]),
            ("-username", [105, 100, 104, 103, 102, 101]),
            ("email", [101, 102, 103, 104, 105, 100]),
            ("-email", [100, 105, 104, 103, 102, 101]),
            ("gender", [100, 104, 105, 102, 101, 103]),
            ("-gender", [103, 101, 102, 105, 104, 100]),
            ("last_login", [100, 102, 104, 105, 103, 101]),
            ("-last_login", [101, 103, 105, 104, 102, 100]),
            ("created_at", [104, 100, 101, 102, 103, 105]),
            ("-created_at", [105, 103, 102, 101, 100, 104]),
            ("updated_at", [105, 100, 101, 102, 103, 104]),
            ("-updated_at", [104, 103, 102, 101, 100, 105]),
            ("-created_at,last_login,-username", [105, 100, 102, 103, 101, 104]),
            ("gender,-id,username", [104, 100, 105, 102, 101, 103]),
        ] {
            assert_eq!(ids(&list(&site, &format!("id_min=100&ordering={ordering}")).await), expected, "{ordering}");
            for limit in [1, 2, 4] {
                let (forth, back) = walk(&site, &format!("id_min=100&ordering={ordering}&limit={limit}&cursor=")).await;
                assert_eq!(forth, expected, "{ordering} by {limit}");
                assert_eq!(back, expected, "{ordering} back by {limit}");
            }
        }
    }
}

/// Follows `next` to the end and `previous` back to the beginning; returns the rows of both walks in list order.
async fn walk(site: &Site, query: &str) -> (Vec<i64>, Vec<i64>) {
    let (mut forth, mut back) = (Vec::new(), Vec::new());
    let mut path = format!("/api/users?{query}");
    let last = loop {
        let answer = site.get(&path).token(&site.holder.key).send().await;
        forth.extend(ids(&answer));
        match target(&answer.json()["next"]) {
            Some(next) => path = next,
            None => break answer,
        }
    };
    let mut pages = vec![ids(&last)];
    let mut previous = target(&last.json()["previous"]);
    while let Some(path) = previous {
        let answer = site.get(&path).token(&site.holder.key).send().await;
        pages.push(ids(&answer));
        previous = target(&answer.json()["previous"]);
        assert!(answer.json()["next"].is_string(), "{path}");
    }
    back.extend(pages.into_iter().rev().flatten());
    (forth, back)
}

/// Hundreds of users, most of which differ only in their id.
async fn crowd(backend: Backend) -> Site {
    let site = Site::start(backend).await;
    let mut users = Vec::new();
    for id in 1000..1200 {
        let mut user = imported(id, &format!("user{id}"));
        user.gender = [None, Some(""), Some("male")][usize::try_from(id % 3).unwrap()].map(str::to_owned);
        user.last_login = (id % 4 == 0).then(|| moment(&format!("2021-01-0{}T00:00:00Z", id % 5 + 1)));
        users.push(SeedUser { user, password: "!".into() });
    }
    site.directory().seed(&operator(), SeedRows { users, ..SeedRows::default() }).await.unwrap();
    site
}

both! {
    /// A walk returns each row exactly once, by offset and by cursor, forwards and backwards.
    async fn a_walk_visits_each_row_once(backend: Backend) {
        let site = crowd(backend).await;
        let everyone: BTreeSet<i64> = (1000..1200).collect();
        for ordering in ["id", "-gender", "gender,-last_login", "last_login", "-last_login,gender,-id", "-email", "created_at"] {
            for start in ["", "&cursor="] {
                let (forth, back) = walk(&site, &format!("id_min=1000&limit=17&ordering={ordering}{start}")).await;
                assert_eq!((forth.len(), forth.iter().copied().collect()), (200, everyone.clone()), "{ordering}{start}");
                assert_eq!(forth, back, "{ordering}{start}");
            }
        }
    }
}

both! {
    /// A row that is deleted or added during a walk moves no other row off a page.
    async fn a_cursor_holds_while_the_list_changes(backend: Backend) {
        let site = crowd(backend).await;
        let mut path = "/api/users?id_min=1000&limit=50&ordering=gender&cursor=".to_owned();
        let mut seen = BTreeSet::new();
        loop {
            let answer = site.get(&path).token(&site.holder.key).send().await;
            let page = ids(&answer);
            site.database.sql(&format!("DELETE FROM users WHERE id = {}", page[page.len() - 1])).await;
            for id in page {
                assert!(seen.insert(id), "{id} came twice");
            }
            let Some(next) = target(&answer.json()["next"]) else { break };
            path = next;
        }
        assert_eq!(seen.len(), 200);
        // Everything after a cursor may be deleted: the way back still works.
        let answer = site.get("/api/users?id_min=1000&limit=150&cursor=").token(&site.holder.key).send().await;
        let next = target(&answer.json()["next"]).unwrap();
        site.database.sql("DELETE FROM users WHERE id > 1100").await;
        let empty = site.get(&next).token(&site.holder.key).send().await;
        assert_eq!((ids(&empty).len(), &empty.json()["next"]), (0, &Value::Null));
        let back = target(&empty.json()["previous"]).unwrap();
        assert!(ids(&site.get(&back).token(&site.holder.key).send().await).ends_with(&[1100]));
    }
}

both! {
    async fn the_envelope_is_the_framework_s(backend: Backend) {
        let site = crowd(backend).await;
        let answer = site.get("/api/users/?ordering=-id&offset=4&id_min=1000&limit=3&search=user+1,").token(&site.holder.key).send().await;
        let body = answer.json();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["count", "next", "previous", "results"]);
        assert_eq!(body["count"], 200);
        // Links keep the spelling of the path.
        assert_eq!(body["next"], "http://localhost/api/users/?id_min=1000&limit=3&offset=7&ordering=-id&search=user+1%2C");
        assert_eq!(body["previous"], "http://localhost/api/users/?id_min=1000&limit=3&offset=1&ordering=-id&search=user+1%2C");
        assert_eq!(ids(&answer), [1195, 1194, 1193]);
        let first = list(&site, "").await.json();
        assert_eq!((&first["previous"], first["results"].as_array().unwrap().len()), (&Value::Null, 10));
        // They always name the limit, and the first page's has no offset.
        assert_eq!(first["next"], "http://localhost/api/users?limit=10&offset=10");
        assert_eq!(list(&site, "offset=10&limit=").await.json()["previous"], "http://localhost/api/users?limit=10");
        let escaped = site.get("/api/%75sers/?limit=7").token(&site.holder.key).send().await.json();
        assert_eq!(escaped["next"], "http://localhost/api/%75sers/?limit=7&offset=7");
        let past = list(&site, "offset=9223372036854775807&id_min=1000").await;
        assert_eq!(past.json(), json!({"count": 200, "next": null, "previous": "http://localhost/api/users?id_min=1000&limit=10&offset=9223372036854775797", "results": []}));
        let narrow = list(&site, "id_min=1199&fields=updated_at,id").await;
        assert_eq!(narrow.json()["results"], json!([{"id": 1199, "updated_at": "2024-03-15T09:30:00.000000Z"}]));
        let cursor = list(&site, "id_min=1199&cursor=").await;
        assert_eq!((&cursor.json()["count"], &cursor.json()["next"], &cursor.json()["previous"]), (&Value::Null, &Value::Null, &Value::Null));
        let head = site.request("HEAD", "/api/users?limit=1").token(&site.holder.key).send().await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
}

both! {
    async fn a_row_is_me_and_what_others_may_know(backend: Backend) {
        let site = peopled(backend).await;
        let row = list(&site, "id_min=42&id_max=42").await.json()["results"][0].clone();
        let me = site.me(&site.alex.key).send().await.json();
        let shown: Vec<_> = row.as_object().unwrap().iter().collect();
        assert_eq!(shown[..12], me.as_object().unwrap().iter().collect::<Vec<_>>());
        assert_eq!(shown[12..].iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["is_active", "is_staff", "is_admin", "is_online", "updated_at"]);
        for (id, online) in [(101, true), (102, false), (104, false)] {
            assert_eq!(list(&site, &format!("id_min={id}&id_max={id}")).await.json()["results"][0]["is_online"], online);
            assert_eq!(site.get(&format!("/api/users/{id}")).token(&site.holder.key).send().await.json()["is_online"], online);
        }
    }
}

const DAYS: [&str; 9] = [
    "created_date",
    "created_from",
    "created_to",
    "updated_date",
    "updated_from",
    "updated_to",
    "last_login_date",
    "last_login_from",
    "last_login_to",
];
/// The spellings of version 0.1.
const OLD_DAYS: [&str; 6] = [
    "created_date_from",
    "created_date_to",
    "updated_date_from",
    "updated_date_to",
    "last_login_date_from",
    "last_login_date_to",
];

both! {
    /// An empty value is no filter, as in the framework.
    async fn an_empty_value_filters_nothing(backend: Backend) {
        let site = peopled(backend).await;
        let all = list(&site, "id_min=100").await;
        let mut empty = vec!["gender=&is_active=".to_owned()];
        let names = ["has_email", "has_avatar", "has_phone", "has_token", "has_first_name", "has_last_name", "has_groups", "is_active",
            "is_staff", "is_admin", "is_online", "username", "email", "mobile_number", "gender", "group_id", "groups_in", "id_max",
            "search", "ordering", "limit", "offset", "fields", "format"];
        empty.extend(names.into_iter().chain(DAYS).chain(OLD_DAYS).map(|name| format!("{name}=")));
        for query in empty {
            let answer = list(&site, &format!("id_min=100&{query}")).await;
            assert_eq!((answer.status, &answer.body), (200, &all.body), "{query}");
            assert_eq!(list(&site, &query).await.json()["count"], 12, "{query}");
        }
        for query in ["actor_id=&object_id=&from=&to=&action=&address=&object_kind=&limit=&before="] {
            let answer = site.get(&format!("/api/users/audit?{query}")).token(&site.admin.key).send().await;
            assert_eq!((answer.status, answer.json()["results"].as_array().unwrap().len()), (200, 10), "{answer}");
        }
    }
}

both! {
    /// Every misuse is a 400 that names the parameter. Nothing is silently ignored.
    async fn every_misuse_is_named(backend: Backend) {
        let site = crowd(backend).await;
        let boolean = "Must be a valid boolean.";
        let integer = "A valid integer is required.";
        let date = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        let mut table = vec![
            ("nickname", "x", "Unknown parameter."),
            ("ID_MIN", "1", "Unknown parameter."),
            ("users_count_min", "1", "Unknown parameter."),
            ("page", "2", "Unknown parameter."),
            ("limit", "99999999999999999999999", integer),
            ("limit", "ten", integer),
            ("limit", "0", "Ensure this value is greater than or equal to 1."),
            ("limit", "-1", "Ensure this value is greater than or equal to 1."),
            ("limit", "1001", "Ensure this value is less than or equal to 1000."),
            ("offset", "-1", "Ensure this value is greater than or equal to 0."),
            ("offset", "1.5", integer),
            ("ordering", "password", "\"password\" is not a valid choice."),
            ("ordering", "username,-zz", "\"-zz\" is not a valid choice."),
            ("gender", "zz", "\"zz\" is not a valid choice."),
            ("group_id", "0", "Ensure this value is greater than or equal to 1."),
            ("email", "a%00", "Null characters are not allowed."),
            ("group_id", "x", integer),
            ("groups_in", "1,,2", integer),
            ("groups_in", "1;2", integer),
            ("id_min", "1e3", integer),
            ("id_max", "9223372036854775808", integer),
            ("cursor", "zz", "Invalid cursor."),
            ("cursor", "!", "Invalid cursor."),
            ("search", "a%00b", "Null characters are not allowed."),
            ("search", "%ff", "Not valid UTF-8."),
            ("fields", "id,password", "\"password\" is not a valid choice."),
        ];
        for name in ["has_email", "has_avatar", "has_phone", "has_token", "has_first_name", "has_last_name", "has_groups", "is_active", "is_staff", "is_admin", "is_online"] {
            table.extend([(name, "yes", boolean), (name, "2", boolean)]);
        }
        for name in DAYS.into_iter().chain(OLD_DAYS) {
            table.extend([(name, "2025-02-30", date), (name, "2025-01-01T00:00:00Z", date)]);
        }
        for (name, value, expected) in table {
            let answer = list(&site, &format!("{name}={value}")).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({name: [expected]})), "{name}={value}");
        }
        for (query, name, expected) in [
            ("is_staff=1&is_staff=1", "is_staff", "This parameter may be given only once."),
            ("offset=1&cursor=", "cursor", "A page is reached by a cursor or by an offset, not by both."),
            ("%ff=1", "%ff", "Not valid UTF-8."),
            ("=1", "", "Unknown parameter."),
            ("zz=", "zz", "Unknown parameter."),
            ("is_staff=&is_staff=1", "is_staff", "This parameter may be given only once."),
            ("created_from=2025-01-01&created_date_from=2025-01-01", "created_date_from", "This parameter may be given only once."),
        ] {
            assert_eq!(list(&site, query).await.to_string(), format!("400 {}", json!({name: [expected]})), "{query}");
        }
        let all = list(&site, "zz=1&is_staff=x&limit=0").await;
        assert_eq!(all.to_string(), r#"400 {"zz":["Unknown parameter."],"is_staff":["Must be a valid boolean."],"limit":["Ensure this value is greater than or equal to 1."]}"#);
        for good in ["search=", "ordering=", "format=json", "format=", "fields=", "&&is_staff=1&", "created_date=9999-12-31", "created_to=9999-12-31", "created_from=0000-01-01"] {
            assert_eq!(list(&site, good).await.status, 200, "{good}");
        }
    }
}

both! {
    /// A cursor is valid only for the list it was made for.
    async fn a_cursor_belongs_to_its_list(backend: Backend) {
        let site = crowd(backend).await;
        let body = list(&site, "ordering=username&is_staff=1&cursor=").await.json();
        let next = target(&body["next"]).unwrap();
        let cursor = next.split(['?', '&']).find(|pair| pair.starts_with("cursor=")).unwrap();
        for other in ["ordering=-username&is_staff=1", "ordering=username", "ordering=username&is_staff=0", "is_staff=1", ""] {
            let expected = json!({"cursor": ["This cursor belongs to a list with other parameters. Begin again with an empty one."]});
            assert_eq!(list(&site, &format!("{other}&{cursor}")).await.to_string(), format!("400 {expected}"), "{other}");
        }
        for same in ["is_staff=1&ordering=username", "ordering=username&is_staff=1&limit=3&fields=id"] {
            assert_eq!(list(&site, &format!("{same}&{cursor}")).await.status, 200, "{same}");
        }
        assert_eq!(list(&site, &format!("ordering=username&is_staff=1&{cursor}A")).await.status, 400);
    }
}
