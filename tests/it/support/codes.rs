//! Signing in with one-time codes: a server that does it, and what it sends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::{AttemptEffect, AttemptResult, CodeSettings, LeasedMessage, NewMessage};
use wardroom::directory::secrets_key::{Purpose, SecretsKeys};
use wardroom::directory::{Directory, MessageSettings, Settings};

use super::{Answer, Backend, Request, Site};

/// A key as its file has it.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What messages need to be sent.
pub fn message_settings() -> MessageSettings {
    MessageSettings {
        keys: Some(Arc::new(SecretsKeys::parse(KEY).unwrap())),
        sms: true,
        mail: true,
        most_waiting: 10_000,
        keep_outcomes_for: Duration::from_hours(24),
        ..MessageSettings::default()
    }
}

/// Settings with codes, changed.
pub fn with_codes(settings: &mut Settings, change: impl FnOnce(&mut CodeSettings)) {
    let mut codes = CodeSettings::default();
    change(&mut codes);
    settings.codes = Some(codes);
    settings.messages = message_settings();
    // They are the matter of `links`.
    settings.links.change_notices = false;
    settings.links.network_notices = false;
}

/// A server that signs in with codes.
pub async fn codes_site(backend: Backend, change: impl FnOnce(&mut CodeSettings)) -> Site {
    Site::with_directory(backend, |settings| with_codes(settings, change)).await
}

/// The account database of a site, as a replica with these codes opens it.
pub async fn replica(site: &Site, change: impl FnOnce(&mut CodeSettings)) -> Directory {
    let mut settings = site.database.settings();
    with_codes(&mut settings, change);
    Directory::open(&settings, site.clock.clone()).await.unwrap()
}

/// Decides what was asked for, and returns the messages that are sent then.
pub async fn deliver(directory: &Directory) -> Vec<NewMessage> {
    directory.decide_codes().await.unwrap();
    let mut sent = Vec::new();
    loop {
        let taken: Vec<LeasedMessage> = directory.take_messages(16).await.unwrap().messages;
        if taken.is_empty() {
            return sent;
        }
        for leased in taken {
            let effect = directory.finish_message(&leased, AttemptResult::Sent).await.unwrap();
            assert_eq!(effect, AttemptEffect::Sent);
            sent.push(leased.message);
        }
    }
}

/// The code of the only message that is sent.
pub async fn code(site: &Site) -> String {
    let sent = deliver(site.directory()).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent[0].code.clone().unwrap()
}

/// A code that is not this one.
pub fn other_than(code: &str) -> String {
    let last = if code.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &code[..code.len() - 1])
}

/// Sends a body to `signin` or `verify`, as a client of this address.
pub fn send(site: &Site, from: &str, path: &str, body: &Value) -> Request {
    let request = site.request("POST", &format!("/api/users/auth/otp/{path}"));
    request.header("X-Forwarded-For", from).body("application/json", body.to_string())
}

/// Asks for a code for a number.
pub async fn ask(site: &Site, from: &str, number: &str) -> Answer {
    send(site, from, "signin", &json!({ "mobile_number": number })).send().await
}

/// Gives a code with the number that it was asked for with.
pub async fn verify(site: &Site, from: &str, number: &str, code: &str) -> Answer {
    send(site, from, "verify", &json!({ "code": code, "mobile_number": number })).send().await
}

/// The cookie that an answer sets, as a browser sends it back.
pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Moves the clock of a site.
pub fn pass(site: &Site, span: Duration) {
    site.clock.set(site.clock.now().plus(span).unwrap());
}

/// What the database has of a number: its form of E.164 under a hash.
pub fn code_target(number: &str) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    Sha256::digest(format!("sms\0+{digits}")).to_vec()
}

/// What the database has of a code.
pub fn code_mac(request: i64, code: &str) -> Vec<u8> {
    let keys = SecretsKeys::parse(KEY).unwrap();
    keys.mac(Purpose::Code, format!("code {request} {code}").as_bytes()).unwrap()
}
