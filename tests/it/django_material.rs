//! Checks that the Django projects, from which the import tests read, are what they claim to be. Nothing here is
//! about Wardroom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::support::client::{Answer, exchange};
use crate::support::django::{Exchange, Group, KnoxToken, Person, UserModel, Version};
use crate::support::{Backend, DjangoProject, both};

/// A nullable column of a person.
type Column = fn(&Person) -> &Option<String>;

/// One project of each version and user model.
async fn projects(backend: Backend) -> Vec<(Version, UserModel, DjangoProject)> {
    let mut found = Vec::new();
    for version in Version::ALL {
        for model in UserModel::ALL {
            found.push((version, model, DjangoProject::build(version, model, backend).await));
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

both! {
    async fn every_reported_row_exists(backend: Backend) {
        for (_, model, project) in projects(backend).await {
            let table = project.user_table();
            assert_eq!(table, if model == UserModel::Plain { "auth_user" } else { "people_person" });
            let count = async |table: &str| project.number(&format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(project.people().len(), 300);
            assert_eq!(count(table).await, 300);
            assert_eq!(count("auth_group").await, project.groups().len() as i64);
            let members: usize = project.groups().iter().map(|group| group.members.len()).sum();
            let groups: usize = project.people().iter().map(|person| person.groups.len()).sum();
            assert_eq!(members, groups);
            assert_eq!(count(&format!("{table}_groups")).await, members as i64);
            let keys = project.people().iter().filter(|person| person.drf_key.is_some()).count();
            assert_eq!(count("authtoken_token").await, keys as i64);
            // The expired ones, too: collecting the answers has not deleted them.
            let tokens: usize = project.people().iter().map(|person| person.knox.len()).sum();
            assert_eq!(count("knox_authtoken").await, tokens as i64);
            if model == UserModel::Custom {
                let with_notes = project.groups().iter().filter(|group| group.notes.is_some()).count();
                assert!((1..project.groups().len()).contains(&with_notes));
                assert_eq!(count("people_groupprofile").await, with_notes as i64);
            }
        }
    }
}

both! {
    async fn empty_and_null_are_different(backend: Backend) {
        let project = DjangoProject::build(Version::V52, UserModel::Custom, backend).await;
        let columns: [(&str, Column); 4] = [
            ("mobile_number", |person| &person.mobile_number),
            ("email", |person| &person.email),
            ("avatar", |person| &person.avatar),
            ("gender", |person| &person.gender),
        ];
        for (column, value) in columns {
            for (condition, wanted) in [("IS NULL", None), ("= ''", Some(String::new()))] {
                let query = format!("SELECT count(*) FROM people_person WHERE {column} {condition}");
                let reported = project.people().iter().filter(|person| *value(person) == wanted).count();
                assert!(reported > 10, "{column} {condition}: {reported}");
                assert_eq!(project.number(&query).await, reported as i64, "{column} {condition}");
            }
        }
        // Every case that Wardroom does not allow twice is there once.
        for value in [|person: &Person| person.mobile_number.clone(), |person: &Person| person.email.clone()] {
            let values: Vec<_> =
                project.people().iter().filter_map(value).filter(|text| !text.is_empty()).collect();
            assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
        }
    }
}

both! {
    async fn every_kind_of_value_is_there(backend: Backend) {
        for (_, model, project) in projects(backend).await {
            let people = project.people();
            let some = |what: &str, is: &dyn Fn(&Person) -> bool| {
                assert!(people.iter().any(is), "no user {what}");
                assert!(!people.iter().all(is), "all users {what}");
            };
            some("is active", &|person| person.is_active);
            some("is staff", &|person| person.is_staff);
            some("is admin", &|person| person.is_superuser);
            some("never signed in", &|person| person.last_login.is_none());
            let login = |person: &Person| person.last_login.clone().unwrap_or_default();
            some("signed in at a whole second", &|person| login(person).ends_with(".000000Z"));
            some("signed in between seconds", &|person| login(person).ends_with(".123456Z"));
            some("was there before the epoch", &|person| person.created_at.as_str() < "1970");
            some("has a decomposed name", &|person| person.first_name.contains('\u{308}'));
            some("has blanks around", &|person| person.first_name.starts_with(' '));
            some("has a line separator", &|person| person.first_name.contains('\u{2028}'));
            some("has an emoji", &|person| person.last_name.contains('\u{1f308}'));
            some("has a long name", &|person| person.last_name.chars().count() == 150);
            let time = |person: &Person| person.updated_at.is_some();
            assert_eq!(people.iter().any(time), model == UserModel::Custom);
            let high = if model == UserModel::Custom { 9_007_199_254_740_993 } else { 2_147_483_647 };
            assert_eq!(people.last().unwrap().id, high);
            let names: Vec<_> = project.groups().iter().map(|group| group.name.as_str()).collect();
            for name in ["Billing", "billing", "BILLING"] {
                assert!(names.contains(&name), "{names:?}");
            }
            let times = |group: &Group| group.created_at.is_some() && group.updated_at.is_some();
            assert_eq!(project.groups().iter().any(times), model == UserModel::Custom);
            assert!(project.groups().iter().any(|group| group.id == 20 && group.members.len() > 250));
        }
    }
}

both! {
    async fn every_hasher_is_there(backend: Backend) {
        let costs = |version| if version == Version::V42 { ("600000", "$8$1$") } else { ("1000000", "$8$5$") };
        for (version, _, project) in projects(backend).await {
            let mut found: BTreeMap<&str, Vec<&Person>> = BTreeMap::new();
            for person in project.people() {
                found.entry(&person.hasher).or_default().push(person);
            }
            let (iterations, scrypt) = costs(version);
            let pbkdf2 = format!("pbkdf2_sha256${iterations}$");
            let forms = [
                ("argon2", "argon2$argon2id$v=19$m=64,t=1,p=1$"),
                ("argon2i", "argon2$argon2i$v=19$m=64,t=2,p=1$"),
                ("bcrypt", "bcrypt$$2b$04$"),
                ("bcrypt 2a", "bcrypt$$2a$04$"),
                ("bcrypt_sha256", "bcrypt_sha256$$2b$04$"),
                ("crypt", "crypt$$"),
                ("default argon2", "argon2$argon2id$v=19$m=102400,t=2,p=8$"),
                ("default pbkdf2_sha256", &pbkdf2),
                ("default scrypt", "scrypt$16384$"),
                ("md5", "md5$"),
                ("never set", ""),
                ("pbkdf2_sha1", "pbkdf2_sha1$1000$"),
                ("pbkdf2_sha256", "pbkdf2_sha256$1000$"),
                ("pbkdf2_sha256 short salt", "pbkdf2_sha256$1000$"),
                ("scrypt", "scrypt$16$"),
                ("sha1", "sha1$"),
                ("unsalted_md5", ""),
                ("unsalted_sha1", "sha1$$"),
                ("unusable", "!"),
            ];
            assert!(found.keys().copied().eq(forms.map(|(hasher, _)| hasher)), "{:?}", found.keys());
            for (hasher, form) in forms {
                let there = &found[hasher];
                assert!(hasher.starts_with("default ") || there.len() > 10, "{hasher}");
                assert!(there.iter().all(|person| person.encoded.starts_with(form)), "{hasher}");
                let usable = hasher != "never set" && hasher != "unusable";
                assert!(there.iter().all(|person| person.password.is_some() == usable), "{hasher}");
            }
            assert!(project.person("scryptor").encoded.contains(scrypt));
        }
    }
}

both! {
    /// Knox 4 hashes the bytes that the key's digits encode, knox 5 its characters.
    async fn knox_keeps_what_its_version_keeps(backend: Backend) {
        for (version, _, project) in projects(backend).await {
            let tokens: Vec<&KnoxToken> = project.people().iter().flat_map(|person| &person.knox).collect();
            for token in &tokens {
                let hashed = match version {
                    Version::V42 => unhex(&token.key),
                    Version::V52 => token.key.clone().into_bytes(),
                };
                assert_eq!(token.digest, hex(&Sha512::digest(hashed)));
                assert_eq!(token.token_key, token.key[..if version == Version::V42 { 8 } else { 15 }]);
                assert!(token.created_at.ends_with('Z'));
            }
            let end = |year: &str| {
                tokens.iter().filter(|token| token.expires_at.as_ref().is_some_and(|end| end.starts_with(year))).count()
            };
            let (past, future) = (end("2020"), end("2099"));
            assert!(past > 10 && future > 10 && tokens.len() - past - future > 10);
            let digests = tokens.iter().map(|token| format!("'{}'", token.digest)).collect::<Vec<_>>().join(", ");
            let query = format!("SELECT count(*) FROM knox_authtoken WHERE digest IN ({digests})");
            assert_eq!(project.number(&query).await, tokens.len() as i64);
        }
    }
}

/// The expected result for a person's key: the status, and the body of a refusal.
fn expected(person: &Person, question: &Exchange) -> (u16, Option<&'static str>) {
    let key = question.authorization.as_ref().unwrap().trim().rsplit(' ').next().unwrap();
    let expired = person.knox.iter().any(|token| {
        token.key == key && token.expires_at.as_ref().is_some_and(|end| end.starts_with("2020"))
    });
    if expired {
        (401, Some(r#"{"detail":"Invalid token."}"#))
    } else if !person.is_active {
        (401, Some(r#"{"detail":"User inactive or deleted."}"#))
    } else if !person.is_staff && !person.is_superuser {
        (403, Some(r#"{"detail":"You do not have permission to perform this action."}"#))
    } else if question.method == "POST" {
        (405, Some(r#"{"detail":"Method \"POST\" not allowed."}"#))
    } else if question.method == "HEAD" {
        (200, Some(""))
    } else {
        (200, None)
    }
}

const FIELDS: [&str; 12] = [
    "id",
    "username",
    "mobile_number",
    "email",
    "avatar",
    "first_name",
    "last_name",
    "full_name",
    "gender",
    "groups",
    "last_login",
    "created_at",
];

fn check_body(person: &Person, body: &str) {
    let answer: Value = serde_json::from_str(body).unwrap();
    assert!(answer.as_object().unwrap().keys().eq(FIELDS), "{body}");
    let row = json!({
        "id": person.id, "username": person.username, "mobile_number": person.mobile_number, "email": person.email,
        "first_name": person.first_name, "last_name": person.last_name, "gender": person.gender,
        "groups": person.groups, "last_login": person.last_login, "created_at": person.created_at,
    });
    for (field, value) in row.as_object().unwrap() {
        assert_eq!(answer[field], *value, "{field} of {body}");
    }
    let full_name = answer["full_name"].as_str().unwrap();
    assert!(format!("{} {}", person.first_name, person.last_name).contains(full_name));
    match person.avatar.as_deref() {
        None | Some("") => assert!(answer["avatar"].is_null(), "{body}"),
        Some(_) => {
            assert!(answer["avatar"].as_str().unwrap().starts_with("http://www.example.com/media/avatars/"));
        }
    }
}

both! {
    async fn django_answers_every_key(backend: Backend) {
        for (_, _, project) in projects(backend).await {
            let people: HashMap<i64, &Person> =
                project.people().iter().map(|person| (person.id, person)).collect();
            let mut statuses = BTreeSet::new();
            for answer in project.answers() {
                statuses.insert((answer.kind.as_str(), answer.status));
                let header = |name: &str| {
                    answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
                };
                assert_eq!(header("content-type"), Some("application/json"));
                assert_eq!(header("www-authenticate"), (answer.status == 401).then_some("Token"));
                assert!(answer.path.starts_with(if answer.kind == "drf" { "/api/users/me" } else { "/api/knox/me" }));
                let Some(owner) = answer.owner else {
                    assert_eq!(answer.status, 401);
                    continue;
                };
                let (status, body) = expected(people[&owner], answer);
                assert_eq!(answer.status, status, "{} {owner}: {}", answer.kind, answer.body);
                match body {
                    Some(body) => assert_eq!(answer.body, body),
                    None => check_body(people[&owner], &answer.body),
                }
            }
            let all = [200, 401, 403, 405];
            assert!(all.iter().all(|status| statuses.contains(&("drf", *status)) && statuses.contains(&("knox", *status))));
            let keys = project.people().iter().map(|person| person.knox.len() + usize::from(person.drf_key.is_some()));
            assert!(project.answers().len() > keys.sum());
        }
    }
}

both! {
    /// The page that documents the endpoint shows this user's answer.
    async fn the_example_of_the_documentation_is_there(backend: Backend) {
        for version in Version::ALL {
            let project = DjangoProject::build(version, UserModel::Custom, backend).await;
            let mut answers = project.answers().iter().filter(|answer| answer.owner == Some(42));
            assert_eq!(
                answers.next().unwrap().body,
                concat!(
                    r#"{"id":42,"username":"alex_thompson","mobile_number":"+1-555-0123","#,
                    r#""email":"alex.thompson@techcorp.com","#,
                    r#""avatar":"http://www.example.com/media/avatars/alex_profile.jpg","first_name":"Alex","#,
                    r#""last_name":"Thompson","full_name":"Alex Thompson","gender":"non-binary","groups":[1,3,7],"#,
                    r#""last_login":"2025-08-06T14:23:45.123456Z","created_at":"2024-03-15T09:30:00.000000Z"}"#,
                )
            );
            assert!(project.media().join("avatars/alex_profile.jpg").exists());
            assert!(!project.media().join("avatars/lost.png").exists());
        }
    }
}

both! {
    async fn a_test_damages_only_its_own_project(backend: Backend) {
        let (spoiled, other) = tokio::join!(
            DjangoProject::build(Version::V42, UserModel::Custom, backend),
            DjangoProject::build(Version::V42, UserModel::Custom, backend),
        );
        spoiled.sql("DELETE FROM authtoken_token").await;
        assert_eq!(spoiled.number("SELECT count(*) FROM authtoken_token").await, 0);
        assert!(other.number("SELECT count(*) FROM authtoken_token").await > 0);
        assert_ne!(spoiled.source(), other.source());
    }
}

both! {
    async fn every_fault_can_be_had(backend: Backend) {
        for model in UserModel::ALL {
            let project = DjangoProject::build(Version::V52, model, backend).await;
            let table = project.user_table();
            project.damage(&["duplicate-emails", "broken-references", "odd-times", "odd-ids"]).await;
            let twins = format!("SELECT count(*) FROM {table} WHERE email = 'twin@example.com'");
            assert_eq!(project.number(&twins).await, 2);
            for reference in ["authtoken_token.user_id", "knox_authtoken.user_id"] {
                let (from, _) = reference.split_once('.').unwrap();
                let lost = format!("SELECT count(*) FROM {from} WHERE user_id NOT IN (SELECT id FROM {table})");
                assert_eq!(project.number(&lost).await, 1, "{reference}");
            }
            let lost = format!("SELECT count(*) FROM {table}_groups WHERE group_id NOT IN (SELECT id FROM auth_group)");
            assert_eq!(project.number(&lost).await, 1);
            assert_eq!(project.number(&format!("SELECT count(*) FROM {table} WHERE id < 1")).await, 2);
            let odd = format!("SELECT count(*) FROM {table} WHERE username LIKE 'odd-time-%'");
            assert!(project.number(&odd).await > 1);
            if model == UserModel::Custom {
                project.damage(&["duplicate-mobile-numbers", "escaping-avatars"]).await;
                let shared = "SELECT count(*) FROM people_person WHERE mobile_number = '+98 912 555 0000'";
                assert_eq!(project.number(shared).await, 2);
                assert!(project.media().join("avatars/link.png").is_symlink());
            }
            if backend == Backend::Sqlite {
                project.damage(&["invalid-text"]).await;
                let broken = format!("SELECT count(*) FROM {table} WHERE hex(first_name) = '4AFC7267656E'");
                assert_eq!(project.number(&broken).await, 1);
            }
        }
    }
}

both! {
    async fn a_real_server_says_the_same(backend: Backend) {
        for version in Version::ALL {
            let project = DjangoProject::build(version, UserModel::Plain, backend).await;
            let server = project.serve().await;
            for answer in project.answers().iter().filter(|answer| answer.owner == Some(42)) {
                let request = format!(
                    "{} {} HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\nAuthorization:{}\r\n\r\n",
                    answer.method,
                    answer.path,
                    answer.authorization.as_ref().unwrap(),
                );
                let heard = Answer::parse(&exchange(server.address, request.as_bytes()).await);
                assert_eq!((heard.status, &heard.body), (answer.status, &answer.body), "{request}");
                for (name, value) in &answer.headers {
                    assert_eq!(heard.header(name), Some(value.as_str()), "{name} of {request}");
                }
            }
        }
    }
}
