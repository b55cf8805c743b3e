//! The daily tasks about users on the command line: creating, showing, permissions, passwords, failed sign-ins.

use serde_json::{Value, json};
use wardroom::directory::Clock;

use crate::avatars::{complete, png};
use crate::cli::on;
use crate::cli_lists::works;
use crate::support::{Backend, Database, Request, Site, both};

const PASSWORD: &str = "a long enough password\n";

both! {
    /// A user is created with groups and permissions in one call, and shown with where each permission comes from.
    async fn a_user_is_shown_with_groups_and_the_origin_of_permissions(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["group", "add", "Billing", "--permission", "user_read", "--permission", "1202"]);
        works(&database, &["group", "add", "Support"]);
        works(&database, &["group", "grant", "Support", "user_read"]);
        works(&database, &["user", "add", "ann", "--staff", "--group", "Billing", "--group", "2", "--permission", "user_read", "--permission", "1223"]);
        let shown = works(&database, &["user", "show", "ann"]).out;
        for line in [
            "groups         1 Billing\n               2 Support\n",
            "permissions    1202 group_read (from group Billing)\n",
            "               1222 user_read (from user, group Billing, group Support)\n",
            "               1223 user_update (from user)\n",
            "tokens         0 active, 0 expired, 0 revoked\n",
            "last login     never\n",
            "last seen      never\n",
            "failed logins  none\n",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        let shown = works(&database, &["user", "show", "1", "--json"]).json();
        assert_eq!((&shown["groups"], &shown["groups_data"][1]["name"]), (&json!([1, 2]), &json!("Support")));
        assert_eq!(shown["permissions"][1], json!({"id": 6, "code": 1222, "name": "user_read", "is_own": true, "from_groups": [1, 2]}));
        assert_eq!(shown["tokens"], json!({"active": 0, "expired": 0, "revoked": 0}));
        assert_eq!(works(&database, &["user", "revoke", "ann", "user_read", "group_read"]).out,
            "Took user_read (1222) from user 1 (ann).\nLeft out group_read (1202): not attached to user 1 (ann).\n");
        assert!(works(&database, &["user", "show", "ann"]).out.contains("1222 user_read (from group Billing, group Support)\n"));
        let granted = works(&database, &["user", "grant", "ann", "1201", "user_update", "--json"]).json();
        assert_eq!(granted["changed"], json!([{"code": 1201, "name": "group_create"}]));
        works(&database, &["group", "revoke", "Billing", "1222", "group_read"]);
        let group = works(&database, &["group", "show", "Billing", "Support", "--json"]).json();
        assert_eq!((&group[0]["permissions"], &group[1]["permissions"][0]["code"]), (&json!([]), &1222.into()));
        assert_eq!(group[0]["members"], json!([{"id": 1, "username": "ann"}]));
        let group = works(&database, &["group", "show", "Support"]).out;
        assert!(group.contains("permissions    1222 user_read\n") && group.contains("members        1 ann\n"), "{group}");
        works(&database, &["user", "add", "root", "--admin", "--no-staff", "--no-active"]);
        let root = works(&database, &["user", "show", "root"]).out;
        assert!(root.contains("rights         admin,inactive\n") && root.contains("all, because the user is an admin\n"), "{root}");
        works(&database, &["user", "edit", "ann", "--no-staff"]);
        works(&database, &["user", "edit", "ann", "--admin", "true"]);
        let ann = works(&database, &["user", "show", "ann", "--json"]).json();
        assert_eq!((&ann["is_staff"], &ann["is_admin"]), (&false.into(), &true.into()));
    }
}

/// Tries to sign in, and returns the status.
async fn sign_in(address: std::net::SocketAddr, username: &str, password: &str) -> u16 {
    let body = json!({ "username": username, "password": password.trim_end() }).to_string();
    let request = Request::new(address, "POST", "/api/users/auth/pwd/signin");
    request.body("application/json", body).send().await.status
}

both! {
    /// Failed sign-ins that make the next one wait are shown, and forgotten by `unlock` and by a new password.
    async fn failed_sign_ins_are_shown_and_forgotten(backend: Backend) {
        let database = Database::new(backend).await;
        assert_eq!(on(&database, &["user", "add", "ann", "--staff", "--password-stdin"], PASSWORD).code, 0);
        works(&database, &["user", "add", "ben"]);
        let address = Site::serve(&database).await;
        assert_eq!(sign_in(address, "ann", PASSWORD).await, 200);
        // From now on the network is known, and its failures alone count. As many as these are ten minutes of waiting.
        let lock = async || {
            assert_eq!(sign_in(address, "ann", "wrong").await, 400);
            let now = Clock::system().unwrap().now().as_micros();
            let (until, end) = (now + 600_000_000, now + 3_600_000_000);
            let sql = format!("UPDATE attempts SET failures = 16, blocked_until = {until}, expires_at = {end} WHERE failures > 0");
            database.sql(&sql).await;
            assert_eq!(sign_in(address, "ann", PASSWORD).await, 429);
        };
        lock().await;
        let shown = works(&database, &["user", "show", "ann", "--json"]).json();
        let attempts = shown["failed_attempts"].as_array().unwrap();
        assert_eq!((attempts.len(), &attempts[0]["network"], &attempts[0]["failures"]), (1, &"127.0.0.1".into(), &16.into()));
        assert!(works(&database, &["user", "show", "ann"]).out.contains("failed logins  16 from 127.0.0.1; the next one must wait until 2"));
        let unlocked = works(&database, &["user", "unlock", "ann", "ben"]).out;
        assert_eq!(unlocked, "Unlocked user 1 (ann): 16 failed attempts forgotten.\nUser 2 (ben) had no failed attempts.\n");
        let events = works(&database, &["audit", "list", "--action", "user.unlock", "--json"]).json();
        assert_eq!((events.as_array().unwrap().len(), &events[0]["changes"]), (1, &json!({"failures": 16})));
        assert_eq!(sign_in(address, "ann", PASSWORD).await, 200);
        lock().await;
        assert_eq!(on(&database, &["user", "set-password", "ann", "--password-stdin"], "another long password\n").code, 0);
        assert_eq!(works(&database, &["user", "show", "ann", "--json"]).json()["failed_attempts"], json!([]));
        assert_eq!(sign_in(address, "ann", "another long password").await, 200);
        // Failures from a network that the user does not know are found by their refusals.
        assert_eq!(sign_in(address, "ben", "wrong").await, 400);
        let shown = works(&database, &["user", "show", "ben", "--json"]).json();
        let networks: Vec<_> = shown["failed_attempts"].as_array().unwrap().iter().map(|open| open["network"].clone()).collect();
        assert_eq!(networks, [Value::Null, "127.0.0.1".into()]);
        assert!(works(&database, &["user", "unlock", "ben"]).out.contains("(ben): 2 failed attempts forgotten"));
    }
}

both! {
    /// A password that an operator sets ends what the old one opened, unless the operator says otherwise.
    async fn a_reset_password_signs_the_user_out(backend: Backend) {
        let site = Site::start(backend).await;
        let kept = on(&site.database, &["user", "set-password", "staff", "--password-stdin", "--keep-signed-in"], PASSWORD);
        assert!(kept.code == 0 && kept.out.contains("1 tokens of this user are active"), "{}{}", kept.out, kept.err);
        assert_eq!(site.me(&site.staff.key).send().await.status, 200);
        let reset = on(&site.database, &["user", "set-password", "staff", "--password-stdin"], "another long password\n");
        assert_eq!(reset.out, format!("Set the password of user {} (staff).\nRevoked 1 token.\n", site.staff.id));
        assert_eq!(site.me(&site.staff.key).send().await.status, 401);
        let explicit = on(&site.database, &["user", "set-password", "holder", "--password-stdin", "--sign-out"], PASSWORD);
        assert_eq!(explicit.code, 0);
        assert_eq!(site.me(&site.holder.key).send().await.status, 401);
    }
}

both! {
    /// A token gets a new key; the old one ends at once or after the overlap.
    async fn a_token_is_rotated(backend: Backend) {
        let site = Site::start(backend).await;
        let id = |key: &str| {
            let list = works(&site.database, &["token", "list", key, "--state", "active", "--json"]).json();
            list[0]["id"].to_string()
        };
        let rotated = works(&site.database, &["token", "rotate", &id("staff"), "--json"]).json();
        assert_eq!((&rotated["name"], &rotated["state"]), (&"test".into(), &"active".into()));
        assert_eq!(site.me(&site.staff.key).send().await.status, 401);
        assert_eq!(site.me(rotated["key"].as_str().unwrap()).send().await.status, 200);
        // Standard output has the key alone, so that a file or a variable gets nothing else.
        let overlapping = works(&site.database, &["token", "rotate", &id("admin"), "--overlap", "1h"]);
        assert!(overlapping.err.contains("it cannot be shown again"), "{}", overlapping.err);
        let key = overlapping.out.strip_suffix('\n').unwrap();
        assert_eq!(site.me(key).send().await.status, 200, "{key}");
        assert!(!overlapping.err.contains(key), "{}", overlapping.err);
        assert!(overlapping.err.contains(") of admin does not expire."), "{}", overlapping.err);
        let noted = works(&site.database, &["token", "issue", "inactive", "--name", "n", "--scope", "user_read,me_read"]).err;
        assert!(noted.contains("The user is disabled") && noted.contains("The user does not have user_read, so"), "{noted}");
        assert_eq!(site.me(&site.admin.key).send().await.status, 200);
        let list: Value = works(&site.database, &["token", "list", "admin", "--state", "active", "--json"]).json();
        assert_eq!(list.as_array().unwrap().len(), 2);
    }
}

both! {
    /// The command line and the API store a picture alike, also through a running server.
    async fn a_picture_is_uploaded_and_removed(backend: Backend) {
        let database = Database::new(backend).await;
        let data = database.place().join("data");
        let file = database.place().join("picture.png");
        std::fs::write(&file, png([200, 100, 50])).unwrap();
        let file = file.to_str().unwrap();
        let place = ["--data-dir", data.to_str().unwrap()];
        let run = |args: &[&str]| works(&database, &[args, &place[..backend_arguments(backend)]].concat());
        run(&["user", "add", "ann", "--staff", "--avatar", file]);
        let avatar = || run(&["user", "show", "ann", "--json"]).json()["avatar"].clone();
        let first = avatar();
        assert!(complete(&data.join("media"), first.as_str().unwrap()), "{first}");
        assert!(run(&["user", "show", "ann"]).out.contains(first.as_str().unwrap()));
        std::fs::write(file, png([1, 100, 50])).unwrap();
        run(&["user", "edit", "ann", "--avatar", file, "--first-name", "Ann"]);
        assert_ne!(avatar(), first);
        assert!(complete(&data.join("media"), avatar().as_str().unwrap()));
        run(&["user", "edit", "ann", "--no-avatar"]);
        assert_eq!(avatar(), serde_json::Value::Null);
    }
}

/// On SQLite the data directory is given already.
fn backend_arguments(backend: Backend) -> usize {
    if backend == Backend::Sqlite { 0 } else { 2 }
}
