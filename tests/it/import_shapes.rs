//! `wardroom import django` with databases of other shapes: whose row something is follows from declared references and
//! uniqueness, what is not read is named, and every refusal names what to type next.

use serde_json::{Value, json};

use crate::cli::{Ran, on};
use crate::support::{Backend, Database, ForeignSource, both};

const ANNS_KEY: &str = "2222222222222222222222222222222222222222";

/// Imports a source into a new account database.
async fn import(source: &ForeignSource, backend: Backend, flags: &[&str]) -> (Database, Ran) {
    let database = Database::new(backend).await;
    let ran = again(&database, source, flags);
    (database, ran)
}

fn again(database: &Database, source: &ForeignSource, flags: &[&str]) -> Ran {
    on(database, &[&["import", "django", "--from", &source.from(), "--json"], flags].concat(), "")
}

/// Imports a source that must be accepted. Returns the report and the records that were exported afterwards.
async fn imported(source: &ForeignSource, backend: Backend, flags: &[&str]) -> (Value, Vec<Value>) {
    let (database, ran) = import(source, backend, flags).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let exported = on(&database, &["export"], "");
    assert_eq!(exported.code, 0, "{}", exported.err);
    (ran.json(), exported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Imports a source that must be refused with a message that has all of these texts. Nothing may be written.
async fn refused(source: &ForeignSource, backend: Backend, flags: &[&str], texts: &[&str]) {
    let (database, ran) = import(source, backend, flags).await;
    assert_eq!(ran.code, 2, "{flags:?}: {}{}", ran.out, ran.err);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    let error = error["error"]["message"].as_str().unwrap();
    for text in texts {
        assert!(error.contains(text), "{flags:?}: {text}: {error}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
}

fn user<'a>(records: &'a [Value], username: &str) -> &'a Value {
    let found = records.iter().find(|record| record["type"] == "user" && record["username"] == username);
    found.unwrap_or_else(|| panic!("{username}: {records:?}"))
}

fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["type"] == kind).collect()
}

/// The names of the groups of a user.
fn groups<'a>(records: &'a [Value], username: &str) -> Vec<&'a str> {
    let ids = user(records, username)["groups"].as_array().unwrap();
    let groups = of_kind(records, "group");
    let name = |id: &Value| groups.iter().find(|group| group["id"] == *id).unwrap()["name"].as_str().unwrap();
    ids.iter().map(name).collect()
}

/// The count and the examples of the notice or conflict whose text begins like this.
fn notice(report: &Value, kind: &str, text: &str) -> Option<(u64, Vec<String>)> {
    let found = report[kind].as_array().unwrap().iter();
    let found = found.clone().find(|notice| notice["what"].as_str().unwrap().starts_with(text))?;
    let examples = found["examples"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
    Some((found["count"].as_u64().unwrap(), examples.collect()))
}

fn listed(report: &Value, text: &str) -> Vec<String> {
    notice(report, "notices", text).unwrap_or_else(|| panic!("{text}: {report}")).1
}

both! {
    /// A profile with two keys to users: the unique one says whose it is.
    async fn the_unique_key_says_whose_profile_it_is(backend: Backend) {
        let profile = |columns: &str| format!(
            "CREATE TABLE shop_profile(id integer PRIMARY KEY, phone text, {columns});
             INSERT INTO shop_profile(id, phone, owner_id, user_id) VALUES (1,'+1-555-0100',NULL,1),(2,'+1-555-0101',1,2),(3,'+1-555-0102',1,3);"
        );
        let (owner, unique, plain) = ("owner_id integer REFERENCES auth_user(id)", "user_id integer NOT NULL UNIQUE REFERENCES auth_user(id)",
            "user_id integer NOT NULL REFERENCES auth_user(id)");
        for columns in [format!("{owner}, {unique}"), format!("{unique}, {owner}")] {
            let source = ForeignSource::base(backend, &profile(&columns)).await;
            let (report, records) = imported(&source, backend, &["--profile-table", "shop_profile"]).await;
            for (username, number) in [("root", "+1-555-0100"), ("ann", "+1-555-0101"), ("bob", "+1-555-0102")] {
                assert_eq!(user(&records, username)["mobile_number"], number);
            }
            assert_eq!(report["mapping"]["profile joined by"], "shop_profile.user_id = auth_user.id");
        }
        let source = ForeignSource::base(backend, &profile(&format!("{owner}, {plain}"))).await;
        let flags = ["--profile-table", "shop_profile"];
        refused(&source, backend, &flags, &["owner_id, user_id", "--map profile_user=COLUMN"]).await;
        let (_, records) = imported(&source, backend, &[&flags[..], &["--map", "profile_user=user_id"]].concat()).await;
        assert_eq!(user(&records, "ann")["mobile_number"], "+1-555-0101");
        // The named column must have one row a user.
        refused(&source, backend, &[&flags[..], &["--map", "profile_user=owner_id"]].concat(), &["several rows with the same owner_id (1)"]).await;
    }
}

both! {
    /// Tokens and side tables with two keys are decided in the same way, or asked for.
    async fn every_table_with_two_keys_is_decided_in_the_same_way(backend: Backend) {
        let source = ForeignSource::base(backend, &format!(
            "DROP TABLE authtoken_token;
             CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, created_by_id integer REFERENCES auth_user(id), user_id integer NOT NULL UNIQUE REFERENCES auth_user(id));
             INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',1,2);
             CREATE TABLE knox_authtoken(digest text PRIMARY KEY, created datetime NOT NULL, by_id integer REFERENCES auth_user(id), user_id integer NOT NULL REFERENCES auth_user(id), expiry datetime, token_key text NOT NULL);
             INSERT INTO knox_authtoken VALUES ('{}','2026-01-01 00:00:00',1,3,NULL,'b95ed458b95ed45');
             INSERT INTO auth_group VALUES (1,'Billing'),(2,'Desk');
             CREATE TABLE desk_info(id integer PRIMARY KEY, notes text NOT NULL, parent_id integer REFERENCES auth_group(id), group_id integer NOT NULL UNIQUE REFERENCES auth_group(id));
             INSERT INTO desk_info VALUES (1,'of the desk',1,2);", "a".repeat(128))).await;
        refused(&source, backend, &[], &["knox_authtoken", "by_id, user_id", "--map knox_user=COLUMN"]).await;
        let (report, records) = imported(&source, backend, &["--map", "knox_user=user_id"]).await;
        let owners: Vec<_> = of_kind(&records, "token").iter().map(|token| (token["name"].clone(), token["user"].clone())).collect();
        assert!(owners.contains(&(json!("Django REST Framework"), json!(2))) && owners.contains(&(json!("knox"), json!(3))), "{owners:?}");
        let notes = |name: &str| of_kind(&records, "group").into_iter().find(|group| group["name"] == name).unwrap()["notes"].clone();
        assert_eq!((notes("Billing"), notes("Desk")), (json!(""), json!("of the desk")));
        assert_eq!(report["mapping"]["group profile joined by"], "desk_info.group_id = auth_group.id");
    }
}

const OWN_GROUPS: &str = "
DROP TABLE authtoken_token; DROP TABLE auth_user_groups; DROP TABLE auth_user;
CREATE TABLE team_group(id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE team_user(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, username text NOT NULL UNIQUE, is_active bool NOT NULL);
CREATE TABLE team_user_groups(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES team_user(id), group_id integer NOT NULL REFERENCES team_group(id));
INSERT INTO auth_group VALUES (1,'Administrators'); INSERT INTO team_group VALUES (1,'Translators');
INSERT INTO team_user VALUES (1,'!',NULL,1,'root',1),(2,'!',NULL,0,'tess',1); INSERT INTO team_user_groups VALUES (1,2,1);";

both! {
    /// The membership table declares which groups are meant, whatever else is in the database.
    async fn the_membership_table_says_which_groups_there_are(backend: Backend) {
        let source = ForeignSource::base(backend, OWN_GROUPS).await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(groups(&records, "tess"), ["Translators"]);
        assert_eq!(of_kind(&records, "group").len(), 1);
        assert_eq!(report["mapping"]["group name"], "team_group.name");
        assert_eq!(listed(&report, "tables of Django's groups that are not read"), ["auth_group"]);
        refused(&source, backend, &["--groups-table", "auth_group"], &["team_user_groups.group_id refers to team_group.id"]).await;
        source.sql("ALTER TABLE team_group RENAME COLUMN name TO title").await;
        refused(&source, backend, &[], &["team_group has no column for the names of groups", "--map group_name=COLUMN"]).await;
        let (_, records) = imported(&source, backend, &["--map", "group_name=title"]).await;
        assert_eq!(groups(&records, "tess"), ["Translators"]);
    }
}

both! {
    /// Tokens whose table refers to other people are left alone and named, even if their numbers are those of users.
    async fn tokens_of_other_people_are_not_ours(backend: Backend) {
        let source = ForeignSource::base(backend, &format!(
            "DROP TABLE authtoken_token;
             CREATE TABLE clients_client(id integer PRIMARY KEY, name text NOT NULL);
             INSERT INTO clients_client VALUES (1,'x'),(2,'y');
             CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES clients_client(id));
             INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',2);
             CREATE TABLE knox_authtoken(digest text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL REFERENCES clients_client(id), expiry datetime, token_key text NOT NULL);
             INSERT INTO knox_authtoken VALUES ('{}','2026-01-01 00:00:00',2,NULL,'b95ed458b95ed45');", "a".repeat(128))).await;
        let flags = ["--user-table", "auth_user"];
        let (report, records) = imported(&source, backend, &flags).await;
        assert_eq!(of_kind(&records, "token").len(), 0);
        assert_eq!(report["mapping"]["tokens of Django REST Framework"], "nowhere");
        assert_eq!(listed(&report, "tables of tokens that are not read"),
            ["authtoken_token.user_id refers to clients_client.id", "knox_authtoken.user_id refers to clients_client.id"]);
        for table in [["--token-table", "authtoken_token"], ["--knox-table", "knox_authtoken"]] {
            refused(&source, backend, &[&flags[..], &table].concat(), &["user_id refers to clients_client.id", "--map "]).await;
        }
    }
}

both! {
    /// Any table may refer to groups. Only one with at most one row a group can have their notes.
    async fn a_table_of_tickets_is_not_the_notes_of_groups(backend: Backend) {
        let source = ForeignSource::base(backend,
            "CREATE TABLE desk_ticket(id integer PRIMARY KEY, description text NOT NULL, created_at datetime NOT NULL, group_id integer REFERENCES auth_group(id));
             INSERT INTO auth_group VALUES (1,'Billing');
             INSERT INTO desk_ticket VALUES (1,'Printer broken','2024-01-01 00:00:00',1);").await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(of_kind(&records, "group")[0]["notes"], "");
        assert_eq!(listed(&report, "tables that refer to groups and are not read"), ["desk_ticket (group_id)"]);
        // By its rows it could be: the operator decides.
        let flags = ["--group-profile-table", "desk_ticket"];
        let (_, records) = imported(&source, backend, &flags).await;
        assert_eq!(of_kind(&records, "group")[0]["notes"], "Printer broken");
        source.sql("INSERT INTO desk_ticket VALUES (2,'No coffee','2024-02-01 00:00:00',1)").await;
        refused(&source, backend, &flags, &["desk_ticket has several rows with the same group_id (1)"]).await;
        refused(&source, backend, &["--group-table", "auth_group"], &["auth_group is the table of the groups"]).await;
    }
}

const MEMBERSHIP: &str = "
DROP TABLE auth_user_groups;
CREATE TABLE staff_membership(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user(id), group_id integer NOT NULL REFERENCES auth_group(id), since datetime NOT NULL);
INSERT INTO auth_group VALUES (1,'Billing'); INSERT INTO staff_membership VALUES (1,2,1,'2024-01-01 00:00:00');";

both! {
    /// A membership table with more columns is read if it is Django's own or named. Otherwise the report names it.
    async fn memberships_with_more_columns_are_read_or_named(backend: Backend) {
        let source = ForeignSource::base(backend, MEMBERSHIP).await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(user(&records, "ann")["groups"], json!([]));
        assert_eq!(listed(&report, "tables that join users and groups"), ["staff_membership (group_id, user_id)"]);
        let (report, records) = imported(&source, backend, &["--membership-table", "staff_membership"]).await;
        assert_eq!(groups(&records, "ann"), ["Billing"]);
        assert_eq!(listed(&report, "columns that are not read"), ["staff_membership.since"]);
        source.sql("ALTER TABLE staff_membership RENAME TO auth_user_groups").await;
        let (_, records) = imported(&source, backend, &[]).await;
        assert_eq!(groups(&records, "ann"), ["Billing"]);
        let (report, records) = imported(&source, backend, &["--membership-table="]).await;
        assert_eq!((report["mapping"]["memberships"].clone(), user(&records, "ann")["groups"].clone()), (json!("nowhere"), json!([])));
    }
}

both! {
    /// Every table and column that is not read is in the report, however many there are, and in both forms of it.
    async fn all_that_is_not_read_is_named(backend: Backend) {
        let columns: Vec<String> = (0..9).map(|number| format!("extra_{number}")).collect();
        let add: String = columns.iter().map(|name| format!("ALTER TABLE auth_user ADD COLUMN {name} text; ALTER TABLE shop_profile ADD COLUMN {name} text;")).collect();
        let tables: String = (0..8).map(|number| format!("CREATE TABLE shop_order_{number}(id integer PRIMARY KEY, buyer_id integer REFERENCES auth_user(id));")).collect();
        let source = ForeignSource::base(backend, &format!(
            "CREATE TABLE shop_profile(id integer PRIMARY KEY, phone text, user_id integer NOT NULL UNIQUE REFERENCES auth_user(id)); {add} {tables}
             CREATE TABLE page_right(id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES auth_group(id), page_id integer);
             CREATE TABLE old_log(id integer PRIMARY KEY, user_id integer);")).await;
        let flags = ["--profile-table", "shop_profile"];
        let (report, _) = imported(&source, backend, &flags).await;
        let mut expected: Vec<String> = ["auth_user", "shop_profile"].iter().flat_map(|table| columns.iter().map(move |name| format!("{table}.{name}"))).collect();
        expected.sort_unstable();
        assert_eq!(listed(&report, "columns that are not read"), expected);
        let mut tables: Vec<String> = (0..8).map(|number| format!("shop_order_{number} (buyer_id)")).collect();
        tables.insert(0, "old_log (user_id)".to_owned());
        assert_eq!(listed(&report, "tables that refer to users and are not read"), tables);
        assert_eq!(listed(&report, "tables that refer to groups and are not read"), ["page_right (group_id)"]);
        let database = Database::new(backend).await;
        let text = on(&database, &[&["import", "django", "--from", &source.from()], &flags[..]].concat(), "").out;
        for name in expected.iter().chain(&tables) {
            assert!(text.contains(&format!("\n      {name}\n")), "{name}: {text}");
        }
    }
}

both! {
    /// Keys can be in the users' own row, or in any table that is named. Blank keys are none, revoked ones stay revoked.
    async fn the_table_of_tokens_can_be_named(backend: Backend) {
        let source = ForeignSource::base(backend, &format!(
            "ALTER TABLE auth_user ADD COLUMN api_key text; UPDATE auth_user SET api_key = '' WHERE id = 3; UPDATE auth_user SET api_key = '{ANNS_KEY}' WHERE id = 2;
             CREATE TABLE api_credential(id integer PRIMARY KEY, value text NOT NULL, holder_id integer NOT NULL REFERENCES auth_user(id), created_at datetime NOT NULL, expires_at datetime, is_active bool NOT NULL, revoked_at datetime);
             INSERT INTO api_credential VALUES (1,'live-key-1','2','2024-01-01 00:00:00','2124-01-01 00:00:00',1,NULL),(2,'inactive-key',2,'2024-01-01 00:00:00',NULL,0,NULL),
               (3,'revoked-key',3,'2024-01-01 00:00:00',NULL,1,'2025-01-01 00:00:00'),(4,'with blank',3,'2024-01-01 00:00:00',NULL,1,NULL);")).await;
        let (report, records) = imported(&source, backend, &["--token-table", "auth_user", "--map", "token_key=api_key"]).await;
        let tokens = of_kind(&records, "token");
        assert_eq!((tokens.len(), &tokens[0]["user"]), (1, &json!(2)));
        assert_eq!(report["mapping"]["tokens joined by"], "auth_user.id = auth_user.id");
        let table = ["--token-table", "api_credential"];
        refused(&source, backend, &table, &["api_credential has no column for key", "--map token_key=COLUMN", "--token-table="]).await;
        let (report, records) = imported(&source, backend, &[&table[..], &["--map", "token_key=value"]].concat()).await;
        let tokens = of_kind(&records, "token");
        assert_eq!((tokens.len(), &tokens[0]["user"], &tokens[0]["expires_at"]), (1, &json!(2), &json!("2124-01-01T00:00:00.000000Z")));
        assert_eq!(notice(&report, "notices", "tokens that are revoked or inactive").unwrap().0, 2);
        assert_eq!(notice(&report, "notices", "tokens whose key no client can send").unwrap().0, 1);
        assert_eq!(report["tokens"]["read"], 1);
    }
}

both! {
    /// Salted tokens of knox before 4.2, and digests of other algorithms, never authenticate anyone, so none counts as read.
    async fn tokens_of_knox_that_cannot_work_are_left_out(backend: Backend) {
        let source = ForeignSource::base(backend,
            "CREATE TABLE knox_authtoken(digest text PRIMARY KEY, salt text NOT NULL UNIQUE, created datetime NOT NULL, user_id integer NOT NULL REFERENCES auth_user(id), expiry datetime, token_key text NOT NULL);
             INSERT INTO knox_authtoken VALUES ('7f0be15467d419808f0ab75a0e8ff82af7c31f804d3db368e76e0bc67f6c054f35728182ad6a702faec33a9f1c8321e24c5268d5d99ddd81dc6f5c68deb97fc3','0011223344556677','2026-01-01 00:00:00',2,NULL,'b95ed458');").await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!((of_kind(&records, "token").len(), &report["tokens"]["read"]), (0, &json!(0)));
        assert_eq!(notice(&report, "notices", "tokens of knox before 4.2").unwrap(), (1, vec!["user 2".to_owned()]));
        let source = ForeignSource::base(backend, &format!(
            "CREATE TABLE knox_authtoken(digest text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL REFERENCES auth_user(id), expiry datetime, token_key text NOT NULL);
             INSERT INTO knox_authtoken VALUES ('{}','2026-01-01 00:00:00',2,NULL,'b95ed458'),('{}','2026-01-01 00:00:00',2,NULL,'b95ed458')", "a".repeat(64), "a".repeat(128))).await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(of_kind(&records, "token").len(), 1);
        assert_eq!(notice(&report, "notices", "tokens of knox whose digests are not SHA-512").unwrap().0, 1);
    }
}

both! {
    /// A row that can be no user, and a null username, are left out and named. They never hold up the rest.
    async fn rows_that_are_no_users_do_not_hold_up_the_rest(backend: Backend) {
        let source = ForeignSource::base(backend,
            "INSERT INTO auth_user VALUES (-1,'!',NULL,0,'AnonymousUser','','','',0,1,'2020-01-01 00:00:00');
             CREATE TABLE people(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, username text UNIQUE, is_superuser bool, email text);
             INSERT INTO people SELECT id, password, last_login, username, is_superuser, email FROM auth_user;
             INSERT INTO people VALUES (9,'!',NULL,NULL,0,'nameless@example.com');
             INSERT INTO auth_group VALUES (0,'Zero'),(1,'Billing');
             INSERT INTO auth_user_groups VALUES (1,-1,1),(2,2,0),(3,2,1);").await;
        let (report, records) = imported(&source, backend, &["--user-table", "auth_user"]).await;
        assert_eq!((of_kind(&records, "user").len(), groups(&records, "ann")), (3, vec!["Billing"]));
        assert_eq!(listed(&report, "users whose id is not positive are left out"), ["auth_user -1 \"AnonymousUser\""]);
        assert_eq!(listed(&report, "groups whose id is not positive are left out"), ["auth_group 0"]);
        let (report, records) = imported(&source, backend, &["--user-table", "people"]).await;
        assert_eq!(of_kind(&records, "user").len(), 3);
        assert_eq!(listed(&report, "users without a username are left out"), ["people 9 \"\""]);
    }
}

both! {
    /// A cell that cannot be imported is a conflict that names the way out, and `--skip-invalid` takes it. The user is not
    /// missing afterwards.
    async fn a_broken_row_can_be_left_out(backend: Backend) {
        let source = ForeignSource::base(backend, &format!(
            "INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',2);
             INSERT INTO auth_user VALUES (4,'!',NULL,0,'dan','','','',0,1,'2020-01-01 00:00:00');")).await;
        let (database, first) = import(&source, backend, &[]).await;
        assert_eq!(first.code, 0, "{}{}", first.out, first.err);
        // SQLite stores any text as a time.
        if backend == Backend::Postgres {
            source.sql("ALTER TABLE auth_user ALTER COLUMN date_joined TYPE text").await;
        }
        source.sql("UPDATE auth_user SET date_joined = 'soon' WHERE id = 2").await;
        source.sql("DELETE FROM auth_user WHERE id = 4").await;
        let blocked = again(&database, &source, &["--sync", "--delete-missing", "--yes"]);
        assert_eq!(blocked.code, 4, "{}{}", blocked.out, blocked.err);
        assert!(notice(&blocked.json(), "conflicts", "rows that cannot be imported (--skip-invalid leaves them out)").is_some(), "{}", blocked.out);
        let done = again(&database, &source, &["--sync", "--delete-missing", "--yes", "--skip-invalid"]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        let report = done.json();
        let named = listed(&report, "rows that cannot be imported are left out");
        assert!(named.len() == 1 && named[0].contains("auth_user.date_joined of the row 2"), "{named:?}");
        assert_eq!(database.texts("SELECT username FROM users ORDER BY id").await, ["root", "ann", "bob"]);
        assert_eq!(database.number("SELECT count(*) FROM tokens WHERE user_id = 2 AND revoked_at IS NULL").await, 1);
    }
}

both! {
    /// A flag that no column has is named with what follows and the ways to set it.
    async fn a_flag_without_a_column_is_named(backend: Backend) {
        let source = ForeignSource::base(backend, &format!(
            "ALTER TABLE auth_user DROP COLUMN is_staff; UPDATE auth_user SET is_active = CASE WHEN id = 3 THEN FALSE ELSE TRUE END;
             INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',2);
             INSERT INTO auth_group VALUES (1,'Office'); INSERT INTO auth_user_groups VALUES (1,2,1);")).await;
        let staff = |records: &[Value]| ["root", "ann", "bob"].map(|name| user(records, name)["is_staff"] == json!(true));
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(staff(&records), [false; 3]);
        let text = "no column says who is staff, so no new user is staff: use --map is_staff=is_active, --map is_staff=true or --map is_staff=group:NAME";
        assert_eq!(listed(&report, text), ["auth_user"]);
        for (map, expected) in [("is_staff=is_active", [true, true, false]), ("is_staff=true", [true; 3]), ("is_staff=group:Office", [false, true, false])] {
            let (report, records) = imported(&source, backend, &["--map", map]).await;
            assert_eq!((staff(&records), notice(&report, "notices", "no column says")), (expected, None), "{map}");
        }
        refused(&source, backend, &["--map", "is_staff=group:Bureau"], &[r#"no group named "Bureau" (--map is_staff=group:Bureau)"#]).await;
        // Only columns that the source has are suggested, by the names that they have there.
        let suggested = async |flags: &[&str]| {
            let (report, _) = imported(&source, backend, flags).await;
            notice(&report, "notices", "no column says who is staff").unwrap_or_else(|| panic!("{report}"));
            let notices = report["notices"].as_array().unwrap().clone();
            let texts = notices.iter().map(|notice| notice["what"].as_str().unwrap().to_owned());
            texts.filter(|text| text.contains("who is staff")).collect::<String>()
        };
        source.sql("ALTER TABLE auth_user RENAME COLUMN is_active TO active").await;
        assert!(suggested(&[]).await.ends_with(": use --map is_staff=active, --map is_staff=true or --map is_staff=group:NAME"));
        let (_, records) = imported(&source, backend, &["--map", "is_staff=active"]).await;
        assert_eq!(staff(&records), [true, true, false]);
        assert!(suggested(&["--membership-table="]).await.ends_with(": use --map is_staff=active or --map is_staff=true"));
        source.sql("CREATE TABLE shop_profile(user_id integer PRIMARY KEY REFERENCES auth_user(id), is_active bool NOT NULL); INSERT INTO shop_profile SELECT id, active FROM auth_user").await;
        source.sql("ALTER TABLE auth_user RENAME COLUMN active TO is_active").await;
        source.sql("ALTER TABLE auth_user DROP COLUMN is_active; ALTER TABLE auth_user DROP COLUMN is_superuser").await;
        assert!(suggested(&[]).await.ends_with(": use --map is_staff=COLUMN, --map is_staff=true or --map is_staff=group:NAME"));
        let profile = ["--profile-table", "shop_profile"];
        assert!(suggested(&profile).await.contains(": use --map is_staff=shop_profile.is_active, "));
        let (_, records) = imported(&source, backend, &[&profile[..], &["--map", "is_staff=shop_profile.is_active"]].concat()).await;
        assert_eq!(staff(&records), [true, true, false]);
        let (report, _) = imported(&source, backend, &["--map", "is_staff="]).await;
        assert!(notice(&report, "notices", "no column says who is active, so every new user is active").is_some(), "{report}");
        assert!(notice(&report, "notices", "no column says who is an admin, so no new user is an admin").is_some(), "{report}");
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mapping.toml");
        std::fs::write(&file, "[columns]\nis_staff = true\nis_admin = \"group:Office\"\n").unwrap();
        let (report, records) = imported(&source, backend, &["--mapping", file.to_str().unwrap()]).await;
        assert_eq!((staff(&records), &user(&records, "ann")["is_admin"]), ([true; 3], &json!(true)));
        assert_eq!(report["mapping"]["user is_admin"], "members of the group \"Office\"");
    }
}

both! {
    /// Second factors are not imported. The report counts the people who had one, each once.
    async fn people_with_a_second_factor_are_counted(backend: Backend) {
        let source = ForeignSource::base(backend,
            "ALTER TABLE auth_user ADD COLUMN totp_key text; UPDATE auth_user SET totp_key = '' WHERE id = 1; UPDATE auth_user SET totp_key = 'JBSWY3DP' WHERE id = 3;
             CREATE TABLE otp_totp_totpdevice(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user(id), confirmed bool NOT NULL);
             INSERT INTO otp_totp_totpdevice VALUES (1,2,1),(2,2,1),(3,3,1),(4,1,0);
             CREATE TABLE two_factor_phonedevice(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user(id), number text);
             INSERT INTO two_factor_phonedevice VALUES (1,2,'+1');").await;
        let (report, _) = imported(&source, backend, &[]).await;
        let found = notice(&report, "notices", "users have a second factor, which is not imported").unwrap();
        assert_eq!(found, (2, ["auth_user.totp_key (1)", "otp_totp_totpdevice (2)", "two_factor_phonedevice (1)"].map(str::to_owned).to_vec()));
        source.sql("DELETE FROM otp_totp_totpdevice; DELETE FROM two_factor_phonedevice; UPDATE auth_user SET totp_key = NULL").await;
        let (report, _) = imported(&source, backend, &[]).await;
        assert_eq!(notice(&report, "notices", "users have a second factor"), None);
    }
}

const INHERITED: &str = "
DROP TABLE authtoken_token; DROP TABLE auth_user_groups; DROP TABLE auth_user;
CREATE TABLE hr_account(party_ptr_id integer PRIMARY KEY, password text NOT NULL, last_login datetime, username text NOT NULL UNIQUE, is_superuser bool NOT NULL);
INSERT INTO hr_account VALUES (1,'!',NULL,'root',1),(5,'!',NULL,'ann',0);
CREATE VIEW hr_user AS SELECT party_ptr_id AS id, password, last_login, username, is_superuser FROM hr_account;
CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES hr_account(party_ptr_id));
INSERT INTO authtoken_token VALUES ('2222222222222222222222222222222222222222','2020-01-01 00:00:00',5);
CREATE TABLE hr_account_groups(id integer PRIMARY KEY, account_id integer NOT NULL REFERENCES hr_account(party_ptr_id), group_id integer NOT NULL REFERENCES auth_group(id));
INSERT INTO auth_group VALUES (1,'Billing'); INSERT INTO hr_account_groups VALUES (1,5,1);";

both! {
    /// The primary key is the id, whatever its name. A view can stand for the table, and what refers to the table is found.
    async fn keys_of_any_name_and_views_are_read(backend: Backend) {
        let source = ForeignSource::base(backend, INHERITED).await;
        for (flags, id) in [(&[][..], "hr_account.party_ptr_id"), (&["--user-table", "hr_user"], "hr_user.id")] {
            let (report, records) = imported(&source, backend, flags).await;
            assert_eq!((&report["mapping"]["user id"], &user(&records, "ann")["id"]), (&json!(id), &json!(5)), "{flags:?}");
            assert_eq!((groups(&records, "ann"), &of_kind(&records, "token")[0]["user"]), (vec!["Billing"], &json!(5)), "{flags:?}");
        }
        // Another numbering is not the same people.
        source.sql("CREATE VIEW hr_other AS SELECT party_ptr_id - 4 AS id, password, last_login, username, is_superuser FROM hr_account WHERE party_ptr_id = 5").await;
        let (report, records) = imported(&source, backend, &["--user-table", "hr_other", "--map", "is_admin=true"]).await;
        assert_eq!((of_kind(&records, "token").len(), &report["mapping"]["memberships"]), (0, &json!("nowhere")), "{report}");
        assert_eq!(listed(&report, "the rows of the view do not show which table is behind it"), ["hr_other"]);
        // A view without the usual column says how to name the key.
        source.sql("CREATE VIEW hr_plain AS SELECT party_ptr_id AS number, password, last_login, username, is_superuser FROM hr_account").await;
        refused(&source, backend, &["--user-table", "hr_plain"], &["hr_plain has neither a primary key", "--map user_id=COLUMN", "number, password"]).await;
        let (_, records) = imported(&source, backend, &["--user-table", "hr_plain", "--map", "user_id=number"]).await;
        assert_eq!(user(&records, "ann")["id"], 5);
    }
}

both! {
    /// Parents by multi-table inheritance have fields of their own, and names in capitals are quoted.
    async fn parents_and_names_in_capitals_are_read(backend: Backend) {
        let source = ForeignSource::empty(backend).await;
        source.sql(
            "CREATE TABLE party(id integer PRIMARY KEY, phone text, email text);
             INSERT INTO party VALUES (1,'+1-1','a@example.com'),(7,'+1-7','b@example.com');
             CREATE TABLE \"ACCOUNTS\"(\"USER_ID\" integer PRIMARY KEY REFERENCES party(id), \"PASSWORD\" text NOT NULL, \"LAST_LOGIN\" datetime, \"USERNAME\" text NOT NULL UNIQUE, \"IS_SUPERUSER\" bool NOT NULL);
             INSERT INTO \"ACCOUNTS\" VALUES (1,'!',NULL,'root',1),(7,'!',NULL,'ann',0);").await;
        let (report, records) = imported(&source, backend, &[]).await;
        let ann = user(&records, "ann");
        assert_eq!((&ann["id"], &ann["mobile_number"], &ann["email"]), (&json!(7), &json!("+1-7"), &json!("b@example.com")));
        assert_eq!(report["mapping"]["profile joined by"], "party.id = ACCOUNTS.USER_ID");
    }
}

both! {
    /// Keys that are no whole numbers: the refusal names the way without ids, and that way keeps groups and tokens together.
    async fn users_with_other_keys_are_imported_without_ids(backend: Backend) {
        let kind = match backend { Backend::Sqlite => "char(32)", Backend::Postgres => "uuid" };
        let (root, ann) = ("00000000000000000000000000000001", "f0000000000000000000000000000002");
        let source = ForeignSource::empty(backend).await;
        source.sql(&format!(
            "CREATE TABLE auth_user(id {kind} PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, username text NOT NULL UNIQUE, number integer UNIQUE);
             CREATE TABLE auth_group(id {kind} PRIMARY KEY, name text NOT NULL UNIQUE);
             CREATE TABLE auth_user_groups(id integer PRIMARY KEY, user_id {kind} NOT NULL REFERENCES auth_user(id), group_id {kind} NOT NULL REFERENCES auth_group(id));
             CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, user_id {kind} NOT NULL UNIQUE REFERENCES auth_user(id));
             CREATE TABLE card(user_id {kind} PRIMARY KEY REFERENCES auth_user(id), phone text);
             INSERT INTO auth_user VALUES ('{root}','!',NULL,1,'root',11),('{ann}','!',NULL,0,'ann',12);
             INSERT INTO auth_group VALUES ('{ann}','Billing'); INSERT INTO auth_user_groups VALUES (1,'{ann}','{ann}');
             INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00','{ann}'); INSERT INTO card VALUES ('{ann}','+1-2');")).await;
        refused(&source, backend, &["--map", "group_id="], &["ids of auth_user (column id)", "--map user_id= ", "--map user_id=COLUMN"]).await;
        refused(&source, backend, &["--map", "user_id="], &["ids of auth_group (column id)", "--map group_id= "]).await;
        for (user_id, id) in [("user_id=", None), ("user_id=number", Some(12))] {
            let flags = ["--map", user_id, "--map", "group_id=", "--profile-table", "card"];
            let (database, first) = import(&source, backend, &flags).await;
            assert_eq!(first.code, 0, "{}{}", first.out, first.err);
            let exported = on(&database, &["export"], "").out;
            let records: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let ann = user(&records, "ann");
            assert_eq!((groups(&records, "ann"), &ann["mobile_number"]), (vec!["Billing"], &json!("+1-2")));
            assert!(id.is_none_or(|id| ann["id"] == id), "{ann}");
            assert_eq!(database.texts("SELECT u.username FROM tokens t JOIN users u ON u.id = t.user_id").await, ["ann"]);
            let second = again(&database, &source, &[&flags[..], &["--sync", "--delete-missing", "--yes"]].concat());
            let report = second.json();
            assert_eq!((second.code, &report["users"]["unchanged"], &report["groups"]["unchanged"], &report["tokens"]["unchanged"]), (0, &json!(2), &json!(1), &json!(1)), "{report}");
        }
    }
}

both! {
    /// Without a column for usernames, the unique column is the one with which users sign in. The e-mail address is not taken
    /// if it may be another one.
    async fn the_unique_column_is_the_one_to_sign_in_with(backend: Backend) {
        let source = ForeignSource::empty(backend).await;
        source.sql(
            "CREATE TABLE auth_user(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, phone text NOT NULL UNIQUE, email text);
             INSERT INTO auth_user VALUES (1,'!',NULL,1,'+1-555-0100',NULL),(2,'!',NULL,0,'+1-555-0101','a@example.com');").await;
        refused(&source, backend, &[], &["no column for username", "--map username=COLUMN; these are unique: phone"]).await;
        let (_, records) = imported(&source, backend, &["--map", "username=phone"]).await;
        assert_eq!((&user(&records, "+1-555-0100")["id"], &user(&records, "+1-555-0101")["mobile_number"]), (&json!(1), &json!("+1-555-0101")));
        source.sql("CREATE TABLE member(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, phone text, email text NOT NULL UNIQUE);
            INSERT INTO member VALUES (1,'!',NULL,1,NULL,'root@example.com')").await;
        let (_, records) = imported(&source, backend, &["--user-table", "member"]).await;
        assert_eq!(user(&records, "root@example.com")["id"], 1);
    }
}

both! {
    /// The number of a row of another table is no value, whatever the column is called.
    async fn a_declared_reference_is_not_a_value(backend: Backend) {
        let source = ForeignSource::base(backend,
            "CREATE TABLE media_image(id integer PRIMARY KEY, file text NOT NULL); INSERT INTO media_image VALUES (7,'avatars/a.png');
             ALTER TABLE auth_user ADD COLUMN photo integer REFERENCES media_image(id); UPDATE auth_user SET photo = 7 WHERE id = 2").await;
        let (report, records) = imported(&source, backend, &[]).await;
        assert_eq!(user(&records, "ann")["avatar"], Value::Null);
        assert_eq!(listed(&report, "columns that are not read"), ["auth_user.photo"]);
    }
}

both! {
    /// A row of a profile or of a side table that cannot be read costs its values, and not the user or group.
    async fn a_broken_row_of_a_side_table_costs_only_its_values(backend: Backend) {
        let source = ForeignSource::base(backend,
            "CREATE TABLE shop_profile(user_id integer PRIMARY KEY REFERENCES auth_user(id), phone text, updated_at text);
             INSERT INTO shop_profile VALUES (2,'+1-2','soon'),(3,'+1-3',NULL);
             INSERT INTO auth_group VALUES (1,'Billing'); INSERT INTO auth_user_groups VALUES (1,2,1);
             CREATE TABLE desk_info(group_id integer PRIMARY KEY REFERENCES auth_group(id), notes text, created_at text); INSERT INTO desk_info VALUES (1,'money','soon');").await;
        let flags = ["--profile-table", "shop_profile"];
        let (_, blocked) = import(&source, backend, &flags).await;
        assert_eq!(notice(&blocked.json(), "conflicts", "rows that cannot be imported (--skip-invalid").unwrap().0, 2, "{}", blocked.out);
        let (report, records) = imported(&source, backend, &[&flags[..], &["--skip-invalid"]].concat()).await;
        assert_eq!((groups(&records, "ann"), &user(&records, "ann")["mobile_number"], &user(&records, "bob")["mobile_number"]), (vec!["Billing"], &Value::Null, &json!("+1-3")));
        let named = listed(&report, "rows that cannot be imported are left out").join(" ");
        assert!(named.contains("shop_profile.updated_at of the row 2") && named.contains("desk_info.created_at of the row 1"), "{named}");
    }
}

both! {
    /// Many users with keys that are no numbers: pages follow each other without a gap.
    async fn pages_of_other_keys_have_no_gaps(backend: Backend) {
        let source = ForeignSource::empty(backend).await;
        let numbers = match backend {
            Backend::Sqlite => "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4500)",
            Backend::Postgres => "WITH n(n) AS (SELECT generate_series(1, 4500))",
        };
        source.sql(&format!(
            "CREATE TABLE auth_user(slug varchar(40) PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, username text NOT NULL UNIQUE);
             INSERT INTO auth_user {numbers} SELECT 'Key-' || (n * 7919 % 4507), '!', NULL, 1, 'u' || n FROM n;
             CREATE TABLE authtoken_token(key text PRIMARY KEY, user_id varchar(40) NOT NULL REFERENCES auth_user(slug));
             INSERT INTO authtoken_token SELECT 'token-of-' || username, slug FROM auth_user;")).await;
        let (report, _) = imported(&source, backend, &["--map", "user_id="]).await;
        assert_eq!((&report["users"]["added"], &report["tokens"]["added"]), (&json!(4500), &json!(4500)));
    }
}

both! {
    /// Tables of another PostgreSQL schema are found, named, and can be chosen.
    async fn tables_of_another_schema_are_found_and_named(backend: Backend) {
        let source = ForeignSource::base(backend, &format!("INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',2)")).await;
        if backend == Backend::Sqlite {
            refused(&source, backend, &["--user-table", "backoffice.auth_user"], &[r#"no table "backoffice.auth_user""#, "similar names are auth_group, auth_user"]).await;
            return;
        }
        source.sql("CREATE SCHEMA backoffice; ALTER TABLE auth_user SET SCHEMA backoffice; ALTER TABLE auth_group SET SCHEMA backoffice;
            ALTER TABLE auth_user_groups SET SCHEMA backoffice; ALTER TABLE authtoken_token SET SCHEMA backoffice;
            INSERT INTO backoffice.auth_group VALUES (1,'Billing'); INSERT INTO backoffice.auth_user_groups VALUES (1,2,1)").await;
        for flags in [&[][..], &["--user-table", "backoffice.auth_user"], &["--user-table", "auth_user"]] {
            let (report, records) = imported(&source, backend, flags).await;
            assert_eq!(report["mapping"]["user username"], "backoffice.auth_user.username");
            assert_eq!((groups(&records, "ann"), of_kind(&records, "token").len()), (vec!["Billing"], 1));
        }
        source.sql("CREATE SCHEMA second; CREATE TABLE second.auth_user (LIKE backoffice.auth_user INCLUDING ALL)").await;
        refused(&source, backend, &["--user-table", "auth_user"], &["backoffice.auth_user, second.auth_user", "--user-table SCHEMA.TABLE"]).await;
        source.sql("DROP TABLE backoffice.authtoken_token").await;
        refused(&source, backend, &[], &["backoffice.auth_user, second.auth_user", "--user-table"]).await;
    }
}

both! {
    /// Another table of users, in another schema or beside the one that is read, is named with the way to read it.
    async fn another_table_of_users_is_named(backend: Backend) {
        let source = ForeignSource::base(backend, &format!("INSERT INTO authtoken_token VALUES ('{ANNS_KEY}','2020-01-01 00:00:00',2)")).await;
        let users = "other tables that look like the users of a Django project are not read; name one with --user-table to read it instead";
        let groups = "tables of Django's groups in other schemas that are not read; name one with --groups-table to read it instead";
        let (report, _) = imported(&source, backend, &[]).await;
        assert_eq!((notice(&report, "notices", users), notice(&report, "notices", groups)), (None, None));
        source.sql("CREATE TABLE legacy_user(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, username text NOT NULL);
            CREATE VIEW people AS SELECT id, password, last_login, username FROM auth_user").await;
        let mut expected = vec!["legacy_user"];
        if backend == Backend::Postgres {
            source.sql("CREATE SCHEMA backoffice; CREATE TABLE backoffice.auth_user (LIKE auth_user INCLUDING ALL); CREATE TABLE backoffice.auth_group (LIKE auth_group INCLUDING ALL);
                INSERT INTO backoffice.auth_user SELECT * FROM auth_user WHERE id = 1").await;
            expected.push("backoffice.auth_user");
        }
        let (report, _) = imported(&source, backend, &[]).await;
        let mut named = listed(&report, users);
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected);
        if backend == Backend::Postgres {
            assert_eq!(listed(&report, groups), ["backoffice.auth_group"]);
            // What is suggested works, and names the first one.
            let flags = ["--user-table", "backoffice.auth_user", "--groups-table", "backoffice.auth_group"];
            let (report, records) = imported(&source, backend, &flags).await;
            assert_eq!(of_kind(&records, "user").len(), 1);
            assert_eq!((listed(&report, users), listed(&report, groups)), (vec!["auth_user".to_owned(), "legacy_user".to_owned()], vec!["auth_group".to_owned()]));
        }
    }
}

both! {
    /// What belongs to a user or a group that is left out, or does not exist, is named.
    async fn what_belongs_to_rows_that_are_left_out_is_named(backend: Backend) {
        let source = ForeignSource::base(backend,
            "CREATE TABLE shop_profile(user_id integer PRIMARY KEY, phone text); INSERT INTO shop_profile VALUES (2,'+1-2'),(77,'+1-77');
             INSERT INTO auth_group VALUES (1,'Billing'),(2,'Vault'),(0,'Zero');
             INSERT INTO auth_user_groups VALUES (1,2,1),(2,2,2),(3,3,1),(4,3,0);").await;
        // Their types do not hold this back where they are texts.
        source.sql(match backend {
            Backend::Sqlite => "UPDATE auth_user SET date_joined = 'soon' WHERE id = 2",
            Backend::Postgres => "ALTER TABLE auth_user ALTER COLUMN date_joined TYPE text; UPDATE auth_user SET date_joined = 'soon' WHERE id = 2",
        }).await;
        let (report, records) = imported(&source, backend, &["--skip-invalid", "--profile-table", "shop_profile"]).await;
        assert_eq!(groups(&records, "bob"), ["Billing"]);
        assert_eq!(
            listed(&report, "memberships of users that are left out are not read"),
            ["user 2: the group with id 1", "user 2: the group with id 2"]
        );
        assert_eq!(listed(&report, "memberships of groups that are left out are not read"), ["user 3: the group 0"]);
        assert_eq!(listed(&report, "rows of users that do not exist are left out"), ["shop_profile 77"]);
        assert_eq!(notice(&report, "notices", "memberships of groups that do not exist"), None);
    }
}

both! {
    /// An error of the database has the database's own words and the next step.
    async fn errors_of_the_source_have_the_database_s_own_words(backend: Backend) {
        let source = ForeignSource::base(backend, "").await;
        let database = Database::new(backend).await;
        let run = |from: &str| on(&database, &["import", "django", "--from", from], "");
        match backend {
            Backend::Sqlite => {
                // A view over a table that is gone hides no other table, and is named when it is asked for.
                source.sql("CREATE TABLE gone(id integer); CREATE VIEW people AS SELECT id FROM gone; DROP TABLE gone").await;
                assert_eq!(run(&source.from()).code, 0);
                refused(&source, backend, &["--user-table", "people"], &["cannot list the columns of people", "gone"]).await;
            }
            Backend::Postgres => {
                let role = format!("wardroom_reader_{}", std::process::id());
                source.sql(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT SELECT (id, username, last_login, email, first_name, last_name, is_superuser, is_staff, is_active, date_joined) ON auth_user TO {role}")).await;
                let (_, rest) = source.from().split_once('@').map(|(one, rest)| (one.to_owned(), rest.to_owned())).unwrap();
                let ran = run(&format!("postgres://{role}:reader@{rest}"));
                assert!(ran.code == 2 && ran.err.contains("may not read auth_user.password: grant it SELECT on auth_user"), "{}{}", ran.out, ran.err);
                source.sql(&format!("GRANT SELECT ON auth_user, auth_group, auth_user_groups, authtoken_token TO {role}; REVOKE SELECT ON auth_group FROM {role}; DROP TABLE auth_user_groups; GRANT SELECT (id, name) ON auth_group TO {role}")).await;
                let ran = run(&format!("postgres://{role}:reader@{rest}"));
                assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
                let (base, _) = rest.rsplit_once('/').unwrap();
                let missing = run(&format!("postgres://{role}:reader@{base}/no_such_database"));
                assert!(missing.code != 0 && missing.err.contains("database \"no_such_database\" does not exist"), "{}", missing.err);
                source.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
            }
        }
    }
}

both! {
    /// A comparison takes its keys from the same tables as the import.
    async fn a_comparison_reads_the_mapping_file(backend: Backend) {
        let source = ForeignSource::base(backend, &format!("ALTER TABLE auth_user ADD COLUMN api_key text; UPDATE auth_user SET api_key = '{ANNS_KEY}' WHERE id = 2")).await;
        let database = Database::new(backend).await;
        let file = database.place().join("mapping.toml");
        std::fs::write(&file, "token_table = \"auth_user\"\n[columns]\ntoken_key = \"api_key\"\n").unwrap();
        let from = source.from();
        let args = ["compare", "--old", "http://127.0.0.1:1", "--new", "http://127.0.0.1:1", "--tokens-from", &from];
        let without = on(&database, &args, "");
        assert!(without.code == 2 && without.err.contains("no keys in clear text"), "{}", without.err);
        // With keys it goes on to the servers, which do not exist.
        let with = on(&database, &[&args[..], &["--mapping", file.to_str().unwrap()]].concat(), "");
        assert_eq!(with.code, 5, "{}", with.err);
    }
}
