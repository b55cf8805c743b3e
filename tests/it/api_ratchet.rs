//! The ratchet: each kind of caller tries every operation of the OpenAPI document. An operation that is missing in
//! the table fails the test, so no operation is served untested.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use wardroom::directory::model::{GroupDraft, GroupKey, UserKey};
use wardroom::directory::tokens::Expiry;
use wardroom::http::api;

use crate::support::codes::codes_site;
use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Backend, Site, both};

/// Method, path, body, and the statuses for: an anonymous caller, a plain user, staff without the right, staff with
/// it, an admin. `{id}`, `{token}`, `{group}`, `{permission}`, `{deleted}` and `{binned}` become ids of objects made for this
/// attempt, `{key}` the key of the token, and `{n}` a number that no other attempt has.
type Row = (&'static str, &'static str, &'static str, [u16; 5]);

const OPERATIONS: &[Row] = &[
    ("GET", "/api/users/me", "", [401, 403, 200, 200, 200]),
    ("PATCH", "/api/users/me", r#"{"gender": "other"}"#, [401, 403, 200, 200, 200]),
    ("GET", "/api/users/me/avatar", "", [401, 403, 200, 200, 200]),
    // No user here has a password. Callers who may change it see what is wrong with the old one.
    (
        "POST",
        "/api/users/me/password",
        r#"{"old_password": "x", "new_password": "y"}"#,
        [401, 400, 400, 400, 400],
    ),
    ("GET", "/api/users/me/tokens", "", [401, 200, 200, 200, 200]),
    ("POST", "/api/users/me/tokens", r#"{"name": "n"}"#, [401, 403, 201, 201, 201]),
    // The token in the path belongs to another user. `api_tokens` tests the caller's own.
    ("PATCH", "/api/users/me/tokens/{token}", r#"{"name": "n"}"#, [401, 403, 404, 404, 404]),
    ("DELETE", "/api/users/me/tokens/{token}", "", [401, 404, 404, 404, 404]),
    ("POST", "/api/users/me/tokens/{token}/rotate", "", [401, 403, 404, 404, 404]),
    ("GET", "/api/users", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users", r#"{"username": "new{n}"}"#, [401, 403, 403, 201, 201]),
    ("POST", "/api/users/bulk", r#"{"users": [{"username": "bulk{n}"}]}"#, [401, 403, 403, 201, 201]),
    (
        "PATCH",
        "/api/users/bulk",
        r#"{"users": [{"id": {id}, "first_name": "B"}]}"#,
        [401, 403, 403, 200, 200],
    ),
    ("DELETE", "/api/users/bulk", r#"{"users": [{id}]}"#, [401, 403, 403, 204, 204]),
    ("GET", "/api/users/deleted", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/deleted/{deleted}/restore", "", [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/deleted/{deleted}", "", [401, 403, 403, 204, 204]),
    ("GET", "/api/users/{id}", "", [401, 403, 403, 200, 200]),
    ("PATCH", "/api/users/{id}", r#"{"first_name": "N"}"#, [401, 403, 403, 200, 200]),
    ("PUT", "/api/users/{id}", r#"{"username": "put{n}"}"#, [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/{id}", "", [401, 403, 403, 204, 204]),
    ("GET", "/api/users/{id}/avatar", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/{id}/tokens", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/{id}/tokens", r#"{"name": "n"}"#, [401, 403, 403, 201, 201]),
    ("PATCH", "/api/users/{id}/tokens/{token}", r#"{"name": "n"}"#, [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/{id}/tokens/{token}", "", [401, 403, 403, 204, 204]),
    ("POST", "/api/users/{id}/tokens/{token}/rotate", "", [401, 403, 403, 201, 201]),
    ("POST", "/api/users/{id}/sign-out", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/{id}/failed-attempts", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/{id}/unlock", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/{id}/invitation", "", [401, 403, 403, 200, 200]),
    // This server sends no mail: callers who may invite see that. `links` tests it with mail.
    ("POST", "/api/users/{id}/invitation", "", [401, 403, 403, 400, 400]),
    ("DELETE", "/api/users/{id}/invitation", "", [401, 403, 403, 404, 404]),
    ("GET", "/api/users/tokens", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/tokens/find", r#"{"key": "{key}"}"#, [401, 403, 403, 200, 200]),
    ("GET", "/api/users/tokens/{token}", "", [401, 403, 403, 200, 200]),
    ("PATCH", "/api/users/tokens/{token}", r#"{"name": "n"}"#, [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/tokens/{token}", "", [401, 403, 403, 204, 204]),
    ("POST", "/api/users/tokens/{token}/rotate", "", [401, 403, 403, 201, 201]),
    ("GET", "/api/users/groups", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/groups", r#"{"name": "new{n}"}"#, [401, 403, 403, 201, 201]),
    ("GET", "/api/users/groups/{group}", "", [401, 403, 403, 200, 200]),
    ("PATCH", "/api/users/groups/{group}", r#"{"notes": "N"}"#, [401, 403, 403, 200, 200]),
    ("PUT", "/api/users/groups/{group}", r#"{"name": "put{n}"}"#, [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/groups/{group}", "", [401, 403, 403, 204, 204]),
    ("GET", "/api/users/groups/deleted", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/groups/deleted/{binned}/restore", "", [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/groups/deleted/{binned}", "", [401, 403, 403, 204, 204]),
    ("POST", "/api/users/groups/{group}/members", r#"{"users": [{id}]}"#, [401, 403, 403, 200, 200]),
    ("DELETE", "/api/users/groups/{group}/members", r#"{"users": [{id}]}"#, [401, 403, 403, 200, 200]),
    ("GET", "/api/users/audit", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/audit/export", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/audit/verify", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/permissions", "", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/permissions", r#"{"name": "new{n}"}"#, [401, 403, 403, 403, 201]),
    ("GET", "/api/users/permissions/{permission}", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/permissions/{permission}/users", "", [401, 403, 403, 200, 200]),
    ("GET", "/api/users/permissions/{permission}/groups", "", [401, 403, 403, 200, 200]),
    ("PATCH", "/api/users/permissions/{permission}", r#"{"name": "renamed{n}"}"#, [401, 403, 403, 403, 200]),
    ("DELETE", "/api/users/permissions/{permission}", "", [401, 403, 403, 403, 204]),
    ("GET", "/api/auth/forward/{rule}", "", [401, 403, 200, 200, 200]),
    // Open to all: every caller sees what is wrong with this body.
    ("POST", "/api/users/auth/pwd/signin", r#"{"username": "x"}"#, [400, 400, 400, 400, 400]),
    ("POST", "/api/users/auth/otp/signin", r#"{"mobile_number": "+4971155555"}"#, [200, 200, 200, 200, 200]),
    (
        "POST",
        "/api/users/auth/otp/verify",
        r#"{"code": "012345", "mobile_number": "+4971155555"}"#,
        [400, 400, 400, 400, 400],
    ),
    ("POST", "/api/users/auth/pwd/forgot", r#"{"username": "x"}"#, [404, 404, 404, 404, 404]),
    (
        "POST",
        "/api/users/auth/pwd/reset",
        r#"{"key": "x", "password": "a long enough phrase"}"#,
        [400, 400, 400, 400, 400],
    ),
    ("POST", "/api/auth/introspect", "token={key}", [401, 403, 403, 200, 200]),
    ("POST", "/api/users/auth/leaked", r#"{"tokens": ["{key}"]}"#, [202, 202, 202, 202, 202]),
];

/// Operations that each caller can do only once: tested in `api_auth` and `api_sign_out`.
const ENDS_THE_TOKEN: &[(&str, &str)] =
    &[("POST", "/api/users/auth/signout"), ("POST", "/api/users/me/sign-out")];

/// Returns every operation of the document. Its paths call a group's id `{id}` as well.
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    found
}

#[test]
fn every_operation_is_in_the_table() {
    let tried = |(method, path, ..): &Row| {
        let path = ["{group}", "{deleted}", "{binned}", "{permission}"]
            .iter()
            .fold((*path).to_owned(), |path, name| path.replace(name, "{id}"));
        ((*method).to_owned(), path)
    };
    let once = ENDS_THE_TOKEN.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(documented(), OPERATIONS.iter().map(tried).chain(once).collect());
}

/// Sends a row's request as a caller, for objects made for it.
async fn attempt(site: &Site, (method, path, body, _): &Row, key: Option<&str>) -> Answer {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let target = person(site.directory(), &format!("target{number}"), |_| {}).await;
    let owner = UserKey::Id(target.id.try_into().unwrap());
    let issued = site.directory().issue_token(&operator(), &owner, "target", Expiry::Never).await.unwrap();
    let permission = format!("permission{number}");
    let permission = site.directory().create_permission(&operator(), None, &permission).await.unwrap().id;
    let draft = GroupDraft { name: Some(format!("group{number}")), ..GroupDraft::default() };
    let group = site.directory().create_group(&operator(), &draft).await.unwrap().id;
    let deleted = person(site.directory(), &format!("deleted{number}"), |_| {}).await.id;
    let gone = UserKey::Id(deleted.try_into().unwrap());
    site.directory().delete_user(&operator(), &gone).await.unwrap();
    let draft = GroupDraft { name: Some(format!("binned{number}")), ..GroupDraft::default() };
    let binned = site.directory().create_group(&operator(), &draft).await.unwrap().id;
    site.directory().delete_group(&operator(), &GroupKey::Id(binned)).await.unwrap();
    let filled = |text: &str| {
        text.replace("{id}", &target.id.to_string())
            .replace("{token}", &issued.token.id.to_string())
            .replace("{key}", issued.key.reveal())
            .replace("{permission}", &permission.to_string())
            .replace("{group}", &group.to_string())
            .replace("{deleted}", &deleted.to_string())
            .replace("{binned}", &binned.to_string())
            .replace("{n}", &number.to_string())
            .replace("{rule}", "staff")
    };
    let mut request = site.request(method, &filled(path));
    if let Some(key) = key {
        request = request.token(key);
    }
    if !body.is_empty() {
        let is_json = body.starts_with(['{', '"']);
        let media_type = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
        request = request.body(media_type, filled(body));
    }
    request.send().await
}

both! {
    async fn each_caller_gets_their_status(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        for row @ (method, path, _, [anonymous, plain, staff, holder, admin]) in OPERATIONS {
            let answer = attempt(&site, row, None).await;
            assert_eq!(answer.status, *anonymous, "anonymous: {method} {path}: {answer}");
            assert_eq!(answer.header("www-authenticate").is_some(), *anonymous == 401);
            let callers: [(&str, &Persona, u16); 5] = [
                ("plain", &site.plain, *plain),
                ("staff", &site.staff, *staff),
                ("holder", &site.holder, *holder),
                ("admin", &site.admin, *admin),
                ("inactive", &site.inactive, 401),
            ];
            for (who, persona, status) in callers {
                let answer = attempt(&site, row, Some(&persona.key)).await;
                assert_eq!(answer.status, status, "{who}: {method} {path}: {answer}");
            }
        }
    }
}

both! {
    /// An unreadable body is reported last: a caller without permission gets that answer first.
    async fn permission_comes_before_the_body(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        for (method, path, body, [_, _, staff, _, _]) in OPERATIONS.iter().filter(|(_, _, body, _)| !body.is_empty()) {
            if *staff != 403 {
                continue;
            }
            let row = (*method, *path, &body[1..], [0; 5]);
            assert_eq!(attempt(&site, &row, Some(&site.staff.key)).await.status, 403, "{method} {path}");
            assert_eq!(attempt(&site, &row, Some(&site.admin.key)).await.status, 400, "{method} {path}");
        }
    }
}
