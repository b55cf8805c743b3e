//! What single values mean, from the source to every place that shows them: times at both ends, genders, lines of a
//! table, avatars elsewhere, passwords of blanks, notes that are null, and ids that JavaScript cannot hold.

use std::fs;

use serde_json::{Value, json};
use wardroom::config::Flags;
use wardroom::directory::model::Timestamp;

use crate::backup::{archive, beside, data, done, text, works};
use crate::cli::{Ran, on};
use crate::import_people::{BASE, django, lines};
use crate::support::{Answer, Backend, Database, Request, Site, both};

const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";
const JSON: &str = "application/json";
const FIRST: i64 = -377_705_116_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;
const DAY: i64 = 86_400_000_000;

fn imported(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Times in the first and last days, around the year 0 and 1970, and between: the ends themselves among them.
fn times() -> Vec<Timestamp> {
    let mut state = 42_u64;
    let mut random = |range: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 16).unwrap() % range
    };
    let mut times = vec![
        FIRST,
        FIRST + 1,
        LAST,
        LAST - 1,
        LAST - 999_999,
        253_402_207_200_999_999,
        0,
        -1,
        -62_135_596_800_000_000,
    ];
    for _ in 0..12 {
        times.extend([
            FIRST + random(2 * DAY),
            LAST - random(2 * DAY),
            -62_167_219_200_000_000 + random(4 * DAY) - 2 * DAY,
            random(LAST),
        ]);
    }
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(|micros| Timestamp::from_micros(micros).unwrap()).collect()
}

/// A user, a group and a token with this time in every field; ids from 100 on.
fn records(id: i64, at: Timestamp) -> [Value; 3] {
    let at = at.to_string();
    [
        json!({ "type": "group", "id": id, "name": format!("group {id}"), "notes": "", "permissions": [], "created_at": at, "updated_at": at }),
        json!({ "type": "user", "id": id, "username": format!("user-{id}"), "is_staff": true, "is_active": true, "is_admin": false, "groups": [id], "permissions": [],
            "mobile_number": null, "email": null, "avatar": null, "first_name": "", "last_name": "", "gender": null, "password": "!",
            "created_at": at, "updated_at": at, "last_login": at, "last_seen_at": at }),
        json!({ "type": "token", "user": id, "key": format!("{id:040x}"), "created_at": at, "expires_at": at, "last_used_at": at }),
    ]
}

both! {
    /// Every time that can be stored is read everywhere as it was given, on both databases: lists and their filters, single
    /// rows, exports, a second import, a backup and a restore into another database.
    async fn times_at_both_ends_make_the_round_trip(backend: Backend) {
        let database = Database::new(backend).await;
        let times = times();
        let mut all: Vec<Value> = vec![json!({ "type": "user", "id": 1, "username": "root", "is_admin": true }), json!({ "type": "token", "user": 1, "key": KEY })];
        let mut tables = [Vec::new(), Vec::new(), Vec::new()];
        for (id, at) in (100..).zip(&times) {
            for (table, record) in tables.iter_mut().zip(records(id, *at)) {
                table.push(record);
            }
        }
        all.splice(0..0, tables.iter().flatten().cloned());
        imported(&lines(&database, &all, &[]));
        assert!(lines(&database, &all, &["--sync"]).out.contains("everything was up to date already"));

        let address = Site::serve(&database).await;
        let get = async |path: &str| Request::new(address, "GET", path).token(KEY).send().await;
        let users = get("/api/users?limit=1000&ordering=created_at&id_min=100").await.json();
        let groups = get("/api/users/groups?limit=1000&ordering=created_at").await.json();
        assert_eq!((users["count"].as_u64().unwrap(), groups["count"].as_u64().unwrap()), (times.len() as u64, times.len() as u64));
        for ((place, at), id) in times.iter().enumerate().zip(100..) {
            let at = at.to_string();
            let (user, group) = (&users["results"][place], &groups["results"][place]);
            assert_eq!((&user["id"], &user["created_at"], &user["last_login"], &user["updated_at"]), (&json!(id), &json!(at), &json!(at), &json!(at)));
            assert_eq!((&group["id"], &group["created_at"], &group["updated_at"]), (&json!(id), &json!(at), &json!(at)));
            let tokens = get(&format!("/api/users/{id}/tokens")).await.json();
            let token = tokens.get("results").unwrap_or(&tokens)[0].clone();
            assert_eq!((&token["created_at"], &token["expires_at"]), (&json!(at), &json!(at)));
            // The days that a filter can name have four digits.
            let Some(day) = (!at.starts_with('-')).then(|| &at[..10]) else { continue };
            for filter in ["created_date", "updated_date", "last_login_date"] {
                let found = get(&format!("/api/users?limit=1000&{filter}={day}")).await.json();
                let ids: Vec<_> = found["results"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
                assert!(ids.contains(&json!(id)), "{filter}={day}: {ids:?}");
            }
        }
        // A cursor of such a time leads to the next page, in both directions.
        let mut seen = Vec::new();
        let mut path = "/api/users?limit=7&ordering=-last_login&id_min=100&cursor=".to_owned();
        loop {
            let page = get(&path).await.json();
            seen.extend(page["results"].as_array().unwrap().iter().map(|user| user["last_login"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = next[next.find("/api").unwrap()..].to_owned();
        }
        assert_eq!(seen, times.iter().rev().map(Timestamp::to_string).collect::<Vec<_>>());
        // The key that ends last is the only kind that is still valid.
        let last = 99 + times.len();
        let me = Request::new(address, "GET", "/api/users/me").token(&format!("{last:040x}")).send().await;
        assert_eq!((me.status, &me.json()["created_at"]), (200, &json!("9999-12-31T23:59:59.999999Z")));
        assert_eq!(me.header("x-token-expires-at"), Some("9999-12-31T23:59:59.999999Z"));

        // The API takes what it shows, and names the last time that it takes.
        let post = async |end: &str| {
            let body = json!({ "name": "late", "expires_at": end }).to_string();
            Request::new(address, "POST", "/api/users/me/tokens").token(KEY).body(JSON, body).send().await
        };
        for at in times.iter().rev().take(12) {
            let made = post(&at.to_string()).await;
            assert_eq!((made.status, &made.json()["expires_at"]), (201, &json!(at.to_string())), "{}", made.body);
        }
        for late in ["9999-12-31T23:59:59.999999-00:01", "10000-01-01T00:00:00Z"] {
            let refused = post(late).await;
            let why = json!({ "expires_at": ["Datetime is out of range. The latest is 9999-12-31T23:59:59.999999Z."] });
            assert_eq!((refused.status, refused.json()), (400, why), "{late}");
        }

        let exported = works(&database, &["export"]).out;
        for other in [Backend::Sqlite, Backend::Postgres] {
            let copy = Database::new(other).await;
            let file = copy.place().join("export.json");
            fs::write(&file, &exported).unwrap();
            works(&copy, &["import", "json", "--from", text(&file)]);
            let body = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(body(&works(&copy, &["export"]).out), body(&exported));
        }
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        let restored = Database::empty(backend).await;
        fs::create_dir_all(data(&restored)).unwrap();
        let ran = beside(&restored, &["restore", text(&file), "--accept-revived"]);
        imported(&ran);
        assert_eq!(works(&restored, &["export"]).out.lines().skip(1).collect::<Vec<_>>(), exported.lines().skip(1).collect::<Vec<_>>());
        works(&restored, &["doctor"]);
    }
}

both! {
    /// The usual "never" of a Django project, in every column with a time; and what no database of ours can store.
    async fn never_in_a_django_database_is_imported_as_it_is(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", &format!("{BASE}
            CREATE TABLE knox_authtoken(digest text PRIMARY KEY, token_key text NOT NULL, created datetime NOT NULL, user_id integer NOT NULL REFERENCES auth_user(id), expiry datetime);
            CREATE TABLE team_profile(id integer PRIMARY KEY, notes text, created_at datetime, updated_at datetime, group_id integer NOT NULL UNIQUE REFERENCES auth_group(id));
            INSERT INTO auth_group VALUES (1, 'Billing'); INSERT INTO team_profile VALUES (1, NULL, '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00', 1);
            INSERT INTO authtoken_token VALUES ('{KEY}', '9999-12-31 00:00:00', 1);
            INSERT INTO knox_authtoken VALUES ('{:0128x}', 'abcdefgh1234567', '9999-12-31 23:59:59.999999', 2, '9999-12-31 23:59:59.999999');
            UPDATE auth_user SET last_login = '9999-12-31 23:59:59.999999', date_joined = '9999-12-31';
            UPDATE auth_user SET last_login = '0001-01-01 00:00:00' WHERE id = 3", 1));
        let args = ["import", "django", "--from", &source, "--group-table", "team_profile"];
        imported(&on(&database, &args, ""));
        let address = Site::serve(&database).await;
        let get = async |path: &str| Request::new(address, "GET", path).token(KEY).send().await;
        assert_eq!(get("/api/users/me").await.json()["last_login"], "9999-12-31T23:59:59.999999Z");
        let users = get("/api/users?ordering=last_login").await.json();
        assert_eq!((&users["results"][0]["last_login"], &users["results"][0]["created_at"]), (&json!("0001-01-01T00:00:00.000000Z"), &json!("9999-12-31T00:00:00.000000Z")));
        let groups = get("/api/users/groups").await.json();
        assert_eq!((&groups["results"][0]["created_at"], &groups["results"][0]["updated_at"]), (&json!("9999-12-31T23:59:59.999999Z"), &json!("0001-01-01T00:00:00.000000Z")));
        works(&database, &["export"]);
        works(&database, &["doctor"]);
        let again = on(&database, &[&args[..], &["--sync"]].concat(), "");
        assert!(again.out.contains("everything was up to date already"), "{}{}", again.out, again.err);

        // Later times exist only where the clock of the source is behind UTC.
        let ran = on(&database, &[&args[..], &["--sync", "--time-zone", "America/New_York"]].concat(), "");
        imported(&ran);
        assert!(ran.out.contains("times that cannot be stored are imported as the nearest: 9999-12-31T23:59:59.999999Z"), "{}", ran.out);
        for (at, why) in [
            ("10000-01-01T00:00:00Z", "out of range. The latest is 9999-12-31T23:59:59.999999Z."),
            ("9999-12-31T23:59:59.999999-00:01", "out of range. The latest is 9999-12-31T23:59:59.999999Z."),
            ("soon", "Datetime has wrong format. Use RFC 3339"),
        ] {
            let record = json!({ "type": "user", "id": 9, "username": "x", "last_login": at });
            let ran = lines(&database, &[json!({ "type": "user", "id": 8, "username": "y" }), record], &[]);
            assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
            assert!(ran.err.contains(&format!("line 2: last_login: {at:?}: ")) && ran.err.contains(why), "{}", ran.err);
        }
    }
}

both! {
    /// Somebody writes a time with SQL that nothing can read: it is found, with the statement that repairs it.
    async fn doctor_finds_times_that_cannot_be_read(backend: Backend) {
        let database = Database::new(backend).await;
        imported(&lines(&database, &[json!({ "type": "user", "id": 1, "username": "root", "is_admin": true })], &[]));
        database.sql("UPDATE users SET last_login = 253402300800000000, updated_at = -9223372036854775807").await;
        for (column, repaired) in [("last_login", "9999-12-31T23:59:59.999999Z"), ("updated_at", "-009999-01-01T00:00:00.000000Z")] {
            let ran = on(&database, &["doctor", "--json"], "");
            assert_eq!(ran.code, 1, "{}", ran.out);
            let findings = ran.json();
            let finding = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "integrity").unwrap();
            let said = finding["text"].as_str().unwrap();
            assert!(said.contains(&format!("users.{column} of 1 rows, the first with id 1, is no time")), "{said}");
            let (_, repair) = said.split_once("SQL: ").unwrap();
            database.sql(repair).await;
            assert_eq!(database.number(&format!("SELECT {column} FROM users")).await, repaired.parse::<Timestamp>().unwrap().as_micros());
        }
        works(&database, &["doctor"]);
    }
}

both! {
    /// Values that the API would refuse are named with their counts; a table of the mapping file translates genders.
    async fn values_that_the_api_refuses_are_named_and_genders_translated(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", &format!("{BASE}
            ALTER TABLE auth_user ADD COLUMN gender text; UPDATE auth_user SET gender = 'f', email = 'nowhere' WHERE id > 1; UPDATE auth_user SET gender = 'm' WHERE id = 1;
            INSERT INTO auth_user VALUES (4,'!',NULL,0,'12345','','','',1,1,'2020-01-01 00:00:00','male'), (5,'!',NULL,0,'two words','','','',1,1,'2020-01-01 00:00:00',''),
                (6,'!',NULL,0,'x','','{}','',1,1,'2020-01-01 00:00:00',NULL);
            INSERT INTO auth_group VALUES (1, ''), (2, 'fine'); INSERT INTO authtoken_token VALUES ('{KEY}', '2020-01-01 00:00:00', 1);
            UPDATE auth_user SET email = 'somewhere' WHERE id = 3", "n".repeat(151)));
        let args = ["import", "django", "--from", &source];
        let dry = on(&database, &[&args[..], &["--dry-run", "--json"]].concat(), "");
        imported(&dry);
        let report = dry.json();
        let notices: Vec<(String, i64)> = report["notices"].as_array().unwrap().iter().map(|notice| (notice["what"].as_str().unwrap().to_owned(), notice["count"].as_i64().unwrap())).collect();
        for (expected, count) in [
            ("gender \"f\" is imported as it is, but the API refuses it and no filter finds it", 2),
            ("gender \"m\" is imported as it is", 1),
            ("values of email are imported as they are, but the API would refuse them (Enter a valid email address.)", 2),
            ("values of username are imported as they are, but the API would refuse them (Enter a valid username.", 1),
            ("values of username are imported as they are, but the API would refuse them (it is a number or begins with a hyphen)", 1),
            ("values of first_name are imported as they are, but the API would refuse them (Ensure this field has no more than 150 characters.)", 1),
            ("values of group name are imported as they are, but the API would refuse them (This field may not be blank.)", 1),
        ] {
            assert!(notices.iter().any(|(what, of)| what.starts_with(expected) && *of == count), "{expected}: {notices:?}");
        }
        assert_eq!(notices.iter().filter(|(what, _)| what.starts_with("gender ")).count(), 2, "{notices:?}");

        let mapping = database.place().join("mapping.toml");
        fs::write(&mapping, "[gender]\nf = \"female\"\nm = \"male\"\n").unwrap();
        let args = [&args[..], &["--mapping", text(&mapping)]].concat();
        let ran = on(&database, &args, "");
        imported(&ran);
        assert!(!ran.out.contains("gender \""), "{}", ran.out);
        let address = Site::serve(&database).await;
        let get = async |path: &str| Request::new(address, "GET", path).token(KEY).send().await;
        assert_eq!(get("/api/users?gender=female").await.json()["count"], 2);
        let me = get("/api/users/me").await.json();
        assert_eq!(me["gender"], "male");
        let back = Request::new(address, "PATCH", "/api/users/me").token(KEY).body(JSON, json!({ "gender": me["gender"] }).to_string()).send().await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert_eq!(get("/api/users?search=words").await.json()["results"][0]["gender"], "");
        assert!(on(&database, &[&args[..], &["--sync"]].concat(), "").out.contains("everything was up to date already"));
        fs::write(&mapping, "[gender]\nf = \"Frau\"\n").unwrap();
        let wrong = on(&database, &args, "");
        assert!(wrong.code == 2 && wrong.err.contains("[gender] \"f\" = \"Frau\": there is no such gender; use one of male, female, non-binary, other"), "{}", wrong.err);
        // A source with as many genders as users makes no endless report.
        let many: Vec<Value> = (100..200).map(|id| json!({ "type": "user", "id": id, "username": format!("u{id}"), "gender": format!("g{id}") })).collect();
        let ran = lines(&database, &many, &["--dry-run"]);
        assert!(ran.out.contains("80 x gender of other values is imported as it is"), "{}", ran.out);
    }
}

both! {
    /// Lines are counted as an editor counts them, and all wrong cells are reported at once.
    async fn every_wrong_cell_of_a_file_has_its_line(backend: Backend) {
        let database = Database::new(backend).await;
        let file = database.place().join("in.csv");
        let import = |format: &str, bytes: &str| {
            fs::write(&file, bytes).unwrap();
            on(&database, &["import", format, "--from", text(&file)], "")
        };
        let one = import("csv", "username,is_staff\r\na,1\r\nb,maybe\r\n");
        assert_eq!((one.code, one.err.as_str()), (4, "wardroom: line 3: is_staff: \"maybe\" is neither true nor false\n"));
        let many: String = (0..60).map(|n| format!("u{n},{}\r\n\r\n", if n == 0 { "1" } else { "maybe" })).collect();
        let ran = import("csv", &format!("username,is_staff\r\n{many}"));
        assert_eq!((ran.code, ran.out.as_str()), (4, ""));
        assert!(ran.err.starts_with("wardroom: 59 errors:\n  line 4: is_staff: \"maybe\"") && ran.err.contains("\n  line 102: ") && ran.err.ends_with("\n  and 9 more\n"), "{}", ran.err);
        let ran = import("json", "{\"type\":\"user\",\"username\":\"a\",\"is_staff\":1}\r\n\r\n{\"type\":\"user\"}\r\n{\"type\":\"user\",\"username\":\"c\"}\r\n{}\r\n");
        let found: Vec<_> = ran.err.lines().map(str::trim).collect();
        assert_eq!(found[0], "wardroom: 3 errors:");
        assert!(found[1].starts_with("line 1: is_staff: invalid type: integer `1`"), "{found:?}");
        assert!(found[2].starts_with("line 3: missing field `username`") && found[3].starts_with("line 5: missing field `type`"), "{found:?}");
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    }
}

both! {
    /// An avatar that is stored as an absolute URL is shown as it is: by every route, and by the fast path with its cached
    /// JSON. Files may be on a host of their own.
    async fn an_avatar_elsewhere_is_shown_as_it_is(backend: Backend) {
        let elsewhere = "https://cdn.example/a/änn (1).jpg?v=2#x";
        for (media_url, stored, shown) in [
            ("/media/", elsewhere, elsewhere),
            ("/media/", "avatars/a b.jpg", "http://localhost/media/avatars/a%20b.jpg"),
            ("https://files.example/m/", elsewhere, elsewhere),
            ("https://files.example/m/", "avatars/a b.jpg", "https://files.example/m/avatars/a%20b.jpg"),
            ("https://files.example", "avatars/a b.jpg", "https://files.example/avatars/a%20b.jpg"),
        ] {
            let site = Site::with(backend, Flags::default().with("media_url", media_url)).await;
            let record = json!({ "type": "user", "id": 42, "username": "alex_thompson", "avatar": stored });
            imported(&lines(&site.database, &[record], &["--sync"]));
            let about = format!("{media_url} {stored}");
            let whole = site.request("GET", "/api/users/me").header("X-Odd", "1").token(&site.alex.key).send().await;
            assert_eq!(whole.json()["avatar"], shown, "{about}");
            // The first request fills the cache, and the second is answered from it.
            for _ in 0..2 {
                let me = site.me(&site.alex.key).send().await;
                assert_eq!((me.status, &me.body), (200, &whole.body), "{about}");
                let other = site.me(&site.alex.key).host("127.0.0.1").send().await;
                assert_eq!(other.json()["avatar"], shown.replace("localhost", "127.0.0.1"), "{about}");
            }
            let one = site.get("/api/users/42").token(&site.admin.key).send().await.json();
            let list = site.get("/api/users?id_min=42&id_max=42&has_avatar=true").token(&site.admin.key).send().await.json();
            assert_eq!((&one["avatar"], &list["results"][0]["avatar"]), (&json!(shown), &json!(shown)), "{about}");
        }
    }
}

both! {
    /// There is no file to copy for an avatar elsewhere.
    async fn an_avatar_elsewhere_is_no_missing_file(backend: Backend) {
        let database = Database::new(backend).await;
        let media = database.place().join("media");
        fs::create_dir(&media).unwrap();
        let record = json!({ "type": "user", "id": 42, "username": "ann", "avatar": "https://cdn.example/a.jpg" });
        let ran = lines(&database, &[record], &["--media", text(&media), "--dry-run"]);
        imported(&ran);
        assert!(!ran.out.contains("avatar"), "{}", ran.out);
    }
}

/// Django's encoding of "   ", with few rounds.
fn blanks() -> String {
    let script = "import base64,hashlib; print(base64.b64encode(hashlib.pbkdf2_hmac('sha256', b'   ', b'salt', 1000)).decode())";
    let made = std::process::Command::new("python3").args(["-c", script]).output().unwrap();
    format!("pbkdf2_sha256$1000$salt${}", String::from_utf8(made.stdout).unwrap().trim())
}

both! {
    /// A password is never trimmed: one of blanks signs in, and no other number of blanks does.
    async fn a_password_of_blanks_signs_in(backend: Backend) {
        let database = Database::new(backend).await;
        imported(&lines(&database, &[json!({ "type": "user", "id": 1, "username": "ann", "password": blanks(), "is_staff": true })], &[]));
        // Blanks of several kinds: repeated ones are too easy to guess for a new password.
        let new = " \u{2003}\u{a0}\t\u{3000} \u{2009}\u{2002}\t\u{2005}\u{205f} \u{2007}\u{2001}\u{1680}\t ";
        works(&database, &["user", "add", "bob"]);
        let set = on(&database, &["user", "set-password", "bob", "--password-stdin"], &format!("{new}\r\n"));
        assert_eq!(set.code, 0, "{}", set.err);
        let address = Site::serve(&database).await;
        let sign_in = async |media_type: &str, body: String| {
            Request::new(address, "POST", "/api/users/auth/pwd/signin").body(media_type, body).send().await
        };
        let json = async |name: &str, password: &str| sign_in(JSON, json!({ "username": name, "password": password }).to_string()).await;
        assert_eq!(json("ann", "   ").await.status, 200);
        assert_eq!(sign_in("application/x-www-form-urlencoded", "username=ann&password=+++".to_owned()).await.status, 200);
        assert_eq!(json("bob", new).await.status, 200);
        let wrong = json!({ "non_field_errors": ["Unable to log in with provided credentials."] });
        let blank = json!({ "password": ["This field may not be blank."] });
        for (password, answer) in [("  ", &wrong), ("    ", &wrong), ("\t\t\t", &wrong), ("", &blank)] {
            let refused = json("ann", password).await;
            assert_eq!((refused.status, &refused.json()), (400, answer), "{password:?}");
        }
        let nameless = json("  ", "   ").await;
        assert_eq!((nameless.status, nameless.json()), (400, json!({ "username": ["This field may not be blank."] })));
    }
}

both! {
    /// Null and empty notes of a group stay different wherever they go.
    async fn null_and_empty_notes_differ(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", &format!("{BASE}
            CREATE TABLE team_profile(id integer PRIMARY KEY, notes text, group_id integer NOT NULL UNIQUE REFERENCES auth_group(id));
            INSERT INTO auth_group VALUES (1, 'null'), (2, 'empty'), (3, 'without'); INSERT INTO team_profile VALUES (1, NULL, 1), (2, '', 2);
            INSERT INTO authtoken_token VALUES ('{KEY}', '2020-01-01 00:00:00', 1)"));
        let args = ["import", "django", "--from", &source, "--group-table", "team_profile", "--sync"];
        imported(&on(&database, &args, ""));
        let address = Site::serve(&database).await;
        let send = async |method: &str, path: &str, media_type: &str, body: &str| -> Answer {
            Request::new(address, method, path).token(KEY).body(media_type, body).send().await
        };
        let get = async |path: &str| Request::new(address, "GET", path).token(KEY).send().await;
        let all = async || {
            let list = get("/api/users/groups?ordering=id").await.json();
            list["results"].as_array().unwrap().iter().map(|group| group["notes"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(all().await, [json!(null), json!(""), json!("")]);
        assert!(on(&database, &args, "").out.contains("everything was up to date already"));
        let tag = async |id: i64| get(&format!("/api/users/groups/{id}")).await.header("etag").unwrap().to_owned();
        let form = "application/x-www-form-urlencoded";
        for (id, media_type, body, notes) in [
            (2, JSON, r#"{"notes":null}"#, json!(null)),
            (2, JSON, r#"{"notes":""}"#, json!("")),
            (2, JSON, r#"{"notes":null}"#, json!(null)),
            (2, form, "notes=", json!("")),
            (1, JSON, r#"{"name":"NULL"}"#, json!(null)),
            (1, JSON, r#"{"notes":"x"}"#, json!("x")),
        ] {
            let before = tag(id).await;
            let changed = send("PATCH", &format!("/api/users/groups/{id}"), media_type, body).await;
            assert_eq!((changed.status, &changed.json()["notes"]), (200, &notes), "{body}");
            assert_ne!(tag(id).await, before, "{body}: it is a change");
            assert_eq!(get(&format!("/api/users/groups/{id}")).await.json()["notes"], notes);
        }
        let created = send("POST", "/api/users/groups", JSON, r#"{"name":"new","notes":null}"#).await;
        assert_eq!((created.status, &created.json()["notes"]), (201, &json!(null)));
        assert_eq!(send("POST", "/api/users/groups", JSON, r#"{"name":"plain"}"#).await.json()["notes"], "");
        let user = get("/api/users/1").await.json();
        assert_eq!(user["groups_data"], json!([]));
        let notes = all().await;
        assert_eq!(notes, [json!("x"), json!(""), json!(""), json!(null), json!("")]);
        assert_eq!(get("/api/users/groups?search=x").await.json()["count"], 1);
        let listed = works(&database, &["group", "list", "--json"]).json();
        assert_eq!((&listed[3]["notes"], &listed[4]["notes"]), (&json!(null), &json!("")));

        // Into other databases: as lines, and as a backup. A record that leaves them out changes nothing.
        let exported = works(&database, &["export"]).out;
        let copy = Database::new(backend).await;
        let file = copy.place().join("export.json");
        fs::write(&file, &exported).unwrap();
        works(&copy, &["import", "json", "--from", text(&file)]);
        let of = async |database: &Database| database.texts("SELECT coalesce(notes, 'NULL') FROM groups ORDER BY id").await;
        assert_eq!(of(&copy).await, ["x", "", "", "NULL", ""]);
        imported(&lines(&copy, &[json!({ "type": "group", "id": 4, "name": "newer" }), json!({ "type": "group", "id": 5, "name": "plain", "notes": null })], &["--sync"]));
        assert_eq!(of(&copy).await, ["x", "", "", "NULL", "NULL"]);
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        let restored = Database::empty(if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite }).await;
        fs::create_dir_all(data(&restored)).unwrap();
        imported(&beside(&restored, &["restore", text(&file), "--accept-revived"]));
        assert_eq!(of(&restored).await, ["x", "", "", "NULL", ""]);
        let trail = works(&database, &["audit", "list", "--action", "group.update", "--json"]).out;
        assert!(trail.contains("null"), "{trail}");
    }
}

both! {
    /// After ids that JavaScript cannot hold, new ids are small ones, never used before: of users, groups, tokens and
    /// permissions, in a database that was filled and in one in use, after a deletion, a restore and a move.
    async fn new_ids_do_not_follow_high_ones(backend: Backend) {
        let high = 9_007_199_254_740_993_i64;
        let records = [
            json!({ "type": "permission", "id": high, "code": 9001, "name": "one" }),
            json!({ "type": "group", "id": high, "name": "high" }), json!({ "type": "group", "id": 7, "name": "seven" }),
            json!({ "type": "user", "id": high - 4, "username": "near", "is_admin": true }), json!({ "type": "user", "id": high, "username": "high" }),
            json!({ "type": "user", "id": 20, "username": "twenty" }), json!({ "type": "user", "id": i64::MAX, "username": "highest" }),
            json!({ "type": "token", "id": high, "user": 20, "key": KEY }), json!({ "type": "token", "id": 30, "user": 20, "key": format!("{KEY}x") }),
            json!({ "type": "token", "user": 20, "key": format!("{KEY}y") }), json!({ "type": "token", "user": 20, "key": format!("{KEY}z") }),
        ];
        for is_filled in [true, false] {
            let database = Database::new(backend).await;
            let mut next = 21;
            if !is_filled {
                // Beside users, records are written row by row.
                works(&database, &["user", "add", "first"]);
            }
            imported(&lines(&database, &records, &[]));
            assert_eq!(database.number("SELECT count(*) FROM tokens WHERE id IN (31, 32)").await, 2, "they follow the small one");
            let user = |database: &Database, name: &str| works(database, &["user", "add", name, "--json"]).json()["id"].as_i64().unwrap();
            let group = |database: &Database, name: &str| -> String { works(database, &["group", "add", name]).out };
            assert_eq!(user(&database, "a"), next);
            next += 1;
            assert_eq!(group(&database, "a"), "Added group 8 (a).\n");
            works(&database, &["token", "issue", "a", "--name", "t"]);
            assert_eq!(database.number("SELECT max(id) FROM tokens WHERE id < 1000").await, 33);
            imported(&lines(&database, &[json!({ "type": "permission", "code": 9002, "name": "two" })], &[]));
            assert_eq!(database.number("SELECT id FROM permissions WHERE code = 9002").await, 16);
            // No id is given twice, and a high one that comes back from the recycle bin changes nothing.
            assert_eq!(user(&database, "b"), next);
            next += 1;
            works(&database, &["user", "delete", "b", "--yes"]);
            works(&database, &["user", "purge", "22", "--yes"]);
            works(&database, &["user", "delete", &format!("id:{high}"), "--yes"]);
            assert_eq!(user(&database, "c"), next);
            next += 1;
            works(&database, &["user", "restore", &high.to_string()]);
            assert_eq!(user(&database, "d"), next);
            next += 1;
            works(&database, &["group", "delete", "a", "--yes"]);
            assert_eq!(group(&database, "b"), "Added group 9 (b).\n");
            imported(&lines(&database, &[json!({ "type": "user", "username": "without id" }), json!({ "type": "group", "name": "without id" })], &[]));
            assert_eq!(database.number("SELECT id FROM users WHERE username = 'without id'").await, next);
            next += 1;
            assert_eq!(database.number("SELECT id FROM groups WHERE name = 'without id'").await, 10);
            let address = Site::serve(&database).await;
            let created = Request::new(address, "POST", "/api/users").token(&issued(&database)).body(JSON, r#"{"username":"by-api"}"#).send().await;
            assert_eq!(created.json()["id"], next);
            next += 1;

            fs::create_dir_all(data(&database)).unwrap();
            let file = archive(&database);
            done(&database, &["backup", text(&file)]);
            for other in [Backend::Sqlite, Backend::Postgres] {
                let other = Database::empty(other).await;
                fs::create_dir_all(data(&other)).unwrap();
                imported(&beside(&other, &["restore", text(&file), "--accept-revived"]));
                assert_eq!(user(&other, "after"), next);
                assert_eq!(group(&other, "after"), "Added group 11 (after).\n");
            }
        }
    }
}

/// The key of a new token of the admin.
fn issued(database: &Database) -> String {
    works(database, &["token", "issue", "near", "--name", "t", "--json"]).json()["key"]
        .as_str()
        .unwrap()
        .to_owned()
}

both! {
    /// An older version gave ids after a high one. An upgrade goes back to the small ones.
    async fn an_upgrade_lets_new_ids_be_small_again(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "one", "--admin"]);
        works(&database, &["user", "add", "two"]);
        works(&database, &["user", "delete", "two", "--yes"]);
        works(&database, &["user", "purge", "2", "--yes"]);
        let high = 9_007_199_254_740_993_i64;
        imported(&lines(&database, &[json!({ "type": "user", "id": high, "username": "high" }), json!({ "type": "group", "id": high, "name": "high" })], &[]));
        let polluted = match backend {
            Backend::Sqlite => format!("UPDATE sqlite_sequence SET seq = {high} WHERE name IN ('users', 'groups', 'tokens', 'permissions'); INSERT INTO sqlite_sequence (name, seq) SELECT 'groups', {high} WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'groups')"),
            Backend::Postgres => ["users", "groups", "tokens", "permissions"].map(|table| format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {high})")).join("; "),
        };
        database.sql(&polluted).await;
        database.go_back_to_version_10().await;
        works(&database, &["migrate"]);
        assert_eq!(works(&database, &["user", "add", "three", "--json"]).json()["id"], 3);
        assert_eq!(works(&database, &["group", "add", "g"]).out, "Added group 1 (g).\n");
        works(&database, &["token", "issue", "three", "--name", "t"]);
        assert_eq!(database.number("SELECT max(id) FROM tokens").await, 1);
    }
}
