//! What a sign-out ends: a token remembers what created it, and ends with its sign-in.

use serde_json::{Value, json};
use wardroom::directory::Clock;
use wardroom::directory::model::UserKey;
use wardroom::directory::password::Password;
use wardroom::directory::tokens::{Expiry, SIGN_INS_MAX};

use crate::cli::on;
use crate::support::site::{Persona, imported, imported_token, moment, operator};
use crate::support::{Answer, Backend, Database, Site, both};

const PASSWORD: &str = "an unlikely pass phrase";

async fn send(site: &Site, key: &str, method: &str, path: &str, body: Value) -> Answer {
    site.request(method, path).token(key).body("application/json", body.to_string()).send().await
}

fn key_of(who: &Persona) -> UserKey {
    UserKey::Id(who.id.try_into().unwrap())
}

async fn sign_in(site: &Site, who: &Persona, name: &str) -> String {
    site.directory().set_password(&operator(), &key_of(who), Password::new(PASSWORD.into())).await.unwrap();
    sign_in_again(site, name).await
}

async fn sign_in_again(site: &Site, name: &str) -> String {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let answer =
        site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body).send().await;
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// Issues a token with this key and returns the new key.
async fn made(site: &Site, key: &str, path: &str, body: Value) -> (String, Value) {
    let answer = send(site, key, "POST", path, body).await;
    assert_eq!(answer.status, 201, "{answer}");
    let made = answer.json();
    (made["key"].as_str().unwrap().to_owned(), made)
}

async fn opens(site: &Site, key: &str) -> bool {
    site.me(key).send().await.status != 401
}

/// All tokens derived from one sign-in, over several generations.
struct Family {
    /// The current key of the sign-in.
    sign_in: String,
    others: Vec<String>,
    /// The id of the token with that key.
    id: Value,
}

impl Family {
    /// A sign-in of the admin that issued tokens, rotated one and was itself rotated. One of its tokens belongs to
    /// another user.
    async fn found(site: &Site) -> Self {
        let first = sign_in(site, &site.admin, "admin").await;
        let mine = "/api/users/me/tokens";
        let (issued, _) = made(site, &first, mine, json!({"name": "issued"})).await;
        let (by_issued, second) = made(site, &issued, mine, json!({"name": "by issued"})).await;
        let rotate = format!("{mine}/{}/rotate", second["id"]);
        let (rotated, _) = made(site, &issued, &rotate, json!({"overlap_seconds": 60})).await;
        let theirs = format!("/api/users/{}/tokens", site.plain.id);
        let (of_plain, _) = made(site, &rotated, &theirs, json!({"name": "for somebody else"})).await;
        let listed = send(site, &first, "GET", mine, json!({})).await.json();
        let own = listed.as_array().unwrap().iter().rfind(|token| token["kind"] == "sign_in").unwrap()["id"]
            .clone();
        let (sign_in, last) = made(site, &first, &format!("{mine}/{own}/rotate"), json!({})).await;
        assert!(!opens(site, &first).await);
        assert_eq!(
            (&last["kind"], &last["made_by"], &last["of_sign_in"]),
            (&json!("sign_in"), &json!("token"), &json!(true))
        );
        let (late, _) = made(site, &sign_in, mine, json!({"name": "late"})).await;
        let family = Self {
            sign_in,
            others: vec![issued, by_issued, rotated, of_plain, late],
            id: last["id"].clone(),
        };
        assert_eq!(family.open(site).await, 6);
        family
    }

    async fn open(&self, site: &Site) -> usize {
        let mut open = 0;
        for key in self.others.iter().chain([&self.sign_in]) {
            open += usize::from(opens(site, key).await);
        }
        open
    }
}

both! {
    /// Every way to end a sign-in ends all tokens derived from it. Tokens issued by an operator keep working.
    async fn finding_06_ending_a_sign_in_ends_tokens_derived_from_it(backend: Backend) {
        let site = Site::start(backend).await;
        let (admin, out) = (site.admin.key.clone(), "/api/users/auth/signout");
        // By signing out with the token itself, and by revoking it.
        let family = Family::found(&site).await;
        let beside = Family::found(&site).await;
        assert_eq!(send(&site, &family.sign_in, "POST", out, json!({})).await.status, 204);
        assert_eq!((family.open(&site).await, beside.open(&site).await), (0, 6), "and no other sign-in");
        let path = format!("/api/users/me/tokens/{}", beside.id);
        assert_eq!(send(&site, &admin, "DELETE", &path, json!({})).await.status, 204);
        assert_eq!(beside.open(&site).await, 0);
        // From another sign-in: "everywhere", and with a new password.
        let (family, other) = (Family::found(&site).await, sign_in(&site, &site.admin, "admin").await);
        assert_eq!(send(&site, &other, "POST", out, json!({"everywhere": true})).await.status, 204);
        assert_eq!((family.open(&site).await, opens(&site, &other).await), (0, false));
        let (family, other) = (Family::found(&site).await, sign_in(&site, &site.admin, "admin").await);
        let body = json!({"old_password": PASSWORD, "new_password": "another unlikely phrase", "sign_out_others": true});
        assert_eq!(send(&site, &other, "POST", "/api/users/me/password", body).await.status, 204);
        assert_eq!((family.open(&site).await, opens(&site, &other).await), (0, true));
        // A token derived from the sign-in can end it, too, but only with "everywhere".
        let family = Family::found(&site).await;
        assert_eq!(send(&site, &family.others[0], "POST", out, json!({})).await.status, 204);
        assert_eq!(family.open(&site).await, 5);
        assert_eq!(send(&site, &family.others[4], "POST", out, json!({"everywhere": true})).await.status, 204);
        assert_eq!(family.open(&site).await, 0);
        // It expires, and no token derived from it lives longer.
        let family = Family::found(&site).await;
        site.clock.set(moment("2025-09-02T00:00:00Z"));
        assert_eq!(family.open(&site).await, 0);
        assert!(opens(&site, &admin).await && opens(&site, &site.plain.key).await);
    }
}

both! {
    /// Tokens that a deleted user's sign-ins made for other users end, too.
    async fn finding_06_deleting_a_user_ends_tokens_derived_from_their_sign_ins(backend: Backend) {
        let site = Site::start(backend).await;
        let family = Family::found(&site).await;
        site.directory().update_user(&operator(), &key_of(&site.staff), &wardroom::directory::model::UserDraft { is_admin: Some(true), ..Default::default() }, None).await.unwrap();
        assert_eq!(send(&site, &site.staff.key, "DELETE", &format!("/api/users/{}", site.admin.id), json!({})).await.status, 204);
        assert_eq!(family.open(&site).await, 0);
        assert!(opens(&site, &site.plain.key).await);
    }
}

both! {
    /// The token of a sign-in, and the tokens derived from it, cannot be extended.
    async fn finding_06_the_end_of_a_sign_in_stays(backend: Backend) {
        let site = Site::start(backend).await;
        let (family, admin) = (Family::found(&site).await, site.admin.key.clone());
        let sign_in = sign_in(&site, &site.admin, "admin").await;
        let mine = "/api/users/me/tokens";
        let (_, child) = made(&site, &sign_in, mine, json!({"name": "child"})).await;
        let listed = send(&site, &admin, "GET", mine, json!({})).await.json();
        let id = &listed.as_array().unwrap().iter().rfind(|token| token["made_by"] == "sign_in").unwrap()["id"];
        let end = "2025-09-02T00:00:00.000000Z";
        for id in [id, &child["id"], &family.id] {
            let path = format!("{mine}/{id}");
            let none = send(&site, &admin, "PATCH", &path, json!({"expires_at": null})).await;
            assert_eq!(none.to_string(), r#"400 {"expires_at":["The token of a sign-in needs an end."]}"#);
            let late = send(&site, &admin, "PATCH", &path, json!({"expires_at": "2025-09-02T00:00:00.000001Z"})).await;
            assert_eq!(late.to_string(), format!(r#"400 {{"expires_at":["The token of a sign-in ends at {end} at the latest."]}}"#));
        }
        // An earlier end of the sign-in applies to all tokens derived from it, and can be undone for itself.
        let sooner = json!({"expires_at": "2025-09-01T13:00:00Z"});
        assert_eq!(send(&site, &admin, "PATCH", &format!("{mine}/{id}"), sooner).await.status, 200);
        let capped = send(&site, &admin, "GET", mine, json!({})).await.json();
        assert!(capped.as_array().unwrap().iter().filter(|token| token["expires_at"] == "2025-09-01T13:00:00.000000Z").count() == 2);
        site.clock.set(moment("2025-09-01T14:00:00Z"));
        let child = format!("{mine}/{}", child["id"]);
        assert_eq!(send(&site, &admin, "PATCH", &child, json!({"expires_at": end})).await.status, 400);
        assert_eq!(send(&site, &admin, "PATCH", &format!("{mine}/{id}"), json!({"expires_at": end})).await.status, 200);
        assert!(opens(&site, &sign_in).await);
        assert_eq!(send(&site, &admin, "PATCH", &child, json!({"expires_at": end})).await.status, 200);
        // No other user takes over a sign-in.
        let foreign = format!("/api/users/{}/tokens/{id}/rotate", site.admin.id);
        let other = Persona { id: site.staff.id, key: site.staff.key.clone() };
        site.directory().update_user(&operator(), &key_of(&other), &wardroom::directory::model::UserDraft { is_admin: Some(true), ..Default::default() }, None).await.unwrap();
        let expected = r#"400 {"non_field_errors":["This token came of another sign-in: revoke it and make a new one."]}"#;
        assert_eq!(send(&site, &other.key, "POST", &foreign, json!({})).await.to_string(), expected);
        assert_eq!(send(&site, &family.sign_in, "POST", &format!("{mine}/{id}/rotate"), json!({})).await.to_string(), expected);
    }
}

both! {
    /// An expired token that a sign-in makes valid again ends with that sign-in.
    async fn finding_06_what_a_sign_in_revives_is_its_own(backend: Backend) {
        let site = Site::start(backend).await;
        let hour = Expiry::After(std::time::Duration::from_secs(3600));
        let old = site.directory().issue_token(&operator(), &key_of(&site.admin), "old", hour).await.unwrap();
        site.clock.set(moment("2025-09-01T14:00:00Z"));
        let sign_in = sign_in(&site, &site.admin, "admin").await;
        let path = format!("/api/users/me/tokens/{}", old.token.id);
        assert_eq!(send(&site, &sign_in, "PATCH", &path, json!({"expires_at": "2025-09-01T20:00:00Z"})).await.status, 200);
        assert!(opens(&site, old.key.reveal()).await);
        assert_eq!(send(&site, &sign_in, "POST", "/api/users/auth/signout", json!({})).await.status, 204);
        assert!(!opens(&site, old.key.reveal()).await);
    }
}

both! {
    /// One call ends everything, also together with a password reset, a deactivation or an activation.
    async fn finding_06_one_call_ends_everything_of_a_user(backend: Backend) {
        let site = Site::start(backend).await;
        let user = format!("/api/users/{}", site.admin.id);
        // It takes the right to revoke tokens, and an admin for an admin's tokens. Staff without the right may change
        // nothing.
        let everything = async |key: &str, path: &str| send(&site, key, "POST", path, json!({})).await;
        assert_eq!(everything(&site.holder.key, &format!("{user}/sign-out")).await.status, 403);
        let alex = format!("/api/users/{}", site.alex.id);
        assert_eq!(everything(&site.staff.key, &format!("{alex}/sign-out")).await.status, 403);
        assert_eq!(everything(&site.holder.key, &format!("{alex}/sign-out")).await.to_string(), r#"200 {"ended":1}"#);
        assert!(!opens(&site, &site.alex.key).await, "an imported token");
        assert_eq!(everything(&site.holder.key, "/api/users/999/sign-out").await.status, 404);
        // Every user may do it to their own tokens.
        assert_eq!(everything(&site.plain.key, "/api/users/me/sign-out").await.to_string(), r#"200 {"ended":1}"#);
        assert!(!opens(&site, &site.plain.key).await);
        // Together with another change.
        for change in [json!({"password": "another unlikely phrase"}), json!({"is_active": false}), json!({"is_active": true})] {
            let issued = site.directory().issue_token(&operator(), &key_of(&site.alex), "x", Expiry::Never).await.unwrap();
            let mut change = change;
            let plain = send(&site, &site.admin.key, "PATCH", &alex, change.clone()).await;
            assert_eq!(plain.status, 200, "{plain}");
            change["sign_out"] = json!(true);
            assert_eq!(send(&site, &site.admin.key, "PATCH", &alex, change).await.status, 200);
            let live = format!("SELECT count(*) FROM tokens WHERE user_id = {} AND revoked_at IS NULL", site.alex.id);
            assert_eq!(site.database.number(&live).await, 0);
            assert!(!opens(&site, issued.key.reveal()).await);
        }
        // The right to change a user is not the right to revoke their tokens.
        let clerk = crate::support::site::person(site.directory(), "clerk", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![7]);
        }).await;
        let target = crate::support::site::person(site.directory(), "target", |_| {}).await;
        let path = format!("/api/users/{}", target.id);
        assert_eq!(send(&site, &clerk.key, "PATCH", &path, json!({"first_name": "X", "sign_out": true})).await.status, 403);
        assert!(opens(&site, &target.key).await);
        let trail = "SELECT count(*) FROM audit_events WHERE action = 'sign_out'";
        assert_eq!(site.database.number(trail).await, 5);
    }
}

both! {
    async fn finding_06_the_command_line_signs_out_too(backend: Backend) {
        let site = Site::start(backend).await;
        let family = Family::found(&site).await;
        let run = |args: &[&str], stdin: &str| {
            let ran = on(&site.database, args, stdin);
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
            ran.out
        };
        let output = run(&["user", "sign-out", "admin"], "");
        assert!(output.contains("tokens revoked"), "{output}");
        assert!(family.open(&site).await == 0 && !opens(&site, &site.admin.key).await);
        run(&["user", "disable", "plain"], "");
        assert!(run(&["user", "enable", "plain"], "").contains("1 tokens of this user are active"));
        run(&["user", "disable", "plain", "--sign-out"], "");
        assert!(!run(&["user", "enable", "plain"], "").contains("are active"));
        let output = run(&["user", "set-password", "staff", "--password-stdin", "--sign-out"], "a long enough pass phrase\n");
        assert!(!output.contains("are active") && !opens(&site, &site.staff.key).await, "{output}");
        let listed = run(&["token", "list", "admin"], "");
        assert!(listed.contains("operator") && listed.contains("sign_in"), "{listed}");
    }
}

both! {
    /// A user has a hundred live sign-ins. One more ends the oldest, with the tokens derived from it, and the event says
    /// so.
    async fn finding_11_the_oldest_of_too_many_sign_ins_goes(backend: Backend) {
        let site = Site::start(backend).await;
        let first = sign_in(&site, &site.staff, "staff").await;
        let (child, _) = made(&site, &first, "/api/users/me/tokens", json!({"name": "child"})).await;
        let many = (1..SIGN_INS_MAX).map(|n| {
            let digest = match backend {
                Backend::Sqlite => format!("x'{n:064x}'"),
                Backend::Postgres => format!("'\\x{n:064x}'"),
            };
            format!("INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, expires_at, made_by, root) \
                VALUES ({}, 's', 'sign_in', {digest}, '', '', 1, 9000000000000000, 'sign_in', {digest});", site.staff.id)
        });
        site.database.sql(&many.collect::<String>()).await;
        assert!(opens(&site, &first).await && opens(&site, &child).await);
        let last = sign_in_again(&site, "staff").await;
        assert!(!opens(&site, &first).await && !opens(&site, &child).await && opens(&site, &last).await);
        let live = format!("SELECT count(*) FROM tokens WHERE user_id = {} AND kind = 'sign_in' AND revoked_at IS NULL", site.staff.id);
        assert_eq!(site.database.number(&live).await, i64::try_from(SIGN_INS_MAX).unwrap());
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events WHERE action = 'sign_in' AND changes LIKE '%\"ended\":[%'").await, 1);
        // Rotated keys of one sign-in that are valid side by side do not add up, either.
        let id = site.database.number("SELECT max(id) FROM tokens").await;
        let rotate = format!("/api/users/me/tokens/{id}/rotate");
        let (rotated, _) = made(&site, &last, &rotate, json!({"overlap_seconds": 3600})).await;
        assert!(opens(&site, &last).await && opens(&site, &rotated).await);
        assert_eq!(site.database.number(&live).await, i64::try_from(SIGN_INS_MAX).unwrap());
        assert!(opens(&site, &site.staff.key).await, "tokens issued by name are not counted");
    }
}

both! {
    async fn finding_11_ended_tokens_are_pruned(backend: Backend) {
        let site = Site::start(backend).await;
        let issue = async |end| site.directory().issue_token(&operator(), &key_of(&site.staff), "x", end).await.unwrap().token.id;
        let (revoked, expired) = (issue(Expiry::Never).await, issue(Expiry::At(moment("2025-09-02T00:00:00Z"))).await);
        site.directory().revoke_token(&operator(), None, revoked).await.unwrap();
        let listed = async || send(&site, &site.staff.key, "GET", "/api/users/me/tokens", json!({})).await.json().as_array().unwrap().len();
        site.clock.set(moment("2025-11-30T11:59:59Z"));
        assert_eq!((site.directory().prune_tokens().await.unwrap(), listed().await), (0, 3));
        site.clock.set(moment("2025-11-30T12:00:00Z"));
        assert_eq!((site.directory().prune_tokens().await.unwrap(), listed().await), (1, 2));
        site.clock.set(moment("2025-12-02T00:00:00Z"));
        let late = issue(Expiry::Never).await;
        site.directory().revoke_token(&operator(), None, late).await.unwrap();
        assert_eq!((site.directory().prune_tokens().await.unwrap(), listed().await), (1, 2));
        let gone = format!("SELECT count(*) FROM tokens WHERE id IN ({revoked}, {expired})");
        assert_eq!(site.database.number(&gone).await, 0);
        let trail = "SELECT count(*) FROM audit_events WHERE action = 'token.prune' AND actor_name = 'retention' AND changes = '{\"pruned\":1}'";
        assert_eq!(site.database.number(trail).await, 2);
    }
}

both! {
    /// It deletes more than one batch, and only what has ended.
    async fn finding_11_pruning_goes_on_until_all_is_done(backend: Backend) {
        let site = Site::start(backend).await;
        let many = (1..=1203).map(|n| {
            let digest = match backend {
                Backend::Sqlite => format!("x'{n:064x}'"),
                Backend::Postgres => format!("'\\x{n:064x}'"),
            };
            let (end, revoked) = if n % 2 == 0 { ("1", "NULL") } else { ("NULL", "1") };
            format!("({}, 's', 'api', {digest}, '', '', 1, {end}, {revoked})", site.staff.id)
        });
        let rows = many.collect::<Vec<_>>().join(", ");
        site.database.sql(&format!("INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, expires_at, revoked_at) VALUES {rows}")).await;
        let before = site.database.number("SELECT count(*) FROM tokens").await;
        assert_eq!(site.directory().prune_tokens().await.unwrap(), 1203);
        assert_eq!(site.database.number("SELECT count(*) FROM tokens").await, before - 1203);
    }
}

both! {
    /// Users who are not staff see and end their own tokens, and change their password. They create nothing.
    async fn finding_low_all_users_see_and_end_their_own_sign_ins(backend: Backend) {
        let site = Site::start(backend).await;
        let (one, two) = (sign_in(&site, &site.plain, "plain").await, sign_in(&site, &site.plain, "plain").await);
        assert_eq!(site.me(&one).send().await.status, 403, "the page says so");
        let mine = "/api/users/me/tokens";
        let listed = send(&site, &one, "GET", mine, json!({})).await.json();
        let kinds: Vec<_> = listed.as_array().unwrap().iter().map(|token| token["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["api", "sign_in", "sign_in"]);
        let path = format!("{mine}/{}", listed[2]["id"]);
        for (method, path) in [("POST", mine.to_owned()), ("PATCH", path.clone()), ("POST", format!("{path}/rotate"))] {
            assert_eq!(send(&site, &one, method, &path, json!({"name": "x"})).await.status, 403, "{method} {path}");
        }
        assert_eq!(send(&site, &one, "DELETE", &path, json!({})).await.status, 204);
        assert!(opens(&site, &one).await && !opens(&site, &two).await);
        let body = json!({"old_password": PASSWORD, "new_password": "another unlikely phrase", "sign_out_others": true});
        assert_eq!(send(&site, &one, "POST", "/api/users/me/password", body).await.status, 204);
        assert_eq!(send(&site, &one, "POST", "/api/users/auth/signout", json!({"everywhere": true})).await.status, 204);
        assert!(!opens(&site, &one).await && opens(&site, &site.plain.key).await);
    }
}

both! {
    /// It ends after that time without use, give or take three minutes, at whichever replica it was used.
    async fn finding_low_an_unused_sign_in_ends(backend: Backend) {
        let half_an_hour = std::time::Duration::from_secs(1800);
        let site = Site::with_directory(backend, |settings| settings.sign_in_idle_timeout = half_an_hour).await;
        let key = sign_in(&site, &site.staff, "staff").await;
        let (child, _) = made(&site, &key, "/api/users/me/tokens", json!({"name": "child"})).await;
        let at = |text: &str| site.clock.set(moment(&format!("2025-09-01T{text}Z")));
        let tokens = async |key: &str| site.get("/api/users/me/tokens").token(key).send().await.status;
        // Both ways to identify a caller, each with its own cache.
        at("12:29:00");
        assert_eq!((site.me(&key).send().await.status, tokens(&key).await), (200, 200));
        at("13:01:59");
        assert_eq!((site.me(&key).send().await.status, tokens(&key).await), (200, 200));
        site.directory().write_uses().await.unwrap();
        // Used at another replica.
        let mut settings = site.database.settings();
        settings.sign_in_idle_timeout = half_an_hour;
        let replica = wardroom::directory::Directory::open(&settings, site.clock.clone()).await.unwrap();
        at("13:30:00");
        let identity = replica.authenticate(&key, None).await.unwrap();
        replica.note_use_of(&identity, "127.0.0.1".parse().ok());
        replica.write_uses().await.unwrap();
        at("14:02:59");
        assert_eq!((site.me(&key).send().await.status, tokens(&key).await), (200, 200));
        site.directory().write_uses().await.unwrap();
        assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 0);
        at("14:35:59");
        assert_eq!((site.me(&key).send().await.status, tokens(&key).await), (401, 401));
        assert!(replica.authenticate(&key, None).await.is_err());
        assert_eq!(site.me(&key).send().await.status, 401, "being refused is no use");
        // Permanently, with the tokens derived from it, even if the setting changes.
        assert!(opens(&site, &child).await);
        assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 2);
        assert!(!opens(&site, &child).await);
        let without = site.database.open(&site.clock).await;
        assert!(without.authenticate(&key, None).await.is_err());
        assert!(opens(&site, &site.staff.key).await, "tokens that were issued by name stay");
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events WHERE action = 'sign_in.idle'").await, 1);
    }
}

both! {
    /// A short key is never listed in full, however it is imported.
    async fn finding_low_a_short_imported_key_is_not_listed(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let records = wardroom::directory::transfer::seed::SeedRows {
            groups: vec![],
            users: vec![wardroom::directory::transfer::seed::SeedUser { user: imported(7, "ann"), password: "!".into() }],
            tokens: vec![imported_token(7, "secret12")],
        };
        directory.seed(&operator(), records).await.unwrap();
        let source = database.place().join("records.json");
        let lines = [
            json!({"type": "user", "id": 7, "username": "ann"}),
            json!({"type": "token", "user": 7, "key": "geheim99", "prefix": "gehe", "last_four": "im99"}),
            json!({"type": "token", "user": 7, "digest": "ab".repeat(32), "prefix": "abcdefgh", "last_four": "ijkl"}),
        ];
        std::fs::write(&source, lines.map(|line| line.to_string()).join("\n")).unwrap();
        let ran = on(&database, &["import", "json", "--sync", "--from", source.to_str().unwrap()], "");
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        let shown = database.texts("SELECT prefix || '...' || last_four FROM tokens ORDER BY id").await;
        assert_eq!(shown, ["s...", "g...", "ab..."]);
    }
}

/// A database as version 0.1.0 left it (schema 7), or with any schema since.
async fn of_schema(backend: Backend, version: usize) -> Database {
    let database = Database::new(backend).await;
    let folder = match backend {
        Backend::Sqlite => "migrations/sqlite",
        Backend::Postgres => "migrations/postgres",
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let kept = database.texts("SELECT checksum FROM schema_migrations ORDER BY version").await;
    match &database.location {
        wardroom::directory::Location::Sqlite(place) => {
            let file = place.join("wardroom.db");
            for beside in ["wardroom.db-wal", "wardroom.db-shm"] {
                let _ = std::fs::remove_file(place.join(beside));
            }
            // The file stays, with its mode and its header; its content is replaced.
            let connection = rusqlite::Connection::open(&file).unwrap();
            let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
            connection
                .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)
                .unwrap();
            connection.execute_batch("VACUUM").unwrap();
            connection
                .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)
                .unwrap();
            connection
                .execute_batch(&format!("PRAGMA journal_mode = wal; PRAGMA application_id = {id}"))
                .unwrap();
        }
        wardroom::directory::Location::Postgres(_) => {
            database.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION IF NOT EXISTS pg_trgm").await;
        }
    }
    database.sql("CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)").await;
    for (index, file) in files.iter().take(version).enumerate() {
        database.sql(&std::fs::read_to_string(file).unwrap()).await;
        let row = format!("INSERT INTO schema_migrations VALUES ({}, 'x', '{}', 0)", index + 1, kept[index]);
        database.sql(&row).await;
    }
    database
}

both! {
    /// Older tokens are signed out as far as the database knows what created them.
    async fn finding_06_tokens_of_an_older_schema_are_reached(backend: Backend) {
        let database = of_schema(backend, 8).await;
        let digest = |key: &str| {
            use sha2::Digest as _;
            let hex: String = sha2::Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
            match backend {
                Backend::Sqlite => format!("x'{hex}'"),
                Backend::Postgres => format!("'\\x{hex}'"),
            }
        };
        let yes = if backend == Backend::Sqlite { "1" } else { "true" };
        let no = if backend == Backend::Sqlite { "0" } else { "false" };
        let at = 1_756_720_000_000_000_i64;
        database.sql(&format!("INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, is_staff, \
            is_admin, created_at, updated_at, search_key) VALUES (7, 'ann', 'ann', '', '', '', '!', {yes}, {yes}, {no}, 0, 0, 'ann')")).await;
        let later = at + 3_600_000_000_000;
        for (id, kind, key, prefix, last, end) in [
            (1, "sign_in", "one", "wrd_abcd", "wxyz", "NULL".to_owned()),
            (2, "sign_in", "two", "wrd_abcd", "wxyz", later.to_string()),
            (3, "api", "three", "wrd_abcd", "wxyz", "NULL".to_owned()),
            (4, "imported", "secret12", "secr", "et12", "NULL".to_owned()),
            (5, "imported", "hemli", "heml", "emli", "NULL".to_owned()),
            (6, "imported", "kurz", "kurz", "kurz", "NULL".to_owned()),
        ] {
            database.sql(&format!("INSERT INTO tokens (id, user_id, name, kind, digest, prefix, last_four, created_at, expires_at) \
                VALUES ({id}, 7, 'x', '{kind}', {}, '{prefix}', '{last}', {at}, {end})", digest(key))).await;
        }
        let clock = Clock::fixed("2025-09-01T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(wardroom::directory::Directory::migrate(&database.settings(), &clock).await.unwrap().first(), Some(&9));
        let rows = "SELECT made_by || ' ' || prefix || '...' || last_four || ' ' || CAST(coalesce(expires_at, 0) AS TEXT) || ' ' || \
            CAST(root IS NOT NULL AND root = digest AS TEXT) FROM tokens ORDER BY id";
        let (yes, no) = if backend == Backend::Sqlite { ("1", "0") } else { ("true", "false") };
        assert_eq!(database.texts(rows).await, [
            // An end that had been removed is back.
            format!("sign_in wrd_abcd...wxyz {} {yes}", at + 43_200_000_000),
            format!("sign_in wrd_abcd...wxyz {later} {yes}"),
            format!("unknown wrd_abcd...wxyz 0 {no}"),
            format!("import se... 0 {no}"),
            format!("import ... 0 {no}"),
            format!("import ... 0 {no}"),
        ]);
        let directory = database.open(&clock).await;
        let opens = async |key: &str| directory.authenticate(key, None).await.is_ok();
        for key in ["one", "two", "three", "secret12"] {
            assert!(opens(key).await, "{key}");
        }
        let identity = directory.authenticate("one", None).await.unwrap();
        let ann = wardroom::directory::Actor { who: wardroom::directory::access::Who::Person(identity), origin: Default::default() };
        directory.sign_out(&ann, true).await.unwrap();
        assert!(!opens("one").await && !opens("two").await);
        assert!(opens("three").await && opens("secret12").await, "what made them is not known, or was an import");
        directory.sign_out_user(&operator(), &UserKey::Id(7.try_into().unwrap())).await.unwrap();
        assert!(!opens("three").await && !opens("secret12").await);
    }
}

both! {
    /// A token that a sign-in widens ends with that sign-in, like one that it makes. One that it narrows or renames does not.
    async fn finding_06_a_token_that_a_sign_in_widens_ends_with_it(backend: Backend) {
        let site = Site::start(backend).await;
        let (key, path) = (site.admin.key.clone(), "/api/users/me/tokens");
        let soon = site.clock.now().plus(std::time::Duration::from_secs(3600)).unwrap().to_string();
        let narrow = json!({"name": "narrow", "expires_at": soon, "scopes": ["me_read"], "read_only": true, "allowed_networks": ["192.0.2.0/24"]});
        for (change, ends) in [
            (json!({"scopes": null}), true), (json!({"scopes": ["me_read", "user_read"]}), true), (json!({"read_only": false}), true),
            (json!({"allowed_networks": null}), true), (json!({"name": "other"}), false), (json!({"allowed_networks": ["192.0.2.7"]}), false),
        ] {
            let (_, token) = made(&site, &key, path, narrow.clone()).await;
            let sign_in = sign_in(&site, &site.admin, "admin").await;
            let changed = send(&site, &sign_in, "PATCH", &format!("{path}/{}", token["id"]), change.clone()).await;
            assert_eq!(changed.status, 200, "{change}: {changed}");
            assert_eq!(send(&site, &sign_in, "POST", "/api/users/auth/signout", json!({})).await.status, 204);
            let revoked = format!("SELECT count(*) FROM tokens WHERE id = {} AND revoked_at IS NOT NULL", token["id"]);
            assert_eq!(site.database.number(&revoked).await, i64::from(ends), "{change}");
        }
    }
}
