//! Codes, links, tickets and keys, from the request to the message and back: what is sent to one person is shown to no one else.
//! Logs at every level, metrics, the audit trail, commands and tables are searched for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wardroom::directory::Clock;
use wardroom::directory::model::UserKey;
use wardroom::directory::password::Password;

use crate::cli::on;
use crate::house::house;
use crate::messages::{OPEN, Receiver, SIGNING, Secrets, with, works};
use crate::process::serve;
use crate::support::site::{operator, person};
use crate::support::{Answer, Backend, Database, Request, both};

const NUMBER: &str = "+989121234567";
const MAIL: &str = "planted.person@example.com";
const INVITED: &str = "planted.guest@example.com";
const PASSWORD: &str = "planted pass phrase of ann";
const NEXT: &str = "planted pass phrase after it";
const BASE: &str = "https://accounts.example.com/admin/password/";

/// Whether a text has a word that is not a part of a longer one. Eight digits may be a part of any number.
fn has_word(text: &str, word: &str) -> bool {
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        is_edge(text[..at].chars().next_back()) && is_edge(text[at + word.len()..].chars().next())
    })
}

/// Waits for the message of a number, and returns its data.
async fn message(receiver: &Receiver, number: usize) -> Value {
    receiver.wait_for(number).await[number - 1].json()["data"].clone()
}

fn key_of(message: &Value) -> String {
    let text = message["text"].as_str().unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix(BASE))
        .unwrap_or_else(|| panic!("no link in {text}"))
        .to_owned()
}

both! {
    /// Line 11, and the same for links and keys.
    async fn no_code_link_or_key_is_shown_anywhere(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        let directory = database.open(&Clock::system().unwrap()).await;
        let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
        person(&directory, "ann", |draft| {
            draft.mobile_number = Some(Some(NUMBER.into()));
            draft.email = Some(Some(MAIL.into()));
        }).await;
        directory.set_password(&operator(), &UserKey::Name("ann".into()), Password::new(PASSWORD.into())).await.unwrap();
        drop(directory);
        // The first attempt of the first message fails, with an answer that repeats what a provider may repeat.
        let receiver = Receiver::open(&["503 planted.person@example.com", "200 OK"]).await;
        let common = secrets.webhook(&format!("http://{}/", receiver.address));
        let mut flags = common.clone();
        flags.extend(["--public-url", "https://accounts.example.com", "--otp-sign-in", "true", "--otp-digits", "8"].map(str::to_owned));
        flags.extend(["--contact-settle", "0s", "--network-notices", "false", "--change-notices", "false"].map(str::to_owned));
        let mut server = serve(&database, &with(&flags, &[
            OPEN[0], OPEN[1], "--metrics-listen", "127.0.0.1:0", "--log-level", "trace", "--access-log", "all"
        ]));
        let address = server.address("listening");
        let metrics_at = server.address("metrics listening");
        let post = async |path: &str, token: Option<&str>, cookie: &str, body: Value| -> Answer {
            let request = Request::new(address, "POST", path).header("Cookie", cookie);
            let request = match token {
                Some(key) => request.token(key),
                None => request,
            };
            request.body("application/json", body.to_string()).send().await
        };
        let mut planted = vec![NEXT.to_owned(), PASSWORD.to_owned(), admin.key.clone()];
        // A code by SMS, whose first attempt fails, and one by mail.
        for (number, body) in [(2, json!({"mobile_number": NUMBER})), (3, json!({"email": MAIL}))] {
            let asked = post("/api/users/auth/otp/signin", None, "a=b", body).await;
            assert_eq!(asked.status, 200, "{asked}");
            let cookie = asked.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            let code = message(&receiver, number).await["code"].as_str().unwrap().to_owned();
            let verify = "/api/users/auth/otp/verify";
            let wrong = post(verify, None, &cookie, json!({"code": "1"})).await;
            assert_eq!(wrong.status, 400, "{wrong}");
            // In a field that takes no code, and as a query.
            assert_eq!(post(verify, None, &cookie, json!({"code": [code]})).await.status, 400);
            assert_eq!(post(verify, None, &cookie, json!({"code": code, "email": code})).await.status, 400);
            assert!(post(&format!("{verify}?code={code}"), None, &cookie, json!({})).await.status >= 400);
            let right = post(verify, None, &cookie, json!({"code": code})).await;
            assert_eq!(right.status, 200, "{right}");
            planted.push(right.json()["token"].as_str().unwrap().to_owned());
            planted.extend([code, cookie.split_once('=').unwrap().1.to_owned()]);
        }
        // A forgotten password.
        assert_eq!(post("/api/users/auth/pwd/forgot", None, "a=b", json!({"username": "ann"})).await.status, 202);
        let key = key_of(&message(&receiver, 4).await);
        // An invitation, which is sent twice: the first link is ended by the second.
        let guest = json!({"username": "guest", "email": INVITED, "invite": true});
        let made = post("/api/users", Some(&admin.key), "a=b", guest).await;
        assert_eq!(made.status, 201, "{made}");
        let first = key_of(&message(&receiver, 5).await);
        let path = format!("/api/users/{}/invitation", made.json()["id"]);
        assert_eq!(post(&path, Some(&admin.key), "a=b", json!({})).await.status, 201);
        let second = key_of(&message(&receiver, 6).await);
        for (key, is_open) in [(&key, true), (&first, false), (&second, true)] {
            for path in [format!("/admin/password/{key}"), format!("/admin/password/{key}/"), format!("/nowhere?key={key}")] {
                let request = Request::new(address, "GET", &path).header("X-Request-Id", "short");
                let shown = request.header("Referer", &format!("{BASE}{key}")).send().await;
                assert!(shown.status < 500, "{shown}");
            }
            let reset = json!({"key": key, "password": NEXT});
            let expected = if is_open { 204 } else { 400 };
            assert_eq!(post("/api/users/auth/pwd/reset", None, "a=b", reset).await.status, expected);
        }
        planted.extend([key, first, second]);
        let key_text = std::fs::read_to_string(secrets.path("key")).unwrap().trim().to_owned();
        planted.extend([SIGNING.to_owned(), SIGNING.split_once('_').unwrap().1.to_owned(), key_text]);
        assert_eq!(planted.len(), 15);
        // What a person who reads everything sees, while the server runs and after it.
        // The last call is counted a moment after its receiver has it.
        let calls = |result: &str, count: u32| {
            format!("wardroom_outbound_calls_total{{kind=\"webhook\",result=\"{result}\"}} {count}")
        };
        let begun = Instant::now();
        let mut seen = loop {
            let seen = Request::new(metrics_at, "GET", "/metrics").send().await.body;
            if seen.contains(&calls("2xx", 5)) && seen.contains(&calls("5xx", 1)) {
                break seen;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{seen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(seen.contains("wardroom_one_time_codes_total{channel=\"sms\",result=\"verified\"} 1"), "{seen}");
        for command in [
            &["audit", "list", "--json"] as &[&str],
            &["audit", "export"],
            &["outbox", "list", "--json"],
            &["user", "list", "--json"],
            &["token", "list", "ann", "--json"],
        ] {
            seen += &works(&database, command).out;
        }
        let ids = works(&database, &["outbox", "list", "--json"]).json();
        for message in ids.as_array().unwrap() {
            seen += &works(&database, &["outbox", "show", message["id"].as_str().unwrap(), "--json"]).out;
        }
        for command in [&["config", "show"] as &[&str], &["doctor"], &["secrets", "rotate"]] {
            let ran = on(&database, &[command, with(&common, &[]).as_slice()].concat(), "");
            assert!(ran.code <= 1, "{command:?}: {}", ran.err);
            seen += &(ran.out + &ran.err);
        }
        let tables = database.content().await.join("\n");
        server.signal("-TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("sent a message") && log.contains("/admin/password/[key]") && log.contains("/api/users/auth/otp/verify"));
        let found = |text: &str| planted.iter().filter(|secret| has_word(text, secret)).cloned().collect::<Vec<_>>();
        assert_eq!(found(&seen), Vec::<String>::new(), "in metrics or the output of commands");
        assert_eq!(found(&log), Vec::<String>::new(), "in the log");
        assert_eq!(found(&tables), Vec::<String>::new(), "in the database");
        // Numbers and addresses are those of the users, and of no message, event or line of the log.
        let trail = works(&database, &["audit", "list", "--json", "--action", "code.request"]).out
            + &works(&database, &["outbox", "list", "--json"]).out + &log;
        for contact in [NUMBER, MAIL, INVITED] {
            assert!(!trail.contains(contact), "{contact} is shown");
        }
        // The search does find what is there.
        assert!(has_word(&seen, "p***") && has_word(&format!("code={}.", planted[5]), &planted[5]));
    }
}

/// The demo prints codes and says so, and nothing else can: the provider of the terminal is made in one place.
#[test]
fn only_the_demo_prints_messages() {
    let makers: Vec<_> =
        house().into_iter().filter(|(_, text)| text.contains("Providers::terminal()")).collect();
    let makers: Vec<_> = makers.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(makers, ["cli/demo.rs"]);
}
