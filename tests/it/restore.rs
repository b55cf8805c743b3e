//! A restore gives no access that is closed now: not without a flag, and with `--keep-closed` not at all. The matrix
//! is: what was closed, whether the old database can be read, and which database it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use wardroom::directory::model::{GroupDraft, TokenId, UserDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory, Location, Origin};

use crate::backup::{archive, beside, data, done, text, works};
use crate::cli::{Ran, on};
use crate::support::site::{import, imported, operator};
use crate::support::{Backend, Database, both};

/// Each of these users loses something that the others keep.
const PEOPLE: [&str; 14] = [
    "boss", "revoked", "ended", "rotated", "overlap", "struck", "moved", "inactive", "admin", "staff",
    "changed", "deleted", "purged", "plain",
];
const OLD: &str = "an old long passphrase";
const NEW: &str = "quite another passphrase";

/// An account database with users, their keys, and a backup of it.
struct Scene {
    database: Database,
    /// The owner of each key, and the key.
    keys: Vec<(&'static str, String)>,
    file: PathBuf,
}

impl Scene {
    async fn new(backend: Backend) -> Self {
        let database = Database::new(backend).await;
        let clock = Clock::system().unwrap();
        let directory = database.open(&clock).await;
        let mut keys = Vec::new();
        let group = GroupDraft {
            name: Some("Billing".into()),
            permissions: Some(vec![2, 6]),
            ..GroupDraft::default()
        };
        let billing = directory.create_group(&operator(), &group).await.unwrap().id.get();
        let group =
            GroupDraft { name: Some("Doomed".into()), permissions: Some(vec![8]), ..GroupDraft::default() };
        let doomed = directory.create_group(&operator(), &group).await.unwrap().id.get();
        for name in PEOPLE {
            let draft = UserDraft {
                username: Some(name.into()),
                is_staff: Some(true),
                is_admin: Some(matches!(name, "boss" | "admin")),
                groups: Some(if name == "plain" { vec![billing, doomed] } else { vec![billing] }),
                permissions: Some(vec![13]),
                ..UserDraft::default()
            };
            let id = directory.create_user(&operator(), &draft, None).await.unwrap().id;
            let issued =
                directory.issue_token(&operator(), &UserKey::Id(id), "laptop", Expiry::Never).await.unwrap();
            keys.push((name, issued.key.reveal().to_owned()));
        }
        drop(directory);
        let set = ["user", "set-password", "changed", "--password-stdin", "--keep-signed-in"];
        assert_eq!(on(&database, &set, OLD).code, 0);
        works(&database, &["group", "add", "Binned", "--permission", "user_read"]);
        works(&database, &["group", "add-member", "Binned", "plain"]);
        works(&database, &["group", "delete", "Binned", "--yes"]);
        works(&database, &["user", "add", "binned", "--admin"]);
        works(&database, &["user", "delete", "binned", "--yes"]);
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        Self { database, keys, file }
    }

    async fn directory(&self) -> Directory {
        self.database.open(&Clock::system().unwrap()).await
    }

    async fn id(&self, table: &str, column: &str, name: &str) -> i64 {
        self.database.number(&format!("SELECT id FROM {table} WHERE {column} = '{name}'")).await
    }

    async fn token_of(&self, name: &str) -> i64 {
        let of = "SELECT t.id FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.revoked_at IS NULL AND t.name = 'laptop'";
        self.database.number(&format!("{of} AND u.username = '{name}' ORDER BY t.id LIMIT 1")).await
    }

    /// Everything that is possible with the keys and passwords of the scene, and the users in the bin with the rights
    /// that they would get back.
    async fn access_of(&self) -> BTreeSet<String> {
        let directory = self.directory().await;
        let mut open = BTreeSet::new();
        for (name, key) in &self.keys {
            let Ok(identity) = directory.authenticate(key, None).await else { continue };
            let user = &identity.user;
            // With the owner, in case it belongs to another user by now.
            let name = if *name == user.username {
                (*name).to_owned()
            } else {
                format!("{name} as {}", user.username)
            };
            open.insert(format!("{name}: key"));
            for (rank, held) in [("admin", user.is_admin), ("staff", user.is_staff)] {
                open.extend(held.then(|| format!("{name}: {rank}")));
            }
            open.extend(identity.rights.iter().map(|code| format!("{name}: may {code}")));
            open.extend(user.groups.iter().map(|group| format!("{name}: in {group}")));
            // A token with an end shows it in an hour.
            open.extend(identity.token.expires_at.is_none().then(|| format!("{name}: key without end")));
        }
        for password in [OLD, NEW] {
            let signed_in =
                directory.sign_in(&Origin::default(), "changed", Password::new(password.into())).await;
            open.extend(signed_in.is_ok().then(|| format!("changed: {password}")));
        }
        let groups = self.database.texts("SELECT name FROM deleted_groups ORDER BY id").await;
        open.extend(groups.iter().filter(|name| *name == "Binned").map(|name| format!("bin: group {name}")));
        let bin = self.database.texts("SELECT username FROM deleted_users ORDER BY id").await;
        // Callers with the right can restore a user from the bin, with the user's old rights.
        open.extend(bin.iter().filter(|name| *name == "binned").map(|name| format!("bin: {name}")));
        open
    }

    fn restore(&self, flags: &[&str]) -> Ran {
        let args: Vec<&str> =
            ["restore", text(&self.file), "--replace"].into_iter().chain(flags.iter().copied()).collect();
        loop {
            let ran = beside(&self.database, &args);
            // A dropped `Directory` of this process closes its file on a thread of its own.
            if !ran.err.contains("is in use: stop the servers") {
                return ran;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn restored(&self, flags: &[&str]) -> Value {
        let flags: Vec<&str> = flags.iter().copied().chain(["--json"]).collect();
        let ran = self.restore(&flags);
        assert_eq!(ran.code, 0, "{flags:?}: {} {}", ran.out, ran.err);
        ran.json()
    }

    /// Returns the refusal as JSON, and checks that nothing was changed.
    async fn refused(&self, flags: &[&str]) -> Value {
        let before = self.database.content().await;
        let flags: Vec<&str> = flags.iter().copied().chain(["--json"]).collect();
        let ran = self.restore(&flags);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{flags:?}: {}", ran.err);
        assert_eq!(self.database.content().await, before);
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(error["error"]["kind"], "refused");
        error["error"].clone()
    }

    async fn sql(&self, sql: &str) {
        self.database.sql(sql).await;
    }
}

/// An action that closes something, and its entry in the list: the kind, the owner, and its other name.
const CLOSINGS: [(&str, &str, &str, &str); 17] = [
    ("token revoked", "token_revoked", "revoked", "laptop"),
    ("token ended", "token_ended", "ended", "laptop"),
    ("token rotated", "token_revoked", "rotated", "laptop"),
    ("token rotated with an overlap", "token_ended", "overlap", "laptop"),
    ("token struck out", "token_deleted", "struck", "laptop"),
    ("token of another user", "token_moved", "moved", "laptop"),
    ("user deactivated", "user_deactivated", "inactive", ""),
    ("admin demoted", "admin_removed", "admin", ""),
    ("staff demoted", "staff_removed", "staff", ""),
    ("password changed", "password_changed", "changed", ""),
    ("user deleted", "user_deleted", "deleted", ""),
    ("user purged", "user_deleted", "purged", ""),
    ("deleted user purged", "deleted_user_purged", "binned", ""),
    ("deleted group purged", "deleted_group_purged", "", "Binned"),
    ("permission taken", "permission_removed", "plain", "audit_read"),
    ("membership taken", "membership_removed", "boss", "Billing"),
    ("permission of a group taken", "group_permission_removed", "", "Billing"),
];

async fn close(scene: &Scene, what: &str) {
    let run = |args: &[&str]| drop(works(&scene.database, args));
    let directory = async || scene.directory().await;
    let yes = if matches!(scene.database.location, Location::Sqlite(_)) { "1" } else { "true" };
    match what {
        "token revoked" => run(&["token", "revoke", &scene.token_of("revoked").await.to_string()]),
        "token ended" => {
            let id = TokenId::try_from(scene.token_of("ended").await).unwrap();
            let end = Some(Expiry::After(Duration::from_secs(3600)));
            directory().await.update_token(&operator(), None, id, None, end).await.unwrap();
        }
        "token rotated" | "token rotated with an overlap" => {
            let (whose, overlap) = if what == "token rotated" { ("rotated", 0) } else { ("overlap", 3600) };
            let id = TokenId::try_from(scene.token_of(whose).await).unwrap();
            directory()
                .await
                .rotate_token(&operator(), None, id, Duration::from_secs(overlap))
                .await
                .unwrap();
        }
        "token struck out" => {
            scene.sql(&format!("DELETE FROM tokens WHERE id = {}", scene.token_of("struck").await)).await;
        }
        "token of another user" => {
            let (id, other) = (scene.token_of("moved").await, scene.id("users", "username", "plain").await);
            scene.sql(&format!("UPDATE tokens SET user_id = {other} WHERE id = {id}")).await;
        }
        "user deactivated" => run(&["user", "disable", "inactive"]),
        "admin demoted" => run(&["user", "edit", "admin", "--admin", "false"]),
        "staff demoted" => run(&["user", "edit", "staff", "--staff", "false"]),
        "password changed" => {
            let reset = ["user", "set-password", "changed", "--password-stdin", "--keep-signed-in"];
            let set = on(&scene.database, &reset, NEW);
            assert_eq!(set.code, 0, "{}", set.err);
        }
        "user deleted" => run(&["user", "delete", "deleted", "--yes"]),
        "user purged" => {
            let id = scene.id("users", "username", "purged").await.to_string();
            run(&["user", "delete", "purged", "--yes"]);
            run(&["user", "purge", &id, "--yes"]);
        }
        "deleted user purged" => {
            let id = scene.id("deleted_users", "username", "binned").await.to_string();
            run(&["user", "purge", &id, "--yes"]);
        }
        "deleted group purged" => run(&["group", "purge", "Binned", "--yes"]),
        "permission taken" => {
            let of = scene.id("users", "username", "plain").await;
            scene.sql(&format!("DELETE FROM user_permissions WHERE user_id = {of}")).await;
        }
        "membership taken" => run(&["group", "remove-member", "Billing", "boss"]),
        "permission of a group taken" => {
            let of = scene.id("groups", "name", "Billing").await;
            scene
                .sql(&format!("DELETE FROM group_permissions WHERE group_id = {of} AND permission_id = 6"))
                .await;
        }
        "group deleted" => run(&["group", "delete", "Doomed", "--yes"]),
        other => panic!("{other} {yes}"),
    }
}

/// The entries of this kind in the list: the owner, and the other name.
fn listed(closed: &Value, what: &str) -> Vec<(String, String)> {
    let name = |of: &Value| of["name"].as_str().unwrap_or_default().to_owned();
    let closed = closed.as_array().unwrap().iter().filter(|closed| closed["what"] == what);
    closed
        .map(|closed| {
            let others = ["token", "group", "permission"].map(|other| name(&closed[other]));
            (name(&closed["user"]), others.into_iter().find(|other| !other.is_empty()).unwrap_or_default())
        })
        .collect()
}

both! {
    /// Issue 13, finding 7: each thing that was closed is named, refused, kept closed, or opened again on request.
    async fn finding_07_what_was_closed_since_is_named_and_stays_closed(backend: Backend) {
        let scene = Scene::new(backend).await;
        let then = scene.access_of().await;
        assert!(then.len() > 60 && then.contains("bin: binned") && then.contains(&format!("changed: {OLD}")), "{then:?}");
        let cases = CLOSINGS.into_iter().chain([("group deleted", "group_deleted", "", "Doomed")]);
        for (what, kind, whose, other) in cases {
            close(&scene, what).await;
            let now = scene.access_of().await;
            assert_ne!(now, then, "{what} closes nothing");
            let refusal = scene.refused(&[]).await;
            let named = (whose.to_owned(), other.to_owned());
            assert_eq!(listed(&refusal["fields"]["closed_since"], kind), std::slice::from_ref(&named), "{what}: {refusal}");
            assert_eq!(refusal["fields"]["comparison"], "complete");
            assert!(refusal["message"].as_str().unwrap().contains("--keep-closed"), "{refusal}");
            // The text output says so, too. If nothing can be compared, only the other flag helps.
            let people = scene.restore(&["--accept-revived"]);
            let name = if whose.is_empty() { other } else { whose };
            assert!(people.code == 4 && people.err.contains(&format!("{name:?} (")) || people.err.contains(&format!("({name})")), "{}", people.err);

            let kept = scene.restored(&["--keep-revoked"]);
            assert_eq!(listed(&kept["closed_since"], kind), std::slice::from_ref(&named), "{what}: {kept}");
            assert_eq!(kept["kept_closed"], true);
            let after = scene.access_of().await;
            let opened: Vec<_> = after.difference(&now).collect();
            assert_eq!(opened, [""; 0], "{what}: opened by the restore");
            let lost: Vec<_> = now.intersection(&then).filter(|door| !after.contains(*door)).collect();
            assert_eq!(lost, [""; 0], "{what}: closed though it was open then and now");
            // A user whose password changed still has the new one.
            assert_eq!(after.contains(&format!("changed: {NEW}")), what == "password changed");

            // Once more: the current trail continues where the backup ends, so everything is known again.
            let again = scene.refused(&[]).await;
            assert_eq!(again["fields"]["closed_since"].as_array().unwrap().len(), 1, "{what}: {again}");
            let open = scene.restored(&["--revive-revoked"]);
            assert_eq!((&open["kept_closed"], open["closed_since"].as_array().unwrap().len()), (&false.into(), 1));
            assert_eq!(scene.access_of().await, then, "{what}");
            let directory = scene.directory().await;
            assert_eq!(directory.verify_audit(&operator(), None).await.unwrap().broken, None);
            assert!(directory.check_integrity().await.unwrap().is_clean());
            drop(directory);
        }
        // If nothing was closed, no flag is needed.
        assert_eq!(scene.restored(&[])["closed_since"], serde_json::json!([]));
    }
}

both! {
    /// All of them at once, with the audit event, and the list in the text output.
    async fn finding_07_everything_at_once_is_kept_closed_and_noted(backend: Backend) {
        let scene = Scene::new(backend).await;
        let then = scene.access_of().await;
        for (what, ..) in CLOSINGS {
            close(&scene, what).await;
        }
        close(&scene, "group deleted").await;
        let now = scene.access_of().await;
        let refusal = scene.refused(&["--accept-revived"]).await;
        let count = refusal["fields"]["closed_since"].as_array().unwrap().len();
        assert_eq!(count, CLOSINGS.len() + 1, "{refusal}");
        let ran = scene.restore(&["--keep-closed"]);
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        for line in [
            format!("Closed since the backup ({count} in total). Closed again:"),
            "  user deactivated: \"inactive\" (".to_owned(),
            ", with 1 active token\n".to_owned(),
            "  no longer an admin: \"admin\" (".to_owned(),
            "  password changed: \"changed\" (".to_owned(),
            "  token revoked: \"laptop\" (".to_owned(),
            "  membership removed: \"boss\" (".to_owned(),
            "  group permission removed: 1222 (user_read) of \"Billing\" (".to_owned(),
        ] {
            assert!(ran.out.contains(&line), "{line}: {}", ran.out);
        }
        let after = scene.access_of().await;
        assert!(after.is_subset(&now), "opened: {:?}", after.difference(&now).collect::<Vec<_>>());
        let lost: Vec<_> = now.intersection(&then).filter(|door| !after.contains(*door)).collect();
        assert_eq!(lost, [""; 0]);
        // Deleted users are in the bin again, with the same deleter and unchanged. Purged users are gone.
        assert_eq!(scene.database.texts("SELECT username FROM deleted_users").await, ["deleted"]);
        assert_eq!(scene.database.number("SELECT count(*) FROM users WHERE username IN ('deleted', 'purged')").await, 0);
        assert_eq!(scene.database.number("SELECT count(*) FROM groups WHERE name = 'Doomed'").await, 0);
        // So is the deleted group, with its member. The purged one is gone.
        let bin = "SELECT d.name || ' ' || u.username FROM deleted_groups d JOIN deleted_memberships m ON m.group_id = d.id \
                   JOIN users u ON u.id = m.user_id";
        assert_eq!(scene.database.texts(bin).await, ["Doomed plain"]);
        let events = scene.database.texts("SELECT changes FROM audit_events WHERE action = 'directory.restore'").await;
        let event: Value = serde_json::from_str(&events[0]).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((&event["kept_closed"], &event["comparison"], &event["accepted_revived"]), (&true.into(), &"complete".into(), &false.into()));
        assert_eq!(event["closed_since"]["token_revoked"], 2);
        assert_eq!(event["closed"].as_array().unwrap().len(), count);
        assert_eq!(scene.directory().await.verify_audit(&operator(), None).await.unwrap().broken, None);
    }
}

/// Removes the old database, or makes a comparison impossible. Returns the message that the restore gives.
async fn destroy(scene: &Scene, how: &str) -> (&'static str, &'static str) {
    match (&scene.database.location, how) {
        (Location::Sqlite(directory), "lost") => {
            fs::remove_dir_all(directory).unwrap();
            fs::create_dir(directory).unwrap();
            ("none", "there was no database here")
        }
        (Location::Sqlite(directory), "damaged") => {
            fs::write(directory.join("wardroom.db"), vec![0xff; 9000]).unwrap();
            for suffix in ["-wal", "-shm"] {
                let _ = fs::remove_file(directory.join(format!("wardroom.db{suffix}")));
            }
            ("none", "is damaged")
        }
        (Location::Postgres(_), "lost") => {
            scene.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
            ("none", "there was no database here")
        }
        (_, "new") => {
            let _ = Box::pin(destroy(scene, "lost")).await;
            works(&scene.database, &["init"]);
            works(&scene.database, &["user", "add", "somebody"]);
            ("partial", "does not continue the backup's")
        }
        // Not possible there: a damaged table is an error of PostgreSQL's own.
        (_, other) => panic!("{other}"),
    }
}

both! {
    /// A lost disk, a damaged file, another account database in its place: nothing can be compared. So the backup's
    /// tokens and admins are listed, with its age, and restoring them takes a flag. No other flag replaces that one.
    async fn finding_07_where_the_old_database_cannot_be_read_it_takes_a_flag(backend: Backend) {
        for how in ["lost", "damaged", "new"] {
            if (backend, how) == (Backend::Postgres, "damaged") {
                continue;
            }
            let scene = Scene::new(backend).await;
            let then = scene.access_of().await;
            for (what, ..) in CLOSINGS {
                close(&scene, what).await;
            }
            let (comparison, why) = destroy(&scene, how).await;
            for flags in [&[][..], &["--keep-closed"], &["--reopen-closed"], &["--keep-revoked"], &["--revive-revoked"]] {
                let flags: Vec<&str> = flags.iter().copied().chain(["--json"]).collect();
                let ran = scene.restore(&flags);
                assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{how} {flags:?}: {}", ran.err);
                let printed: Value = serde_json::from_str(&ran.err).unwrap();
                let fields = &printed["error"]["fields"];
                assert_eq!(fields["comparison"], comparison);
                assert!(fields["not_compared"].as_str().unwrap().contains(why), "{printed}");
                let brings = &fields["brings"];
                assert!(brings["age_seconds"].is_u64(), "{printed}");
                assert_eq!(brings["active_users"], PEOPLE.len());
                let names = |list: &Value, of: &str| -> Vec<String> {
                    list.as_array().unwrap().iter().map(|item| item.pointer(of).unwrap().as_str().unwrap().to_owned()).collect()
                };
                assert_eq!(names(&brings["active_admins"], "/name"), ["boss", "admin"]);
                let owners: BTreeSet<_> = names(&brings["active_tokens"], "/user/name").into_iter().collect();
                assert_eq!(owners, PEOPLE.iter().map(|name| (*name).to_owned()).collect());
                assert!(printed["error"]["message"].as_str().unwrap().contains("--accept-revived"), "{printed}");
            }
            let people = scene.restore(&[]);
            for part in ["The backup is ", "14 active users, 2 active admins and 14 active tokens", "  admin: \"boss\" (", "  token: \"laptop\" ("] {
                assert!(people.err.contains(part), "{part}: {}", people.err);
            }
            let restored = scene.restored(&["--accept-revived", "--keep-closed"]);
            assert_eq!(restored["comparison"], comparison);
            assert_eq!(restored["brings"]["active_tokens"].as_array().unwrap().len(), PEOPLE.len());
            let open = scene.access_of().await;
            assert_eq!(open, then, "{how}");
            let events = scene.database.texts("SELECT changes FROM audit_events WHERE action = 'directory.restore'").await;
            let event: Value = serde_json::from_str(&events[0]).unwrap();
            assert_eq!((&event["accepted_revived"], &event["comparison"]), (&true.into(), &comparison.into()));
        }
    }
}

both! {
    /// A token is identified by its digest: if the trail does not continue, the tokens that still exist are compared.
    async fn tokens_of_another_directory_are_compared_as_far_as_they_are_there(backend: Backend) {
        let scene = Scene::new(backend).await;
        close(&scene, "token revoked").await;
        close(&scene, "token rotated with an overlap").await;
        close(&scene, "user deactivated").await;
        // Its history differs from here on.
        scene.sql("DELETE FROM audit_events").await;
        works(&scene.database, &["user", "edit", "boss", "--first-name", "B"]);
        let refusal = scene.refused(&[]).await;
        let fields = &refusal["fields"];
        assert_eq!(fields["comparison"], "partial");
        assert_eq!(listed(&fields["closed_since"], "token_revoked"), [("revoked".to_owned(), "laptop".to_owned())]);
        assert_eq!(listed(&fields["closed_since"], "token_ended"), [("overlap".to_owned(), "laptop".to_owned())]);
        assert_eq!(fields["closed_since"].as_array().unwrap().len(), 2);
        let text = refusal["message"].as_str().unwrap();
        assert!(text.contains("--accept-revived") && text.contains("--keep-closed"), "{text}");
        scene.refused(&["--keep-closed"]).await;
        scene.refused(&["--accept-revived"]).await;
        scene.restored(&["--keep-closed", "--accept-revived"]);
        let open = scene.access_of().await;
        assert!(!open.contains("revoked: key") && !open.contains("overlap: key without end"), "{open:?}");
        assert!(open.contains("overlap: key") && open.contains("inactive: key"), "{open:?}");
    }
}

both! {
    /// Changes that close nothing need no flag: a later end, a new token, more rights, a password that a sign-in has
    /// renewed in a newer encoding.
    async fn changes_that_close_nothing_need_no_flag(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        import(&directory, vec![(imported(7, "ann"), "0123456789012345678901234567890123456789")]).await;
        drop(directory);
        // "secret passphrase", by Django's PBKDF2 with few rounds.
        let outdated = "pbkdf2_sha256$1000$c2FsdHNhbHQ$WzDqyjLkNvSlVTjVrVbOXNTCNTKuo4H4HmrEJ4/5rnc=";
        database.sql(&format!("UPDATE users SET password = '{}'", pbkdf2(outdated))).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        let file = archive(&database);
        works(&database, &["backup", text(&file)]);
        let directory = database.open(&Clock::system().unwrap()).await;
        let signed_in = directory.sign_in(&Origin::default(), "ann", Password::new("secret passphrase".into())).await;
        signed_in.unwrap();
        drop(directory);
        closed(&database).await;
        let renewed = "SELECT count(*) FROM users WHERE password LIKE 'argon2%'";
        assert_eq!(database.number(renewed).await, 1);
        works(&database, &["token", "issue", "ann", "--name", "new"]);
        works(&database, &["user", "edit", "boss", "--staff", "true"]);
        let output = works(&database, &["restore", text(&file), "--replace"]).out;
        assert!(output.contains("Nothing was closed since"), "{output}");
        // An edit beside a new hash could have been a new password. It is listed rather than missed.
        let directory = database.open(&Clock::system().unwrap()).await;
        directory.sign_in(&Origin::default(), "ann", Password::new("secret passphrase".into())).await.unwrap();
        drop(directory);
        closed(&database).await;
        works(&database, &["user", "edit", "ann", "--admin", "true"]);
        let ran = on(&database, &["restore", text(&file), "--replace"], "");
        assert!(ran.code == 4 && ran.err.contains("password changed: \"ann\" (7)"), "{}", ran.err);
    }
}

/// Waits until a dropped `Directory` of this process has closed its file, which happens on a thread of its own. The
/// last one to close removes the log.
async fn closed(database: &Database) {
    if let Location::Sqlite(directory) = &database.location {
        while directory.join("wardroom.db-wal").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An encoding of Django's, computed here so that it need not be taken on trust.
fn pbkdf2(like: &str) -> String {
    let parts: Vec<&str> = like.split('$').collect();
    let rounds: u32 = parts[1].parse().unwrap();
    let script = "import base64,hashlib,sys; print(base64.b64encode(hashlib.pbkdf2_hmac('sha256', b'secret passphrase', sys.argv[1].encode(), int(sys.argv[2]))).decode())";
    let made = std::process::Command::new("python3")
        .args(["-c", script, parts[2], &rounds.to_string()])
        .output()
        .unwrap();
    format!("pbkdf2_sha256${rounds}${}${}", parts[2], String::from_utf8(made.stdout).unwrap().trim())
}

both! {
    /// The counts of failed sign-ins are the current ones: a restore gives no new attempts.
    async fn failures_are_not_forgotten(backend: Backend) {
        let scene = Scene::new(backend).await;
        close(&scene, "password changed").await;
        let directory = scene.directory().await;
        for _ in 0..5 {
            let wrong = directory.sign_in(&Origin::default(), "changed", Password::new("wrong".into())).await;
            assert!(wrong.is_err());
        }
        drop(directory);
        let counted = "SELECT coalesce(sum(failures), 0)::bigint FROM attempts".replace("::bigint", if backend == Backend::Sqlite { "" } else { "::bigint" });
        let before = scene.database.number(&counted).await;
        assert!(before > 0);
        scene.restored(&["--keep-closed"]);
        assert_eq!(scene.database.number(&counted).await, before);
    }
}

both! {
    /// If no admin is left, the report says so, and how to make one.
    async fn a_missing_admin_is_reported(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "first", "--admin"]);
        let file = archive(&database);
        works(&database, &["backup", text(&file)]);
        works(&database, &["user", "add", "second", "--admin"]);
        works(&database, &["user", "disable", "first"]);
        let output = works(&database, &["restore", text(&file), "--replace", "--keep-closed"]).out;
        assert!(output.contains("Warning: there is no active admin"), "{output}");
        works(&database, &["user", "edit", "first", "--admin", "true"]);
        works(&database, &["user", "enable", "first"]);
    }
}

both! {
    /// An archive without active users gives no access: no flag is needed.
    async fn an_empty_backup_needs_no_flag(backend: Backend) {
        let database = Database::new(backend).await;
        let file = archive(&database);
        works(&database, &["backup", text(&file)]);
        let place = Database::empty(backend).await;
        works(&place, &["restore", text(&file)]);
    }
}

/// On PostgreSQL the replaced rows are kept as a SQLite file, unless a flag says otherwise. A restore that fails
/// keeps nothing.
#[tokio::test(flavor = "multi_thread")]
async fn replaced_rows_are_kept_on_postgres() {
    let scene = Scene::new(Backend::Postgres).await;
    close(&scene, "token revoked").await;
    let events = scene.database.texts("SELECT action FROM audit_events ORDER BY id").await;
    let kept = |place: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("before-restore-"))
            .collect()
    };
    let place = data(&scene.database);
    let report = scene.restored(&["--keep-closed", "--no-copy"]);
    assert_eq!((&report["kept"], kept(&place).len()), (&Value::Null, 0));
    scene.restored(&["--reopen-closed", "--no-copy"]);
    close(&scene, "token revoked").await;
    let report = scene.restored(&["--keep-closed"]);
    assert_eq!(report["kept"].as_str().map(PathBuf::from), kept(&place).pop());
    let old = Database::in_directory(&kept(&place)[0]);
    let trail = old.texts("SELECT action FROM audit_events ORDER BY id").await;
    assert!(trail.starts_with(&events[..3]) && trail.last().unwrap() == "token.revoke", "{trail:?}");
    assert!(works(&old, &["audit", "verify"]).out.starts_with("All "));
    assert!(works(&old, &["audit", "list", "--action", "token.revoke"]).out.contains("laptop"));
    // No PostgreSQL row can store this.
    let source = Database::new(Backend::Sqlite).await;
    works(&source, &["user", "add", "ann"]);
    source.sql("UPDATE users SET first_name = 'a' || char(0)").await;
    let file = archive(&source);
    works(&source, &["backup", text(&file)]);
    let ran = beside(&scene.database, &["restore", text(&file), "--replace", "--accept-revived"]);
    assert!(ran.code == 1 && ran.err.contains("table users, the rows from id"), "{}", ran.err);
    assert_eq!(kept(&place).len(), 1);
}
