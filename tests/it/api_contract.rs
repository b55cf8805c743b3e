//! Sentences of the contract about requests and their answers, each with what it promises. What needs more than one
//! request has a test of its own elsewhere.

use serde_json::{Value, json};

use crate::support::site::Persona;
use crate::support::{Answer, Backend, Request, Site, both};

/// What a row expects of the body.
enum Body {
    Exactly(&'static str),
    /// With this value at this JSON pointer.
    Has(&'static str, Value),
    Any,
}
use Body::{Any, Exactly, Has};

/// A sentence, a request, and the answer that it promises.
type Row<'a> = (&'static str, Request, u16, Body);

async fn hold(rows: Vec<Row<'_>>) {
    for (sentence, request, status, body) in rows {
        let answer: Answer = request.send().await;
        assert_eq!(answer.status, status, "{sentence}: {answer}");
        match body {
            Exactly(text) => assert_eq!(answer.body, text, "{sentence}"),
            Has(pointer, value) => {
                assert_eq!(answer.json().pointer(pointer), Some(&value), "{sentence}: {answer}")
            }
            Any => {}
        }
        let is_refused = status == 401;
        assert_eq!(answer.header("www-authenticate"), is_refused.then_some("Token"), "{sentence}");
        assert_eq!(
            answer.header("content-type"),
            (status != 204).then_some("application/json"),
            "{sentence}"
        );
    }
}

fn write(site: &Site, who: &Persona, method: &str, path: &str, body: Value) -> Request {
    site.request(method, path).token(&who.key).body("application/json", body.to_string())
}

const NOT_FOUND: Body = Exactly(r#"{"detail":"Not found."}"#);
const FORBIDDEN: Body = Exactly(r#"{"detail":"You do not have permission to perform this action."}"#);
const NOT_PROVIDED: Body = Exactly(r#"{"detail":"Authentication credentials were not provided."}"#);

both! {
    async fn section_1_me(backend: Backend) {
        let site = Site::start(backend).await;
        let me = |query: &str| site.get(&format!("/api/users/me{query}")).token(&site.alex.key);
        let plain = || site.get("/api/users/me").token(&site.plain.key);
        hold(vec![
            ("both spellings answer directly", me(""), 200, Has("/id", json!(42))),
            ("both spellings answer directly", me("/"), 200, Has("/id", json!(42))),
            ("fields narrows the object", me("?fields=id,groups"), 200, Exactly(r#"{"id":42,"groups":[1,3,7]}"#)),
            ("an unknown name there is a 400", me("?fields=zz"), 400, Exactly(r#"{"fields":["\"zz\" is not a valid choice."]}"#)),
            ("other query parameters are ignored", me("?zz=1&limit=0"), 200, Has("/id", json!(42))),
            ("fields may name what the plain answer does not show", me("?fields=is_staff,is_admin,is_active"), 200,
                Exactly(r#"{"is_staff":true,"is_admin":false,"is_active":true}"#)),
            ("fields may name the token", me("?fields=token"), 200, Has("/token/scopes", Value::Null)),
            ("no Authorization", site.get("/api/users/me"), 401, NOT_PROVIDED),
            ("an empty one", site.get("/api/users/me").header("Authorization", ""), 401, NOT_PROVIDED),
            ("another scheme", site.get("/api/users/me").header("Authorization", "Bearer x"), 401, NOT_PROVIDED),
            ("Token alone", site.get("/api/users/me").header("Authorization", "Token"), 401,
                Exactly(r#"{"detail":"Invalid token header. No credentials provided."}"#)),
            ("more than two parts", site.get("/api/users/me").header("Authorization", "Token a b"), 401,
                Exactly(r#"{"detail":"Invalid token header. Token string should not contain spaces."}"#)),
            ("an unknown key", site.me("nope"), 401, Exactly(r#"{"detail":"Invalid token."}"#)),
            ("the owner is not active", site.me(&site.inactive.key), 401, Exactly(r#"{"detail":"User inactive or deleted."}"#)),
            ("neither staff nor admin", plain(), 403, FORBIDDEN),
            ("a wrong method", site.request("POST", "/api/users/me").token(&site.alex.key), 405, Exactly(r#"{"detail":"Method \"POST\" not allowed."}"#)),
            ("an Accept that JSON cannot satisfy", me("").header("Accept", "text/html"), 406,
                Exactly(r#"{"detail":"Could not satisfy the request Accept header."}"#)),
            ("an unknown path", site.get("/api/users/you"), 404, NOT_FOUND),
            ("another format", me("?format=xml"), 404, NOT_FOUND),
            ("a Host that is not allowed", me("").host("evil.example.com"), 400, Has("/detail", json!("The request's Host is not allowed."))),
            ("a success as plain JSON with problems alone", me("").header("Accept", "application/problem+json"), 200, Has("/id", json!(42))),
            ("OPTIONS under the same permission", site.request("OPTIONS", "/api/users/me"), 401, NOT_PROVIDED),
            ("OPTIONS under the same permission", site.request("OPTIONS", "/api/users/me").token(&site.plain.key), 403, FORBIDDEN),
            ("OPTIONS has name, description, renders, parses", site.request("OPTIONS", "/api/users/me").token(&site.alex.key), 200,
                Has("/renders", json!(["application/json"]))),
        ]).await;
        let problem = site.get("/api/users/me").header("Accept", "application/problem+json").send().await;
        assert_eq!((problem.status, problem.header("content-type")), (401, Some("application/problem+json")));
        let head = site.request("HEAD", "/api/users/me").token(&site.alex.key).send().await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
}

both! {
    /// A path segment that stands for an id is digits only. Anything else is an unknown path, before credentials are
    /// looked at.
    async fn section_1_ids_in_paths(backend: Backend) {
        let site = Site::start(backend).await;
        let mut rows = Vec::new();
        for id in ["ME", "me.json", "+1", "-1", "nobody", "1.0", "1e3", "0x1", "1,2", "%2B1", "1%20", "%D9%A4", "4_2"] {
            for path in ["users/{}", "users/{}/", "users/{}/tokens", "users/{}/tokens/1", "users/1/tokens/{}", "users/me/tokens/{}",
                "users/{}/sign-out", "users/groups/{}", "users/groups/{}/members", "users/deleted/{}", "users/deleted/{}/restore",
                "users/groups/deleted/{}", "users/groups/deleted/{}/restore"] {
                let path = format!("/api/{}", path.replace("{}", id));
                for method in ["GET", "PATCH", "DELETE", "OPTIONS"] {
                    rows.push(("an odd id", site.request(method, &path).token("nope"), 404, NOT_FOUND));
                }
            }
        }
        hold(rows).await;
        hold(vec![
            ("digits are an id", site.get("/api/users/0042").token(&site.admin.key), 200, Has("/id", json!(42))),
            ("that may be nobody's", site.get("/api/users/4711").token(&site.admin.key), 404, NOT_FOUND),
            ("or none's", site.get("/api/users/99999999999999999999").token(&site.admin.key), 404, NOT_FOUND),
            ("credentials come later", site.get("/api/users/4711").token("nope"), 401, Any),
        ]).await;
    }
}

both! {
    /// HTTP syntax, Host, path, format and Accept, bad credentials, permission, method, body: with every fault from the
    /// middle on, the first one decides.
    async fn section_1_the_order_of_checks(backend: Backend) {
        let site = Site::start(backend).await;
        let none = ("", "");
        let steps: [(&str, &str, u16); 6] = [
            ("Host", "evil.example.com", 400),
            ("path", "/api/users/mE", 404),
            ("format", "?format=xml", 404),
            ("Accept", "text/html", 406),
            ("Authorization", "Token nope", 401),
            ("method", "POST", 405),
        ];
        for from in 0..steps.len() {
            let fault = |name: &str| steps.iter().skip(from).find(|(step, ..)| *step == name).map_or(none, |(name, value, _)| (*name, *value));
            let path = if fault("path") == none { "/api/users/me" } else { "/api/users/mE" };
            let method = if fault("method") == none { "PATCH" } else { "POST" };
            let request = site.request(method, &format!("{path}{}", fault("format").1));
            let request = if fault("Host") == none { request.host("localhost") } else { request.host("evil.example.com") };
            let request = if fault("Accept") == none { request } else { request.header("Accept", "text/html") };
            let request = if fault("Authorization") == none { request.token(&site.alex.key) } else { request.token("nope") };
            let answer = request.header("Content-Encoding", "gzip").body("text/plain", "{").send().await;
            assert_eq!(answer.status, steps[from].2, "{}: {answer}", steps[from].0);
        }
        hold(vec![
            ("permission before method", site.request("POST", "/api/users/me").token(&site.plain.key), 403, FORBIDDEN),
            ("permission before body", write(&site, &site.plain, "PATCH", "/api/users/me", json!([])), 403, FORBIDDEN),
            ("the body comes last", write(&site, &site.alex, "PATCH", "/api/users/me", json!([])), 400, Any),
        ]).await;
    }
}

both! {
    async fn section_2_users_and_groups(backend: Backend) {
        let site = Site::start(backend).await;
        let (admin, staff, holder) = (&site.admin, &site.staff, &site.holder);
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (method, path) in [
            ("GET", "/api/users"), ("POST", "/api/users"), ("GET", "/api/users/42"), ("PATCH", "/api/users/42"), ("PUT", "/api/users/42"),
            ("DELETE", "/api/users/42"), ("GET", "/api/users/groups"), ("POST", "/api/users/groups"), ("GET", "/api/users/groups/3"),
            ("PATCH", "/api/users/groups/3"), ("DELETE", "/api/users/groups/3"), ("GET", "/api/users/permissions"),
        ] {
            rows.push(("staff need the code", write(&site, staff, method, path, json!({})), 403, FORBIDDEN));
            rows.push(("anybody else is refused", site.request(method, path).token(&site.plain.key), 403, FORBIDDEN));
            rows.push(("and a stranger", site.request(method, path), 401, NOT_PROVIDED));
        }
        hold(rows).await;
        hold(vec![
            ("admin passes always", site.get("/api/users/42").token(&admin.key), 200, Has("/id", json!(42))),
            ("staff passes with the code", site.get("/api/users/42").token(&holder.key), 200, Has("/is_online", json!(false))),
            ("username is required", write(&site, admin, "POST", "/api/users", json!({})), 400, Exactly(r#"{"username":["This field is required."]}"#)),
            ("is_active is true and the others false by default", write(&site, admin, "POST", "/api/users", json!({"username": "new"})), 201,
                Has("/is_active", json!(true))),
            ("a user has data of groups", site.get("/api/users/42").token(&holder.key), 200, Has("/groups_data/0/name", json!("Staff room"))),
            ("a group needs a name", write(&site, admin, "POST", "/api/users/groups", json!({})), 400, Exactly(r#"{"name":["This field is required."]}"#)),
            ("a group's name is unique", write(&site, admin, "POST", "/api/users/groups", json!({"name": "Billing"})), 400,
                Exactly(r#"{"name":["group with this name already exists."]}"#)),
            ("a group has a count", site.get("/api/users/groups/3").token(&holder.key), 200, Has("/users_count", json!(1))),
            ("permissions are a bare array", site.get("/api/users/permissions?search=user_read").token(&holder.key), 200,
                Exactly(r#"[{"id":6,"code":1222,"name":"user_read"}]"#)),
            ("an empty ordering is none", site.get("/api/users/permissions?ordering=&search=user_read").token(&holder.key), 200, Has("/0/id", json!(6))),
            ("nobody makes an admin", write(&site, holder, "POST", "/api/users", json!({"username": "x", "is_admin": true})), 403, Any),
            ("nobody raises themselves", write(&site, holder, "PATCH", &format!("/api/users/{}", holder.id), json!({"is_admin": true})), 403, Any),
            ("an own password needs the old one", write(&site, admin, "PATCH", &format!("/api/users/{}", admin.id), json!({"password": "quite a long phrase"})), 400,
                Has("/old_password/0", json!("This field is required."))),
            ("PUT needs what a new object needs", write(&site, admin, "PUT", "/api/users/42", json!({})), 400, Exactly(r#"{"username":["This field is required."]}"#)),
            ("what you may not see is 404", site.get("/api/users/4711").token(&holder.key), 404, NOT_FOUND),
            ("DELETE has no body", site.request("DELETE", "/api/users/groups/3").token(&holder.key), 204, Exactly("")),
        ]).await;
    }
}

both! {
    async fn section_3_lists(backend: Backend) {
        let site = Site::start(backend).await;
        let list = |query: &str| site.get(&format!("/api/users{query}")).token(&site.admin.key);
        let groups = |query: &str| site.get(&format!("/api/users/groups{query}")).token(&site.admin.key);
        hold(vec![
            ("limit is 10 by default", list(""), 200, Has("/count", json!(6))),
            ("links are absolute and name the limit", list("?offset=5&limit=1"), 200, Has("/previous", json!("http://localhost/api/users?limit=1&offset=4"))),
            ("or null", list("?offset=5&limit=1"), 200, Has("/next", Value::Null)),
            ("links keep the spelling of the path", list("/?limit=1"), 200, Has("/next", json!("http://localhost/api/users/?limit=1&offset=1"))),
            ("also for groups", groups("/?limit=1"), 200, Has("/next", json!("http://localhost/api/users/groups/?limit=1&offset=1"))),
            ("also for the recycle bin", site.get("/api/users/deleted/").token(&site.admin.key), 200, Has("/count", json!(0))),
            ("limit is 1000 at most", list("?limit=1001"), 400, Has("/limit/0", json!("Ensure this value is less than or equal to 1000."))),
            ("an empty value is no filter", list("?gender=&is_active=&created_from=&groups_in="), 200, Has("/count", json!(6))),
            ("an unknown filter is named", list("?nickname=x"), 400, Exactly(r#"{"nickname":["Unknown parameter."]}"#)),
            ("a malformed value is named", list("?created_from=x"), 400, Has("/created_from/0", json!("Date has wrong format. Use one of these formats instead: YYYY-MM-DD."))),
            ("a cursor page is not counted", list("?cursor="), 200, Has("/count", Value::Null)),
            ("terms are split on blanks and commas", list("?search=ALEX,tech+thompson"), 200, Has("/results/0/id", json!(42))),
            ("every term must match", list("?search=alex,nobody"), 200, Has("/count", json!(0))),
            ("groups are ordered by their members", groups("?ordering=-_users_count,id&limit=1"), 200, Has("/results/0/id", json!(1))),
            ("and filtered by them", groups("?users_count_min=2"), 200, Has("/count", json!(0))),
        ]).await;
        let audit = site.get("/api/users/audit/?limit=1&action=").token(&site.admin.key).send().await.json();
        assert!(audit["next"].as_str().unwrap().starts_with("http://localhost/api/users/audit/?action=&before="), "{audit}");
        assert!(audit["next"].as_str().unwrap().ends_with("&limit=1"), "{audit}");
    }
}

both! {
    async fn section_4_validation(backend: Backend) {
        let site = Site::start(backend).await;
        let patch = |body: Value| write(&site, &site.alex, "PATCH", "/api/users/me", body);
        let sign_in = |body: Value| site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body.to_string());
        let refused = r#"{"non_field_errors":["Unable to log in with provided credentials."]}"#;
        hold(vec![
            ("null", patch(json!({"first_name": null})), 400, Exactly(r#"{"first_name":["This field may not be null."]}"#)),
            ("blank", patch(json!({"username": " "})), 400, Exactly(r#"{"username":["This field may not be blank."]}"#)),
            ("an address", patch(json!({"email": "zz"})), 400, Exactly(r#"{"email":["Enter a valid email address."]}"#)),
            ("a choice", patch(json!({"gender": "zz"})), 400, Exactly(r#"{"gender":["\"zz\" is not a valid choice."]}"#)),
            ("NUL", patch(json!({"last_name": "a\u{0}"})), 400, Exactly(r#"{"last_name":["Null characters are not allowed."]}"#)),
            ("not an object", patch(json!([])), 400, Exactly(r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#)),
            ("all errors of all fields", patch(json!({"email": "zz", "gender": "zz", "nickname": 1})), 400,
                Exactly(r#"{"nickname":["Unknown field."]}"#)),
            ("a required field", sign_in(json!({})), 400, Exactly(r#"{"username":["This field is required."],"password":["This field is required."]}"#)),
            ("null at sign-in", sign_in(json!({"username": null, "password": null})), 400,
                Exactly(r#"{"username":["This field may not be null."],"password":["This field may not be null."]}"#)),
            ("NUL at sign-in", sign_in(json!({"username": "a\u{0}b", "password": "\u{0}"})), 400,
                Exactly(r#"{"username":["Null characters are not allowed."],"password":["Null characters are not allowed."]}"#)),
            ("blank at sign-in", sign_in(json!({"username": " ", "password": ""})), 400,
                Exactly(r#"{"username":["This field may not be blank."],"password":["This field may not be blank."]}"#)),
            ("a password of blanks is a password", sign_in(json!({"username": "alex_thompson", "password": "   "})), 400, Exactly(refused)),
            ("an unknown user", sign_in(json!({"username": "nobody", "password": "x"})), 400, Exactly(refused)),
            ("not a text", sign_in(json!({"username": ["a"], "password": true})), 400,
                Exactly(r#"{"username":["Not a valid string."],"password":["Not a valid string."]}"#)),
        ]).await;
    }
}
