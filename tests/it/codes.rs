//! Signing in with a one-time code: the two calls, what they answer, and what is sent.

use std::time::Duration;

use serde_json::json;
use wardroom::directory::Origin;
use wardroom::directory::model::{CallingCode, Channel, CodeSettings, MessageKind, UserDraft, UserKey};

use crate::support::codes::{
    ask, code, codes_site, cookie, deliver, other_than, pass, replica, send, verify, with_codes,
};
use crate::support::site::{moment, operator, person};
use crate::support::{Answer, Backend, Site, both};

/// The number of the user of the example, in another spelling than the stored one.
const NUMBER: &str = "+1 (555) 0123";
const HERE: &str = "192.0.2.1";
const THERE: &str = "198.51.100.1";
const WRONG: &str = r#"400 {"code":["Invalid code."]}"#;

/// The answer without what differs between two requests by chance.
fn shape(answer: &Answer) -> String {
    let headers =
        answer.headers.iter().filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| {
        let value = if name == "set-cookie" { value.split_once(';').unwrap().1 } else { value };
        format!("{name}: {value}")
    });
    format!("{} {} {}", answer.status, headers.collect::<Vec<_>>().join(", "), answer.body)
}

async fn give_number(site: &Site, id: i64, number: &str) {
    site.database.sql(&format!("UPDATE users SET mobile_number = '{number}' WHERE id = {id}")).await;
}

both! {
    /// Lines 1, 3, 4 and 14: the two calls of the original, with the cookie that binds the code, and what the sign-in leaves.
    async fn a_code_signs_a_user_in_once(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let asked = ask(&site, HERE, NUMBER).await;
        assert_eq!(asked.to_string(), r#"200 {"ttl":300}"#);
        assert_eq!(asked.header("cache-control"), Some("no-store"));
        let (pair, attributes) = asked.header("set-cookie").unwrap().split_once("; ").unwrap();
        assert!(pair.starts_with("wardroom-otp=") && pair.len() > 80, "{pair}");
        assert_eq!(attributes, "Path=/api/users/auth/otp; Max-Age=301; Secure; HttpOnly; SameSite=Strict");
        let sent = deliver(site.directory()).await;
        let message = &sent[0];
        assert_eq!((sent.len(), message.kind, message.channel), (1, MessageKind::Code, Channel::Sms));
        assert_eq!((message.to.as_str(), message.user.map(|user| user.get())), ("+15550123", Some(42)));
        let code = message.code.clone().unwrap();
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        assert!(message.text.contains(&code) && message.text.contains("5 min"), "{}", message.text);
        assert_eq!(message.expires_at, site.clock.now().plus(Duration::from_mins(5)).unwrap());
        pass(&site, Duration::from_secs(100));
        let verified = send(&site, HERE, "verify", &json!({ "code": code })).header("Cookie", &cookie(&asked)).send().await;
        assert_eq!((verified.status, verified.header("cache-control")), (200, Some("no-store")), "{verified}");
        let key = verified.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(verified.body, json!({ "token": key }).to_string());
        assert_eq!(verified.header("x-token-expires-at"), Some("2025-09-02T00:01:40.000000Z"), "as a password");
        assert!(verified.header("set-cookie").unwrap().contains("Max-Age=0"));
        let me = site.me(&key).send().await;
        assert_eq!((me.status, &me.json()["last_login"]), (200, &json!("2025-09-01T12:01:40.000000Z")));
        let token = "SELECT kind || ' ' || name || ' ' || made_by || ' ' || amr FROM tokens WHERE kind = 'sign_in'";
        assert_eq!(site.database.texts(token).await, ["sign_in sign-in sign_in otp"]);
        // Replayed, it is worth nothing: with the cookie, with the number, and from there.
        let body = json!({ "code": code });
        let replayed = send(&site, HERE, "verify", &body).header("Cookie", &cookie(&asked)).send().await;
        assert_eq!(replayed.to_string(), WRONG);
        assert_eq!(verify(&site, THERE, NUMBER, &code).await.to_string(), WRONG);
        assert_eq!(send(&site, HERE, "verify", &body).send().await.to_string(), WRONG);
        let trail = "SELECT action || ' ' || object_name || ' ' || coalesce(address, '') || ' ' || changes FROM audit_events \
                     WHERE action LIKE 'code.%' OR action = 'message.sent' OR action = 'sign_in' ORDER BY id";
        let trail = site.database.texts(trail).await;
        let expected = [
            r#"code.request alex_thompson 192.0.2.1 {"channel":"sms","to":"+15****23","sent":true}"#,
            r#"message.sent alex_thompson  {"#,
            r#"code.verify alex_thompson 192.0.2.1 {"channel":"sms","to":"+1-******23"}"#,
            r#"sign_in alex_thompson 192.0.2.1 {"token":"#,
            r#"code.refused alex_thompson 192.0.2.1 {"channel":"sms","to":"+1-******23"}"#,
        ];
        assert_eq!(trail.len(), 7, "{trail:?}");
        for (event, expected) in trail.iter().zip(expected) {
            assert!(event.starts_with(expected) && !event.contains(&code), "{event}");
        }
        assert!(trail[3].contains(r#""proof":"otp""#), "{trail:?}");
    }
}

both! {
    /// Line 1, ours: an address works like a number. The mail goes to what is stored.
    async fn a_code_goes_to_an_address_as_well(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let body = json!({ "email": " Alex.Thompson@TechCorp.com" });
        let asked = send(&site, HERE, "signin", &body).header("Accept-Language", "fa-IR, en;q=0.5").send().await;
        assert_eq!(asked.to_string(), r#"200 {"ttl":300}"#);
        let sent = deliver(site.directory()).await;
        assert_eq!((sent.len(), sent[0].channel, sent[0].to.as_str()), (1, Channel::Mail, "alex.thompson@techcorp.com"));
        assert!(sent[0].subject.is_some() && sent[0].text.contains("کد ورود"), "{}", sent[0].text);
        let code = sent[0].code.clone().unwrap();
        // Digits of another keyboard are the same digits.
        let persian: String = code.chars().map(|digit| char::from_u32(u32::from(digit) - 0x30 + 0x6f0).unwrap()).collect();
        let body = json!({ "code": persian, "email": "alex.thompson@techcorp.com" });
        let verified = send(&site, THERE, "verify", &body).send().await;
        assert_eq!(verified.status, 200, "{verified}");
    }
}

both! {
    /// Line 1: every number that is well-formed gets the same answer, and only some get a code.
    async fn the_answer_does_not_say_whether_an_account_exists(backend: Backend) {
        let site = codes_site(backend, |settings| settings.targets_per_client_hour = 1_000).await;
        let shared = person(site.directory(), "shared", |draft| draft.mobile_number = Some(Some("+49 711 1111111".into()))).await;
        person(site.directory(), "also", |draft| draft.mobile_number = Some(Some("+49-711-1111111".into()))).await;
        person(site.directory(), "national", |draft| draft.mobile_number = Some(Some("0711 2222222".into()))).await;
        for (persona, number) in [(&site.admin, "+49 711 3333333"), (&site.inactive, "+49 711 4444444")] {
            give_number(&site, persona.id, number).await;
        }
        let known = ask(&site, HERE, NUMBER).await;
        for (number, why) in [
            ("+49 711 1111111", "shared"),
            ("0711 2222222", "incomplete"),
            ("+49 711 3333333", "admin"),
            ("+49 711 4444444", "inactive"),
            ("+49 711 5555555", "unknown"),
            ("123", "incomplete"),
            ("+999 99999999999", "unknown"),
        ] {
            let answer = ask(&site, HERE, number).await;
            assert_eq!(shape(&answer), shape(&known), "{number}");
            let sent = deliver(site.directory()).await;
            assert!(sent.iter().all(|message| message.to == "+15550123"), "{number}");
            let last = "SELECT changes FROM audit_events WHERE action = 'code.request' AND changes LIKE '%\"sent\":false%' ORDER BY id DESC LIMIT 1";
            let last = site.database.text(last).await;
            assert!(last.contains(&format!("\"why\":\"{why}\"")), "{number} {last}");
            // Its codes are as wrong as any other.
            assert_eq!(verify(&site, HERE, number, "012345").await.to_string(), WRONG, "{number}");
        }
        assert_eq!(verify(&site, HERE, NUMBER, "x").await.to_string(), WRONG);
        // One of two accounts with a number is no better than the other.
        let key = UserKey::Id(shared.id.try_into().unwrap());
        site.directory().delete_user(&operator(), &key).await.unwrap();
        pass(&site, Duration::from_mins(6));
        ask(&site, HERE, "+497111111111").await;
        let sent = deliver(site.directory()).await;
        assert_eq!(sent.iter().map(|message| message.to.as_str()).collect::<Vec<_>>(), ["+497111111111"]);
    }
}

both! {
    /// Line 1, by construction: what takes a request never reads a user. Without that table it works the same.
    async fn a_request_is_taken_without_looking_at_users(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        site.database.sql("ALTER TABLE users RENAME TO hidden").await;
        assert_eq!(ask(&site, HERE, NUMBER).await.to_string(), r#"200 {"ttl":300}"#);
        assert_eq!(ask(&site, HERE, "+49 711 5555555").await.to_string(), r#"200 {"ttl":300}"#);
        let body = json!({ "email": "alex.thompson@techcorp.com" });
        assert_eq!(send(&site, HERE, "signin", &body).send().await.to_string(), r#"200 {"ttl":300}"#);
        assert!(site.directory().decide_codes().await.is_err(), "who decides does look");
        site.database.sql("ALTER TABLE hidden RENAME TO users").await;
        // A request that could not be decided is decided later.
        assert_eq!(deliver(site.directory()).await.len(), 2);
    }
}

both! {
    /// Lines 1 and 5: a code that is wrong costs the same transactions and reads, whether or not an account has the number.
    async fn a_wrong_code_costs_the_same_for_every_number(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        ask(&site, HERE, NUMBER).await;
        ask(&site, HERE, "+49 711 5555555").await;
        let wrong = other_than(&code(&site).await);
        let mut costs = Vec::new();
        for number in [NUMBER, "+49 711 5555555", NUMBER, "+49 711 5555555"] {
            let counters = site.directory().counters();
            let before = [counters.writes.get(), counters.reads.get(), counters.password_hashes.get()];
            assert_eq!(verify(&site, HERE, number, &wrong).await.to_string(), WRONG);
            let after = [counters.writes.get(), counters.reads.get(), counters.password_hashes.get()];
            costs.push([after[0] - before[0], after[1] - before[1], after[2] - before[2]]);
        }
        assert!(costs.iter().all(|cost| *cost == costs[0] && cost[2] == 0), "{costs:?}");
    }
}

both! {
    /// Line 2: while a code is out, there is no other one, and `ttl` counts down. After its use there is.
    async fn asked_again_there_is_no_new_code_before_the_end(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let ttl = async |from: &str, number: &str| ask(&site, from, number).await.json()["ttl"].as_u64().unwrap();
        assert_eq!(ttl(HERE, NUMBER).await, 300);
        let first = code(&site).await;
        pass(&site, Duration::from_millis(100_001));
        assert_eq!((ttl(HERE, NUMBER).await, ttl(THERE, "+1-555-0123").await), (200, 200));
        assert_eq!(ttl(HERE, "+49 711 5555555").await, 300);
        pass(&site, Duration::from_secs(199));
        assert_eq!((ttl(HERE, NUMBER).await, ttl(HERE, "+49 711 5555555").await), (1, 101));
        assert!(deliver(site.directory()).await.is_empty());
        // The second one who asked may give the code, too.
        let again = ask(&site, THERE, NUMBER).await;
        let body = json!({ "code": first });
        let verified = send(&site, THERE, "verify", &body).header("Cookie", &cookie(&again)).send().await;
        assert_eq!(verified.status, 200, "{verified}");
        assert_eq!(ttl(HERE, NUMBER).await, 300, "the code was used");
        let second = code(&site).await;
        pass(&site, Duration::from_secs(300));
        assert_eq!(verify(&site, HERE, NUMBER, &second).await.to_string(), WRONG, "expired");
        assert_eq!(ttl(HERE, NUMBER).await, 300);
        let third = code(&site).await;
        assert_eq!(verify(&site, HERE, NUMBER, &third).await.status, 200);
    }
}

both! {
    async fn misuse_is_named(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let number = r#"Enter a valid mobile number: digits, with an optional leading + and blanks, dots, hyphens or parentheses between them."#;
        for (path, body, expected) in [
            ("signin", "{}", r#"{"mobile_number":["This field is required."]}"#.to_owned()),
            ("signin", r#"{"mobile_number": ""}"#, r#"{"mobile_number":["This field may not be blank."]}"#.to_owned()),
            ("signin", r#"{"mobile_number": null}"#, r#"{"mobile_number":["This field may not be null."]}"#.to_owned()),
            ("signin", r#"{"mobile_number": "x"}"#, format!(r#"{{"mobile_number":["{number}"]}}"#)),
            ("signin", r#"{"mobile_number": "+49\u0000711"}"#, r#"{"mobile_number":["Null characters are not allowed."]}"#.to_owned()),
            ("signin", r#"{"mobile_number": "+49711\r\n123"}"#, r#"{"mobile_number":["Control characters are not allowed."]}"#.to_owned()),
            ("signin", r#"{"email": "x"}"#, r#"{"email":["Enter a valid email address."]}"#.to_owned()),
            ("signin", r#"{"email": "a@b.example\nBcc: c@d.example"}"#, r#"{"email":["Control characters are not allowed."]}"#.to_owned()),
            ("signin", r#"{"email": "a@b.example", "mobile_number": "+4971112345"}"#, r#"{"email":["Send either mobile_number or email."]}"#.to_owned()),
            ("signin", r#"{"mobile_number": "+4971112345", "x": 1}"#, r#"{"x":["Unknown field."]}"#.to_owned()),
            ("verify", "{}", r#"{"code":["This field is required."]}"#.to_owned()),
            ("verify", r#"{"code": " "}"#, r#"{"code":["This field may not be blank."]}"#.to_owned()),
            ("verify", r#"{"code": "123456", "mobile_number": "x"}"#, format!(r#"{{"mobile_number":["{number}"]}}"#)),
            ("verify", r#"{"code": "123456", "email": "x"}"#, r#"{"email":["Enter a valid email address."]}"#.to_owned()),
            ("verify", r#"{"code": ["123456"]}"#, r#"{"code":["Not a valid string."]}"#.to_owned()),
        ] {
            let request = site.request("POST", &format!("/api/users/auth/otp/{path}"));
            let answer = request.body("application/json", body).send().await;
            assert_eq!(answer.to_string(), format!("400 {expected}"), "{path} {body}");
        }
        for path in ["/api/users/auth/otp/signin", "/api/users/auth/otp/verify/"] {
            let get = site.get(path).send().await;
            assert_eq!((get.status, get.header("allow")), (405, Some("POST, OPTIONS")));
            let bad = site.request("POST", path).token("nope").body("application/json", "{}").send().await;
            assert_eq!(bad.status, 401);
        }
        assert_eq!(site.database.number("SELECT count(*) FROM sign_in_codes").await, 0);
    }
}

both! {
    /// Line 2: without the setting, the paths do not exist.
    async fn without_the_setting_there_is_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        for path in ["/api/users/auth/otp/signin", "/api/users/auth/otp/verify", "/api/users/auth/otp/verify/"] {
            for (method, body) in [("POST", r#"{"mobile_number": "+15550123"}"#), ("POST", "{}"), ("GET", ""), ("OPTIONS", "")] {
                let answer = site.request(method, path).body("application/json", body).send().await;
                assert_eq!(answer.to_string(), r#"404 {"detail":"Not found."}"#, "{method} {path}");
            }
        }
        assert_eq!(site.directory().decide_codes().await.unwrap(), 0);
        assert_eq!(site.get("/admin/sign-in/code").header("Accept", "text/html").send().await.status, 404);
        assert!(!site.get("/admin/sign-in").header("Accept", "text/html").send().await.body.contains("with a code"));
    }
}

both! {
    /// d1: a code without a number belongs to one request: that of the cookie, or the only one that came from there.
    async fn a_bare_code_is_bound_to_one_request(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        give_number(&site, site.plain.id, "+49 711 6666666").await;
        let bare = async |from: &str, cookie: Option<&str>, code: &str| {
            let request = send(&site, from, "verify", &json!({ "code": code }));
            match cookie {
                Some(cookie) => request.header("Cookie", cookie).send().await,
                None => request.send().await,
            }
        };
        let required = r#"400 {"mobile_number":["This field is required."]}"#;
        assert_eq!(bare(HERE, None, "123456").await.to_string(), WRONG, "nothing was asked for");
        let alex = ask(&site, HERE, NUMBER).await;
        let alex_code = code(&site).await;
        // One code is out here.
        assert_eq!(bare(HERE, None, &other_than(&alex_code)).await.to_string(), WRONG);
        assert_eq!(bare(THERE, None, &alex_code).await.to_string(), WRONG, "no code was asked for from there");
        let plain = ask(&site, HERE, "+49 711 6666666").await;
        let plain_code = code(&site).await;
        // Two are.
        assert_eq!(bare(HERE, None, &alex_code).await.to_string(), required);
        assert_eq!(bare(HERE, Some("other=1"), &alex_code).await.to_string(), required);
        // A cookie that was made up, cut off or changed binds nothing.
        let cut = &cookie(&alex)[..40];
        let changed = format!("{}0", &cookie(&alex)[..cookie(&alex).len() - 1]);
        for cookie in [cut, "wardroom-otp=", "wardroom-otp=zz", changed.as_str()] {
            let answer = bare(HERE, Some(cookie), &alex_code).await;
            // The last digit may have been a zero.
            assert!(answer.to_string() == required || (cookie == changed && answer.status == 200), "{cookie} {answer}");
        }
        // The code of one does not fit the other, wherever it comes from.
        if alex_code != plain_code {
            assert_eq!(bare(HERE, Some(&cookie(&plain)), &alex_code).await.to_string(), WRONG);
        }
        let answer = bare(THERE, Some(&cookie(&plain)), &plain_code).await;
        assert_eq!(answer.status, 200, "{answer}");
        let key = answer.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(site.me(&key).send().await.status, 403, "plain, not alex");
        // A client whose address is not known shares it with others.
        let request = site.request("POST", "/api/users/auth/otp/verify").body("application/json", r#"{"code": "123456"}"#);
        assert_eq!(request.send().await.to_string(), required);
    }
}

both! {
    /// Line 4: numbers match whatever stands between their digits, and national ones where the operator says whose they are.
    async fn a_number_is_found_in_every_spelling(backend: Backend) {
        let site = codes_site(backend, |settings| settings.targets_per_client_hour = 100).await;
        let at_home = replica(&site, |settings| settings.home = CallingCode::parse("+49")).await;
        for (at, (stored, asked)) in [
            ("+49 (0)711 / 1", "+497111"),
            ("+49 (0)711-1000001", "+497111000001"),
            ("0049 711 1000002", "+49 711 1000002"),
            ("+49.711.1000003", "0049-711-1000003"),
            ("(+49) 711 1000004", "+497111000004"),
            ("0711 1000005", "+49 711 1000005"),
            ("+49 711 1000006", "0711 1000006"),
        ].into_iter().enumerate() {
            give_number(&site, site.plain.id, stored).await;
            let (number, home) = (asked.parse().unwrap(), CallingCode::parse("+49"));
            let mut found = Vec::new();
            for (directory, home) in [(site.directory(), None), (&at_home, home.as_ref())] {
                let target = wardroom::directory::model::CodeTarget::of_number(&number, home);
                let origin = Origin { address: Some(format!("10.0.{at}.{}", found.len())), ..Origin::default() };
                directory.request_code(&origin, target, directory.message_locale()).await.unwrap();
                found.push(deliver(directory).await.len());
                site.database.sql("DELETE FROM sign_in_codes").await;
            }
            let expected = match at { 0 => [0, 0], 5 | 6 => [0, 1], _ => [1, 1] };
            assert_eq!(found, expected, "{stored} {asked}");
        }
    }
}

both! {
    /// Line 13: a number that someone else has set gets no code for a day. One's own gets it at once.
    async fn a_number_that_someone_else_set_gets_no_code_for_a_day(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let key = UserKey::Id(site.staff.id.try_into().unwrap());
        let draft = |number: &str| UserDraft { mobile_number: Some(Some(number.into())), ..UserDraft::default() };
        let count = async |number: &str| {
            ask(&site, HERE, number).await;
            let sent = deliver(site.directory()).await.len();
            site.database.sql("DELETE FROM sign_in_codes").await;
            sent
        };
        site.directory().update_user(&operator(), &key, &draft("+49 711 7000001"), None).await.unwrap();
        assert_eq!(count("+497117000001").await, 0);
        let why = "SELECT changes FROM audit_events WHERE action = 'code.request' ORDER BY id DESC LIMIT 1";
        assert!(site.database.text(why).await.contains("\"why\":\"changed\""));
        pass(&site, Duration::from_secs(86_399));
        assert_eq!(count("+497117000001").await, 0);
        pass(&site, Duration::from_secs(1));
        assert_eq!(count("+497117000001").await, 1);
        // By the API, and in bulk.
        for (method, path, body) in [
            ("PATCH", format!("/api/users/{}", site.staff.id), json!({ "mobile_number": "+49 711 7000002" })),
            ("PATCH", "/api/users/bulk".to_owned(), json!({ "users": [{ "id": site.staff.id, "mobile_number": "+49 711 7000002" }] })),
        ] {
            site.directory().update_user(&operator(), &key, &draft("+49 711 7000001"), None).await.unwrap();
            site.database.sql("DELETE FROM contact_changes").await;
            let request = site.request(method, &path).token(&site.holder.key);
            let answer = request.body("application/json", body.to_string()).send().await;
            assert_eq!(answer.status, 200, "{answer}");
            assert_eq!(count("+497117000002").await, 0, "{path}");
        }
        // The user says that it is right, by setting another one.
        let own = site.request("PATCH", "/api/users/me").token(&site.staff.key);
        let answer = own.body("application/json", r#"{"mobile_number": "+49 711 7000003"}"#).send().await;
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(count("+497117000003").await, 1);
        // A deletion forgets nothing.
        site.directory().delete_user(&operator(), &key).await.unwrap();
        site.directory().restore_user(&operator(), site.staff.id.try_into().unwrap()).await.unwrap();
        assert_eq!(count("+497117000003").await, 0);
        pass(&site, Duration::from_hours(24));
        assert_eq!(count("+497117000003").await, 1);
    }
}

both! {
    /// A code is good for who has the number, the account and the right when it is given.
    async fn what_changed_since_the_code_was_sent_counts(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        for (change, undo) in [
            ("mobile_number = '+49 711 1'", "mobile_number = '+1-555-0123'"),
            ("mobile_number = NULL", "mobile_number = '+1-555-0123'"),
            ("is_active = (1 = 0)", "is_active = (1 = 1)"),
            ("is_admin = (1 = 1)", "is_admin = (1 = 0)"),
        ] {
            site.database.sql("DELETE FROM sign_in_codes; DELETE FROM attempts").await;
            ask(&site, HERE, NUMBER).await;
            let code = code(&site).await;
            site.database.sql(&format!("UPDATE users SET {change} WHERE id = 42")).await;
            assert_eq!(verify(&site, HERE, NUMBER, &code).await.to_string(), WRONG, "{change}");
            site.database.sql(&format!("UPDATE users SET {undo} WHERE id = 42")).await;
            assert_eq!(verify(&site, HERE, NUMBER, &code).await.status, 200, "{undo}");
        }
        // A user who was deleted takes the code along.
        site.database.sql("DELETE FROM sign_in_codes; DELETE FROM attempts").await;
        ask(&site, HERE, NUMBER).await;
        let code = code(&site).await;
        site.directory().delete_user(&operator(), &UserKey::Id(42.try_into().unwrap())).await.unwrap();
        assert_eq!(verify(&site, HERE, NUMBER, &code).await.to_string(), WRONG);
        assert_eq!(site.database.number("SELECT count(*) FROM sign_in_codes").await, 0);
    }
}

both! {
    /// d3: admins get codes only where the setting says so.
    async fn admins_get_codes_only_with_the_setting(backend: Backend) {
        let site = codes_site(backend, |settings| settings.for_admins = true).await;
        give_number(&site, site.admin.id, "+49 711 3333333").await;
        ask(&site, HERE, "+497113333333").await;
        let code = code(&site).await;
        let verified = verify(&site, HERE, "+497113333333", &code).await;
        assert_eq!(verified.status, 200, "{verified}");
        let key = verified.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(site.get("/api/users").token(&key).send().await.status, 200);
    }
}

both! {
    /// Lines 5 and 12: a server that stops after it has taken a request leaves it to another one. A request that is found too
    /// late gets no code, and a full outbox delays it only.
    async fn a_request_outlives_the_server_that_took_it(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let other = replica(&site, |_| {}).await;
        ask(&site, HERE, NUMBER).await;
        let sent = deliver(&other).await;
        assert_eq!(sent.len(), 1);
        assert!(deliver(site.directory()).await.is_empty(), "it was decided once");
        assert_eq!(verify(&site, HERE, NUMBER, sent[0].code.as_deref().unwrap()).await.status, 200);
        ask(&site, HERE, NUMBER).await;
        pass(&site, Duration::from_mins(5));
        assert!(deliver(&other).await.is_empty());
        let last = "SELECT changes FROM audit_events WHERE action = 'code.request' ORDER BY id DESC LIMIT 1";
        assert!(site.database.text(last).await.contains("too_late"));
        // What was asked for is not kept.
        let kept = "SELECT count(*) FROM sign_in_codes WHERE asked_for IS NOT NULL OR address IS NOT NULL OR request_id IS NOT NULL";
        assert_eq!(site.database.number(kept).await, 0);
        let mut settings = site.database.settings();
        with_codes(&mut settings, |_| {});
        settings.messages.most_waiting = 1;
        let full = wardroom::directory::Directory::open(&settings, site.clock.clone()).await.unwrap();
        send(&site, HERE, "signin", &json!({ "email": "alex.thompson@techcorp.com" })).send().await;
        assert_eq!(full.decide_codes().await.unwrap(), 1);
        ask(&site, HERE, NUMBER).await;
        assert!(full.decide_codes().await.is_err(), "one message waits");
        assert_eq!(deliver(&other).await.len(), 2);
    }
}

both! {
    /// A way that no provider serves is refused before anything is kept. That is the same for every number.
    async fn a_way_without_a_provider_is_refused(backend: Backend) {
        let site = Site::with_directory(backend, |settings| {
            with_codes(settings, |_| {});
            settings.messages.sms = false;
        }).await;
        let answer = ask(&site, HERE, NUMBER).await;
        assert_eq!(answer.to_string(), r#"400 {"mobile_number":["This server sends no codes by SMS."]}"#);
        assert_eq!(ask(&site, HERE, "+49 711 5555555").await.to_string(), answer.to_string());
        let mail = send(&site, HERE, "signin", &json!({ "email": "alex.thompson@techcorp.com" })).send().await;
        assert_eq!(mail.status, 200);
        assert_eq!(deliver(site.directory()).await.len(), 1);
    }
}

both! {
    /// Guards against a clock that goes back: no code lives longer, and no one waits longer, than the settings say.
    async fn after_the_clock_went_back_nothing_lasts_longer(backend: Backend) {
        let site = codes_site(backend, |settings| settings.per_account_hour = 1).await;
        ask(&site, HERE, NUMBER).await;
        let first = code(&site).await;
        site.clock.set(moment("2025-08-01T12:00:00Z"));
        assert_eq!(verify(&site, HERE, NUMBER, &first).await.to_string(), WRONG);
        assert_eq!(ask(&site, HERE, NUMBER).await.to_string(), r#"200 {"ttl":300}"#);
        let second = code(&site).await;
        assert_eq!(verify(&site, HERE, NUMBER, &second).await.status, 200);
    }
}

both! {
    /// Line 11: whatever is read of the database, the code is not in it. The text that waits is encrypted.
    async fn the_database_does_not_have_the_code(backend: Backend) {
        let site = codes_site(backend, |settings| settings.digits = 8).await;
        assert_eq!(CodeSettings::default().digits, 6);
        ask(&site, HERE, NUMBER).await;
        site.directory().decide_codes().await.unwrap();
        let before = site.database.content().await.join("\n") + &every_code_row(&site).await;
        let code = code(&site).await;
        assert_eq!(code.len(), 8);
        verify(&site, HERE, NUMBER, &other_than(&code)).await;
        verify(&site, HERE, NUMBER, &code).await;
        let after = site.database.content().await.join("\n") + &every_code_row(&site).await;
        for content in [before, after] {
            assert!(content.contains("alex_thompson") && !content.contains(&code), "{code}");
            let hex: String = code.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!content.to_lowercase().contains(&hex), "{code}");
        }
    }
}

/// Tables that no copy has.
async fn every_code_row(site: &Site) -> String {
    let mut rows = String::new();
    for table in ["sign_in_codes", "code_requests", "deliveries"] {
        let query = match site.backend() {
            Backend::Sqlite => {
                let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                let columns = site.database.texts(&columns).await;
                let columns: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
                format!("SELECT {} FROM {table}", columns.join(" || ' ' || "))
            }
            Backend::Postgres => format!("SELECT CAST({table} AS text) FROM {table}"),
        };
        rows += &site.database.texts(&query).await.join("\n");
    }
    rows
}
