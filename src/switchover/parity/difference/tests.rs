use std::time::Duration;

use http::HeaderValue;

use super::super::client::NoResponse;
use super::*;

/// Reads `404 text/html | Allow: GET | body`: status and type, headers, and after the last ` | ` the body.
fn answer(text: &str) -> Response {
    let (head, body) = text.rsplit_once(" | ").unwrap();
    let mut lines = head.split(" | ");
    let (status, media_type) = lines.next().unwrap().split_once(' ').unwrap();
    let mut answer =
        Response { status: status.parse().unwrap(), body: body.to_owned().into(), ..Response::default() };
    if !media_type.trim().is_empty() {
        answer.headers.append(CONTENT_TYPE, media_type.parse().unwrap());
    }
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        answer.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    answer
}

/// One line a difference; `~` before those that are expected.
fn lines(found: &[Difference]) -> Vec<String> {
    let side = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
    let line = |it: &Difference| {
        let mark = if it.expected.is_some() { "~" } else { "" };
        let at = it.at.as_ref().map(|at| format!("@{at}")).unwrap_or_default();
        format!("{mark}{} {}{at} {} -> {}", it.kind.as_str(), it.field, side(&it.old), side(&it.new))
    };
    found.iter().map(line).collect()
}

fn compared(method: &Method, old: &str, new: &str, ignored: &[&str]) -> Vec<String> {
    let ignored: Vec<_> = ignored.iter().map(|field| (*field).to_owned()).collect();
    lines(&differences(method, &Ok(answer(old)), &Ok(answer(new)), &ignored))
}

fn json(old: &str, new: &str) -> Vec<String> {
    let whole = |body: &str| format!("200 application/json | {body}");
    compared(&Method::GET, &whole(old), &whole(new), &[])
}

#[test]
fn values_are_compared_field_by_field() {
    for (old, new, found) in [
        (r#"{"a":1}"#, r#"{"a":1}"#, &[][..]),
        (r#"{"a":1}"#, r#"{"a":2}"#, &["value a 1 -> 2"]),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &[r#"type a 1 -> "1""#]),
        (r#"{"a":null}"#, r#"{"a":""}"#, &[r#"type a null -> """#]),
        (r#"{"a":1}"#, r#"{"a":1.0}"#, &["value a 1 -> 1.0"]),
        (
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
            &["value a 9007199254740993 -> 9007199254740992"],
        ),
        (r#"{"a":"é"}"#, r#"{"a":"e\u0301"}"#, &["value a \"é\" -> \"e\u{301}\""]),
        (r#"{"a":" x"}"#, r#"{"a":"x"}"#, &[r#"value a " x" -> "x""#]),
        (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, &["missing b 2 -> nothing"]),
        (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, &["extra b nothing -> null"]),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &[r#"~key order  ["a","b"] -> ["b","a"]"#]),
        (r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":{"c":2}}}"#, &["value a.b.c 1 -> 2"]),
        (r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#, &[r#"type a {"b":1} -> [1]"#]),
        (
            r#"{"results":[{"id":1},{"id":2}]}"#,
            r#"{"results":[{"id":1},{"id":"2"},{"id":3}]}"#,
            &[
                r#"type results.*.id@results.1.id 2 -> "2""#,
                r#"extra results.*@results.2 nothing -> {"id":3}"#,
            ],
        ),
        (r#"[{"a":1}]"#, "[]", &[r#"missing *@0 {"a":1} -> nothing"#]),
        (r#"{"codes":[1,2]}"#, r#"{"codes":[2,1]}"#, &["value codes [1,2] -> [2,1]"]),
        (r#"{"a":1}"#, r#"{ "a" : 1 }"#, &[r#"~form  "{\"a\":1}" -> "{ \"a\" : 1 }""#]),
        (r#"{"a":"é"}"#, r#"{"a":"\u00e9"}"#, &[r#"~form  "{\"a\":\"é\"}" -> "{\"a\":\"\\u00e9\"}""#]),
        ("{\"a\":1", "{\"a\":1}", &[r#"body  "{\"a\":1" -> {"a":1}"#]),
        ("one", "two", &[r#"body  "one" -> "two""#]),
        ("", "{}", &[r#"body  "" -> {}"#]),
    ] {
        assert_eq!(json(old, new), found, "{old} and {new}");
    }
}

/// Expected differences are distinguished from similar ones.
#[test]
fn expected_values_are_narrow() {
    for (field, old, new, expected) in [
        ("created_at", r#""2025-01-02T03:04:05Z""#, r#""2025-01-02T03:04:05.000000Z""#, true),
        ("any", r#""2025-01-02T06:34:05.120000+03:30""#, r#""2025-01-02T03:04:05.120000Z""#, true),
        ("created_at", r#""2025-01-02T03:04:05.000000Z""#, r#""2025-01-02T03:04:05Z""#, false),
        ("created_at", r#""2025-01-02T03:04:05.000001Z""#, r#""2025-01-02T03:04:05.000000Z""#, false),
        ("created_at", r#""2025-01-02T03:04:05.1234567Z""#, r#""2025-01-02T03:04:05.123456Z""#, false),
        ("created_at", r#""2025-01-02T03:04:05""#, r#""2025-01-02T03:04:05.000000Z""#, false),
        ("created_at", r#""2025-01-02T03:04:05Z""#, r#""2025-01-03T03:04:06.000000Z""#, false),
        ("last_login", r#""2025-01-02T03:04:05.5Z""#, r#""2025-01-01T10:11:12.130000Z""#, true),
        ("last_login", r#""2025-01-02T03:04:05.654321Z""#, r#""2025-01-02T03:04:05.000000Z""#, false),
        ("last_login", r#""2025-01-02T03:04:05.654321Z""#, r#""2025-01-01T23:34:05.654321Z""#, false),
        ("last_login", r#""2025-01-02T03:04:05Z""#, "null", false),
        ("last_login", "null", r#""2025-01-02T03:04:05.000000Z""#, false),
        ("last_login", r#""yesterday""#, r#""today""#, false),
        ("groups", "[2,4,7,1]", "[1,2,4,7]", true),
        ("groups", "[1,2]", "[2,1]", false),
        ("groups", "[1,2,2]", "[1,1,2]", false),
        ("groups", "[1,2]", "[1,2,3]", false),
        ("groups", r#"["b","a"]"#, r#"["a","b"]"#, false),
        ("permissions", "[2,1]", "[1,2]", false),
        (
            "avatar",
            r#""http://127.0.0.1:9000/media/a.jpg""#,
            r#""https://www.example.com/media/a.jpg""#,
            true,
        ),
        ("avatar", r#""http://a/media/a.jpg""#, r#""http://b/media/b.jpg""#, false),
        ("avatar", r#""http://a/media/a%20b.jpg""#, r#""http://b/media/a+b.jpg""#, false),
        ("avatar", r#""/media/a.jpg""#, r#""http://b/media/a.jpg""#, false),
        ("avatar", r#""ftp://a/x""#, r#""http://b/x""#, false),
        ("email", r#""mailto://a@x""#, r#""mailto://b@x""#, false),
    ] {
        let found = json(&format!(r#"{{"{field}":{old}}}"#), &format!(r#"{{"{field}":{new}}}"#));
        assert_eq!(found.len(), 1, "{field} {old} {new}");
        assert_eq!(found[0].starts_with('~'), expected, "{field} {old} {new}");
    }
}

#[test]
fn an_ignored_field_is_ignored_wherever_it_stands_and_with_all_below() {
    let whole = |body: &str| format!("200 application/json | {body}");
    let old = whole(r#"{"id":1,"user":{"email":"a","x":{"y":1}},"results":[{"email":"b"}],"gone":1}"#);
    let new = whole(r#"{"user":{"email":"A","x":{"y":2}},"id":1,"results":[{"email":"B"}],"my_email":0}"#);
    let found = |ignored: &[&str]| compared(&Method::GET, &old, &new, ignored).len();
    assert_eq!(found(&[]), 6);
    assert_eq!(found(&["email"]), 4);
    assert_eq!(found(&["user.email"]), 5);
    assert_eq!(found(&["results.email", "x", "gone", "my_email"]), 2);
    assert_eq!(found(&["results", "user", "gone", "my_email"]), 1, "the order of keys is left");
    assert_eq!(found(&["ail", "user.x.y.z", "results.0.email"]), 6);
}

#[test]
fn headers_that_matter_are_compared() {
    for (old, new, found) in [
        ("application/json", "application/json | Date: x | Server: y | X-Request-Id: z", &[][..]),
        (
            "application/json",
            "Application/JSON",
            &[r#"~header Content-Type "application/json" -> "Application/JSON""#],
        ),
        (
            "application/json; charset=utf-8",
            "application/json",
            &[r#"~header Content-Type "application/json; charset=utf-8" -> "application/json""#],
        ),
        (
            "application/json; charset=latin1",
            "application/json",
            &[r#"header Content-Type "application/json; charset=latin1" -> "application/json""#],
        ),
        ("text/html", "application/json", &[r#"header Content-Type "text/html" -> "application/json""#]),
        ("", "application/json", &[r#"header Content-Type nothing -> "application/json""#]),
        (" | Allow: GET, HEAD, OPTIONS", " | Allow: OPTIONS,head | Allow: GET", &[]),
        (
            " | Allow: GET, HEAD",
            " | Allow: GET, PATCH, HEAD",
            &[r#"~header Allow "GET, HEAD" -> "GET, PATCH, HEAD""#],
        ),
        (" | Allow: GET, PUT", " | Allow: GET, PATCH", &[r#"header Allow "GET, PUT" -> "GET, PATCH""#]),
        (" | Allow: GET", "", &[r#"header Allow "GET" -> nothing"#]),
        (
            " | Vary: Accept, Cookie",
            " | Vary: Accept, Authorization",
            &[r#"~header Vary "Accept, Cookie" -> "Accept, Authorization""#],
        ),
        ("", " | Vary: Authorization, Accept", &[r#"~header Vary nothing -> "Authorization, Accept""#]),
        (
            " | Vary: Accept, Origin",
            " | Vary: Accept, Authorization",
            &[r#"header Vary "Accept, Origin" -> "Accept, Authorization""#],
        ),
        (" | Vary: Accept", "", &[r#"header Vary "Accept" -> nothing"#]),
        (
            " | WWW-Authenticate: Token",
            " | WWW-Authenticate: Token realm=\"x\"",
            &[r#"header WWW-Authenticate "Token" -> "Token realm=\"x\"""#],
        ),
        (" | WWW-Authenticate: Token", "", &[r#"header WWW-Authenticate "Token" -> nothing"#]),
        (" | Retry-After: 5", " | Retry-After: 60", &[]),
        (" | Retry-After: 5", "", &[r#"header Retry-After "5" -> nothing"#]),
        (
            " | Location: http://a/x?y",
            " | Location: https://b/x?y",
            &[r#"~header Location "http://a/x?y" -> "https://b/x?y""#],
        ),
        (
            " | Location: http://a/x?y",
            " | Location: http://a/x",
            &[r#"header Location "http://a/x?y" -> "http://a/x""#],
        ),
        (" | Set-Cookie: csrftoken=s3cret", "", &[r#"~header Set-Cookie "(set)" -> nothing"#]),
        (
            " | X-Frame-Options: DENY",
            " | Referrer-Policy: no-referrer",
            &[r#"header X-Frame-Options "DENY" -> nothing"#],
        ),
        (" | X-Frame-Options: DENY", " | X-Frame-Options: SAMEORIGIN", &[]),
        (
            " | Cross-Origin-Opener-Policy: same-origin",
            "",
            &[r#"~header Cross-Origin-Opener-Policy "same-origin" -> nothing"#],
        ),
    ] {
        assert_eq!(
            compared(&Method::GET, &format!("200 {old} | x"), &format!("200 {new} | x"), &[]),
            found,
            "{old} and {new}"
        );
    }
}

#[test]
fn answers_of_different_status_have_nothing_else_to_compare() {
    let found = compared(
        &Method::GET,
        "200 application/json | Allow: GET | {\"id\":1}",
        "401 application/json | WWW-Authenticate: Token | {\"detail\":\"Invalid token.\"}",
        &[],
    );
    assert_eq!(found, [r#"status  "200 {\"id\":1}" -> "401 {\"detail\":\"Invalid token.\"}""#]);
    let found = compared(&Method::GET, "302  | Location: /login/ | ", "401  | no", &[]);
    assert_eq!(found, [r#"status  "302" -> "401 no""#, r#"header Location "/login/" -> nothing"#]);
}

#[test]
fn django_s_own_pages_are_expected_where_wardroom_has_json() {
    let page = "text/html; charset=utf-8 | <h1>Not Found</h1>";
    let ours = "application/json | Vary: Accept, Authorization | Allow: GET | {\"detail\":\"Not found.\"}";
    let found = |status: u16, new: &str| {
        let found = compared(&Method::GET, &format!("{status} {page}"), &format!("{status} {new}"), &[]);
        found.into_iter().filter(|line| !line.starts_with('~')).count()
    };
    assert_eq!((found(404, ours), found(400, ours)), (0, 0));
    assert!(found(500, ours) > 0 && found(403, ours) > 0, "a failure is not a refusal");
    assert!(found(404, "application/json | {") > 0 && found(404, "application/json | ") > 0);
    let found = compared(&Method::HEAD, "404 text/html | ", "404 application/json | ", &[]);
    assert!(found.iter().all(|line| line.starts_with('~')), "{found:?}");
}

#[test]
fn an_answer_to_options_describes_the_server() {
    let old =
        r#"200 application/json | {"name":"Current User","renders":["application/json","text/html"],"id":1}"#;
    let new = r#"200 application/json | {"name":"Me","renders":["application/json"],"actions":{},"id":2}"#;
    let real = |method: &Method| {
        compared(method, old, new, &[]).iter().filter(|line| !line.starts_with('~')).count()
    };
    assert_eq!((real(&Method::OPTIONS), real(&Method::GET)), (1, 4));
}

#[test]
fn head_says_the_length_of_get_on_both_sides_or_on_neither() {
    let found = |old: &str, new: &str| {
        let head = |text: &str| Ok(Response { get_length: Some(10), ..answer(&format!("200 {text} | ")) });
        lines(&differences(&Method::HEAD, &head(old), &head(new), &[]))
    };
    assert_eq!(found(" | Content-Length: 10", " | Content-Length: 10"), [""; 0]);
    assert_eq!(
        found(" | Content-Length: 10", ""),
        [r#"header Content-Length "the length of GET" -> "none with HEAD""#]
    );
    assert_eq!(
        found(" | Content-Length: 10", " | Content-Length: 0"),
        [r#"header Content-Length "the length of GET" -> "0 with HEAD, 10 with GET""#]
    );
}

#[test]
fn a_missing_answer_is_a_difference_even_if_both_are_missing() {
    let silent = || Err(NoResponse::TimedOut(Duration::from_secs(10)));
    let good = || Ok(answer("200 application/json | {}"));
    let found = |old: &ProbeOutcome, new: &ProbeOutcome| lines(&differences(&Method::GET, old, new, &[]));
    assert_eq!(found(&silent(), &good()), [r#"no answer  "no complete response within 10s" -> "200 {}""#]);
    assert_eq!(
        found(&Err(NoResponse::Closed), &Err(NoResponse::TooLarge)),
        [
            r#"no answer  "it closed the connection before the response was complete" -> "the body is larger than 8 MiB""#
        ]
    );
}

#[test]
fn a_redirect_that_was_followed_is_noted() {
    let old = Response { slashed: true, ..answer("200 application/json | {}") };
    let found = lines(&differences(&Method::GET, &Ok(old), &Ok(answer("200 application/json | {}")), &[]));
    assert_eq!(found, [r#"~redirect  "to the path with a slash" -> nothing"#]);
}
