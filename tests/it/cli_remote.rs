//! The commands through the API of a running server: the same commands, the same output.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use wardroom::directory::Clock;

use crate::avatars::{complete, png};
use crate::cli::{Ran, on};
use crate::cli_lists::works;
use crate::support::site::person;
use crate::support::{Backend, Database, Site, both};

/// A head that is in no chain.
const HEAD: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

/// A key in a file that only its owner can read.
fn key_file(database: &Database, key: &str) -> String {
    let file = database.place().join("key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file.display().to_string()
}

/// Runs a command on a server. The settings name a place without a database.
fn remotely(site: &Site, file: &str, args: &[&str], stdin: &str) -> Ran {
    let nowhere = Database::in_directory(&site.database.place().join("nowhere"));
    let url = format!("http://{}", site.address);
    on(&nowhere, &[args, &["--remote", &url, "--token-file", file]].concat(), stdin)
}

both! {
    /// What is read through the API looks as what is read from the database.
    async fn the_output_is_the_same(backend: Backend) {
        let site = Site::start(backend).await;
        let file = key_file(&site.database, &site.admin.key);
        works(&site.database, &["group", "grant", "Billing", "user_read"]);
        works(&site.database, &["user", "grant", "staff", "group_read"]);
        works(&site.database, &["user", "delete", "inactive", "--yes"]);
        works(&site.database, &["group", "delete", "Staff room", "--yes"]);
        for args in [
            &["user", "list"][..],
            &["user", "list", "--search", "alex", "--ordering", "-id"],
            &["user", "list", "--group", "Billing"],
            &["user", "list", "--all", "--no-staff"],
            &["user", "deleted"],
            &["user", "deleted", "--json"],
            &["group", "list", "--json"],
            &["group", "deleted"],
            &["group", "deleted", "--json", "--search", "staff"],
            &["group", "list", "--ordering", "-name"],
            &["group", "show", "Billing", "On call"],
            &["group", "show", "Billing", "--json"],
            &["permission", "list"],
            &["permission", "show", "user_read", "1202"],
            &["permission", "show", "user_read", "--all", "--json"],
            &["token", "list", "alex_thompson"],
            &["token", "list", "staff", "--json"],
            &["token", "list"],
            &["token", "list", "--json"],
            &["token", "list", "--ordering", "-created_at,id", "--limit", "1000"],
            &["token", "list", "--all", "--no-expiry", "--never-used"],
            &["token", "list", "--kind", "imported", "--state", "active"],
            &["token", "list", "staff", "--name", "test"],
            &["token", "list", "--has-expiry"],
            &["token", "list", "--unused-since", "2025-09-02", "--json"],
            &["token", "find", "--prefix", "f4e7", "--last", "2070"],
            &["audit", "verify"],
            &["audit", "verify", "--json"],
            &["audit", "list", "--object", "Billing"],
            &["audit", "list", "--object", "staff", "--object-kind", "user", "--json"],
            &["audit", "list", "--object", "staff", "--object-kind", "group"],
            &["audit", "export"],
            &["audit", "export", "--after", "5", "--from", "2025-01-01"],
            &["audit", "list", "--action", "user.create"],
            &["audit", "list", "--all", "--object-kind", "group"],
            &["audit", "list", "--actor", "admin", "--json"],
            &["audit", "actions"],
        ] {
            let (here, there) = (works(&site.database, args), remotely(&site, &file, args, ""));
            assert_eq!((there.code, there.err.as_str()), (0, here.err.as_str()), "{args:?}");
            assert_eq!(there.out, here.out, "{args:?}");
        }
        let cut = remotely(&site, &file, &["user", "list", "--limit", "2"], "");
        assert!(cut.err.starts_with("2 of 5 shown."), "{}", cut.err);
        let (here, there) = (works(&site.database, &["user", "show", "staff"]), remotely(&site, &file, &["user", "show", "staff"], ""));
        let without = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("last seen"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(without(&there.out), without(&here.out), "{}", there.err);
        assert!(there.out.contains("failed logins  none"), "{}", there.out);
        for args in [&["user", "show", "nobody", "4711"][..], &["group", "show", "none", "4711"], &["user", "restore", "nobody"], &["group", "restore", "none", "4711"], &["user", "list", "--group", "none"], &["user", "grant", "staff", "zz"], &["token", "rotate", "4711"], &["token", "revoke", "4711", "4712"], &["token", "revoke", "--all-of", "none"],
            &["token", "find", "--prefix", "wrd_none", "--last", "none"], &["token", "list", "--key", "f4e75eab6e0f663a972d145478d6fc4b81762070"], &["permission", "rename", "none", "other"],
            &["permission", "rename", "user_read", "other"], &["permission", "remove", "1222", "--yes"], &["permission", "add", "user_read"], &["permission", "add", "x", "--code", "7"],
            &["user", "unlock", "none"], &["audit", "list", "--object", "none"], &["audit", "verify", "--expect-head", HEAD], &["token", "find", "--key-stdin"]] {
            let (here, there) = (on(&site.database, args, "a key of no token\n"), remotely(&site, &file, args, "a key of no token\n"));
            assert_eq!((there.code, there.err, there.out), (here.code, here.err, here.out), "{args:?}");
            assert_ne!(there.code, 0, "{args:?}");
        }
    }
}

both! {
    /// The daily tasks work through the API, as the owner of the token.
    async fn changes_are_made_by_the_owner_of_the_token(backend: Backend) {
        let site = Site::start(backend).await;
        let file = key_file(&site.database, &site.admin.key);
        let run = |args: &[&str]| {
            let ran = remotely(&site, &file, args, "");
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
            ran.out
        };
        assert!(run(&["user", "add", "ann", "--staff", "--group", "Billing", "--permission", "user_read", "--email", "ann@example.com"]).starts_with("Added user "));
        assert_eq!(run(&["user", "grant", "ann", "1202"]).replace(char::is_numeric, ""), "Gave group_read () to user  (ann).\n");
        run(&["user", "revoke", "ann", "user_read"]);
        run(&["user", "edit", "ann", "--last-name", "Lee", "--email", ""]);
        let shown = works(&site.database, &["user", "show", "ann", "--json"]).json();
        assert_eq!((&shown["last_name"], &shown["email"], &shown["permissions"][0]["code"]), (&"Lee".into(), &serde_json::Value::Null, &1202.into()));
        assert_eq!(run(&["group", "add-member", "On call", "ann", "42"]), "1 of 2 joined On call (2 members now).\n");
        assert_eq!(run(&["group", "remove-member", "On call", "ann"]), "1 of 1 left On call (1 members now).\n");
        run(&["group", "add", "New", "--permission", "user_read"]);
        run(&["group", "grant", "New", "group_read"]);
        run(&["group", "edit", "New", "--name", "Newer"]);
        assert!(run(&["group", "show", "Newer"]).contains("permissions    1202 group_read\n               1222 user_read\n"));
        assert!(run(&["group", "delete", "Newer", "--yes"]).starts_with("Deleted group "));
        let issued = run(&["token", "issue", "ann", "--name", "laptop", "--expires-in", "90d"]);
        let key = issued.lines().last().unwrap();
        assert_eq!(site.me(key).send().await.status, 200);
        assert!(run(&["user", "sign-out", "ann"]).ends_with("1 tokens revoked.\n"));
        assert_eq!(site.me(key).send().await.status, 401);
        let set = remotely(&site, &file, &["user", "set-password", "ann", "--password-stdin"], "a long enough password\n");
        assert_eq!(set.code, 0, "{}", set.err);
        assert_eq!(run(&["user", "disable", "ann", "plain"]).lines().count(), 2);
        run(&["user", "enable", "ann"]);
        assert_eq!(run(&["user", "delete", "ann", "plain", "--yes"]).lines().count(), 2);
        assert!(run(&["user", "restore", "ann"]).starts_with("Restored user "));
        run(&["user", "purge", "plain", "--yes"]);
        let events = works(&site.database, &["audit", "list", "--actor", "admin", "--all", "--json"]).json();
        assert!(events.as_array().unwrap().len() > 15);
    }
}

both! {
    /// What is wrong with the server, the key or the rights is said, and the key is in no message.
    async fn refusals_name_what_to_do(backend: Backend) {
        let site = Site::start(backend).await;
        let (admin, plain) = (key_file(&site.database, &site.admin.key), site.database.place().join("plain"));
        let url = format!("http://{}", site.address);
        let plain = plain.display().to_string();
        std::fs::write(&plain, &site.plain.key).unwrap();
        std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o600)).unwrap();
        let open = site.database.place().join("open").display().to_string();
        std::fs::write(&open, &site.admin.key).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        let wrong = site.database.place().join("wrong").display().to_string();
        std::fs::write(&wrong, "wrd_none").unwrap();
        std::fs::set_permissions(&wrong, std::fs::Permissions::from_mode(0o600)).unwrap();
        for (args, code, expected) in [
            (&["user", "list", "--remote", &url][..], 2, "--remote needs --token-file FILE"),
            (&["user", "list", "--token-file", &admin], 2, "need --remote URL"),
            (&["user", "list", "--remote", "accounts", "--token-file", &admin], 2, "use one such as https://accounts.example.com"),
            (&["user", "list", "--remote", "http://accounts.example.com", "--token-file", &admin], 2, "would send the key in clear text: use https://"),
            (&["user", "list", "--remote", &url, "--token-file", "/nonexistent"], 2, "--token-file /nonexistent: No such file"),
            (&["user", "list", "--remote", &url, "--token-file", &open], 2, "run `chmod 600` on it"),
            (&["user", "list", "--remote", &url, "--token-file", &wrong], 4, "the server refuses the key of --token-file: Invalid token."),
            (&["user", "list", "--remote", &url, "--token-file", &plain], 4, "You do not have permission"),
            (&["user", "list", "--remote", "http://127.0.0.1:9", "--token-file", &admin], 5, "http://127.0.0.1:9: "),
            (&["doctor", "--remote", &url, "--token-file", &admin], 2, "--remote works with the commands user, group, token, permission and audit only"),
            (&["user", "add", "staff", "--email", "zz", "--remote", &url, "--token-file", &admin], 4, "email: Enter a valid email address."),
            (&["user", "add", "staff", "--remote", &url, "--token-file", &admin], 4, "username: user with this username already exists."),
        ] {
            let ran = on(&site.database, args, "");
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
            assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
            assert!(!ran.err.contains(&site.admin.key), "{args:?}");
        }
    }
}

/// What was done once here and once through the API, without what differs by itself: numbers, keys and times.
fn alike(ran: &Ran, name: &str) -> String {
    let is_about_key = ran.err.ends_with("Save its key now; it cannot be shown again:\n");
    assert!(ran.code == 0 && (ran.err.is_empty() || is_about_key), "{name}: {}", ran.err);
    // Through the API, a token makes tokens.
    let text = format!("{}{}", ran.err, ran.out)
        .replace(name, "NAME")
        .replace(r#""made_by": "token""#, r#""made_by": "operator""#);
    let lines = text.lines().map(|line| {
        let is_of_key = ["\"prefix\"", "\"last_four\"", "\"key\""].iter().any(|field| line.contains(field));
        let words =
            line.split(' ').map(|word| if word.starts_with("wrd_") || is_of_key { "KEY" } else { word });
        words.collect::<Vec<_>>().join(" ").replace(|c: char| c.is_ascii_digit(), "")
    });
    lines.collect::<Vec<_>>().join("\n")
}

both! {
    /// Each command that changes something does the same through the API, and says the same.
    async fn changes_look_the_same(backend: Backend) {
        let site = Site::start(backend).await;
        let file = key_file(&site.database, &site.admin.key);
        // The commands here have the time of the machine.
        site.clock.set(Clock::system().unwrap().now());
        for user in ["near", "afar"] {
            works(&site.database, &["user", "add", user]);
        }
        for json in [&[][..], &["--json"]] {
            let mut tokens = Vec::new();
            for user in ["near", "afar"] {
                tokens.push(works(&site.database, &["token", "issue", user, "--name", "of me", "--json"]).json());
                works(&site.database, &["token", "issue", user, "--name", "more"]);
                let body = format!(r#"{{"username": "{user}", "password": "a wrong password"}}"#);
                for _ in 0..3 {
                    site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body.as_str()).send().await;
                }
            }
            let keys: Vec<_> = tokens.iter().map(|token| format!("{}\n", token["key"].as_str().unwrap())).collect();
            let ids: Vec<_> = tokens.iter().map(|token| token["id"].to_string()).collect();
            // Both command lines are the same but for the object.
            let same = |line: &str, parts: [&str; 2], objects: [&str; 2], stdin: [&str; 2]| {
                let args = |which: usize| -> Vec<String> {
                    let line = line.replace("TOKEN", objects[which]).replace("NAME", parts[which]);
                    line.split(' ').map(str::to_owned).chain(json.iter().map(|flag| (*flag).to_owned())).collect()
                };
                let run = |which: usize| {
                    let args = args(which);
                    let args: Vec<_> = args.iter().map(String::as_str).collect();
                    match which {
                        0 => on(&site.database, &args, stdin[0]),
                        _ => remotely(&site, &file, &args, stdin[1]),
                    }
                };
                let (here, there) = (run(0), run(1));
                assert_eq!(alike(&there, parts[1]), alike(&here, parts[0]), "{line}");
                there.out
            };
            let run = |line: &str| same(line, ["near", "afar"], [&ids[0], &ids[1]], [&keys[0], &keys[1]]);
            assert!(run("token find --key-stdin").contains("afar"));
            let unlocked = run("user unlock NAME");
            assert!(unlocked.contains("forgotten") || !unlocked.contains("\"failed_attempts\": 0"), "{unlocked}");
            run("token rotate TOKEN --overlap 1h");
            run("token revoke TOKEN");
            run("token revoke --all-of NAME");
            run("permission add NAME");
            run("permission rename NAME view_NAME");
            run("permission remove view_NAME --yes");
        }
    }
}

both! {
    /// A list of keys ends tokens here and there; only here is it said whose they were. No key is printed.
    async fn leaked_keys_end_here_and_there(backend: Backend) {
        let site = Site::start(backend).await;
        let file = key_file(&site.database, &site.admin.key);
        let list = site.database.place().join("leaked.txt");
        std::fs::write(&list, format!("{}\n\n  nonsense \n{}\n", site.plain.key, site.plain.key)).unwrap();
        let here = on(&site.database, &["token", "revoke", "--leaked", list.to_str().unwrap()], "");
        assert!(here.out.contains("(test) of plain is revoked.\n1 token of 2 keys; 1 without a valid token.\n"), "{}{}", here.out, here.err);
        let keys = format!("{}\n{}\n", site.staff.key, site.plain.key);
        let there = remotely(&site, &file, &["token", "revoke", "--leaked", "-"], &keys);
        assert_eq!((there.code, there.out.as_str()), (0, "2 keys were reported. Those that were valid no longer are; the audit trail names their owners.\n"));
        for key in [&site.plain.key, &site.staff.key] {
            assert_eq!(site.me(key).send().await.status, 401);
            assert!(!format!("{}{}{}{}", here.out, here.err, there.out, there.err).contains(key.as_str()));
        }
        let again = on(&site.database, &["token", "revoke", "--leaked", "-", "--json"], &keys);
        assert_eq!(again.json(), json!({ "reported": 2, "revoked": [] }));
        let longest = on(&site.database, &["token", "revoke", "--leaked", "-"], &format!("a\n{}\n", "k".repeat(257)));
        assert_eq!((longest.code, longest.err.contains("line 2 of standard input is longer than a key, 256 bytes")), (2, true), "{}", longest.err);
        // A line of a report or of source code: its key would stay valid.
        let key = &site.admin.key;
        for line in [format!("[{{\"Secret\":\"{key}\"}}]"), format!("\"{key}\","), format!("KEY={key}"), format!("key:{key}"), format!("{key} # mine")] {
            let lines = format!("nonsense\n{line}\n");
            for said in [on(&site.database, &["token", "revoke", "--leaked", "-"], &lines), remotely(&site, &file, &["token", "revoke", "--leaked", "-"], &lines)] {
                let is_refused = (said.code, said.err.contains("line 2 of standard input has more than a key: write one key on each line"), said.err.contains(key.as_str()));
                assert_eq!(is_refused, (2, true, false), "{line}: {}{}", said.out, said.err);
            }
        }
        assert_eq!(site.me(key).send().await.status, 200);
        let events = "SELECT actor_kind || ' ' || object_name FROM audit_events WHERE action = 'token.leaked' ORDER BY id";
        assert_eq!(site.database.texts(events).await, ["operator test", "anonymous test"]);
    }
}

both! {
    async fn a_picture_is_sent_as_a_file(backend: Backend) {
        let site = Site::start(backend).await;
        let file = key_file(&site.database, &site.admin.key);
        let picture = site.database.place().join("picture.png");
        std::fs::write(&picture, png([20, 10, 5])).unwrap();
        let picture = picture.to_str().unwrap();
        let added = remotely(&site, &file, &["user", "add", "remote", "--staff", "--group", "Billing", "--email", "", "--avatar", picture], "");
        assert_eq!(added.code, 0, "{}", added.err);
        let user = async || site.get("/api/users?username=remote").token(&site.admin.key).send().await.json()["results"][0].clone();
        let made = user().await;
        let name = made["avatar"].as_str().unwrap().strip_prefix("http://localhost/media/").unwrap().to_owned();
        assert!(complete(&site.media, &name), "{made}");
        assert_eq!((&made["groups"], &made["is_staff"], &made["email"]), (&json!([3]), &json!(true), &Value::Null));
        let edited = remotely(&site, &file, &["user", "edit", "remote", "--no-avatar", "--first-name", "R\u{e9}mi"], "");
        assert_eq!(edited.code, 0, "{}", edited.err);
        assert_eq!((&user().await["avatar"], &user().await["first_name"]), (&Value::Null, &json!("R\u{e9}mi")));
        let refused = remotely(&site, &file, &["user", "edit", "remote", "--avatar", "Cargo.toml"], "");
        assert_eq!((refused.code, refused.err.contains("Upload a valid image.")), (4, true), "{}", refused.err);
    }
}

both! {
    /// Who may restore but not read gets a report with what the recycle bin shows, and not an error after the work is done.
    async fn a_restore_without_the_right_to_read_is_reported(backend: Backend) {
        let site = Site::start(backend).await;
        // The permissions to delete groups (1204) and users (1224), and none to read them.
        let binner = person(site.directory(), "binner", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![4, 8]);
        })
        .await;
        let admin = key_file(&site.database, &site.admin.key);
        let works = |file: &str, args: &[&str]| {
            let ran = remotely(&site, file, args, "");
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
            ran.out
        };
        works(&admin, &["group", "add", "Night shift"]);
        let id = site.plain.id;
        for round in 0..2 {
            let admin = key_file(&site.database, &site.admin.key);
            works(&admin, &["group", "delete", "Night shift", "--yes"]);
            works(&admin, &["user", "delete", "plain", "--yes"]);
            let file = key_file(&site.database, &binner.key);
            if round == 0 {
                assert!(works(&file, &["group", "restore", "Night shift"]).ends_with(" (Night shift).\n"));
                assert_eq!(works(&file, &["user", "restore", "plain"]), format!("Restored user {id} (plain).\n"));
            } else {
                let group: Value = serde_json::from_str(&works(&file, &["group", "restore", "Night shift", "--json"])).unwrap();
                assert_eq!((&group["name"], group.as_object().unwrap().len()), (&json!("Night shift"), 2), "{group}");
                let user: Value = serde_json::from_str(&works(&file, &["user", "restore", "plain", "--json"])).unwrap();
                assert_eq!(user, json!({"id": id, "username": "plain"}));
            }
        }
    }
}
