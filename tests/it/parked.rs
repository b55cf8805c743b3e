//! A request that has begun outlives no change: the caller's rights are those at the time of the change, not those
//! when the head arrived.
//!
//! Every writing operation of the document is parked, and let go after each of the events that take a caller's
//! rights. There are two places to park. *At the body*: the last byte is held back. A request without a body is
//! executed as soon as its head is complete, so nothing can come between; that is tested, too. *At the writer*: the
//! whole request is sent while another connection holds the database's write lock. So the event happens between the
//! check of the token and the transaction. This place does not depend on a body, so it reaches every operation.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use wardroom::directory::access::OWN_CODE_MIN;
use wardroom::directory::model::{GroupKey, Permission, TokenKey, User, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::transfer::seed::{SeedRows, SeedToken, SeedUser};
use wardroom::http::api;
use wardroom::telemetry::OutcomeLabels;

use crate::links::with_mail;
use crate::support::site::{imported, imported_group, operator, person};
use crate::support::{Answer, Backend, Rows, Site, both};

const HOUR: Duration = Duration::from_hours(1);
const PASSWORD: &str = "an unlikely pass phrase";

/// Each writing operation with a body that has an effect. `{n}` is a unique number, `{target}` another user, `{key}` the key of
/// a token of that user.
const PARKED: &[(&str, &str)] = &[
    ("users_me_update", r#"{"first_name": "Late"}"#),
    (
        "users_me_password",
        r#"{"old_password": "an unlikely pass phrase", "new_password": "another unlikely phrase"}"#,
    ),
    ("users_me_sign_out", ""),
    ("me_tokens_create", r#"{"name": "late"}"#),
    ("me_tokens_update", r#"{"name": "late"}"#),
    ("me_tokens_revoke", ""),
    ("me_tokens_rotate", r#"{"overlap_seconds": 60}"#),
    ("users_create", r#"{"username": "late{n}"}"#),
    ("users_update", r#"{"is_admin": true}"#),
    ("users_replace", r#"{"username": "late{n}"}"#),
    ("users_destroy", ""),
    ("users_bulk_create", r#"{"users": [{"username": "late{n}"}]}"#),
    ("users_bulk_update", r#"{"users": [{"id": {target}, "first_name": "Late"}]}"#),
    ("users_bulk_destroy", r#"{"users": [{target}]}"#),
    ("users_deleted_restore", ""),
    ("users_deleted_purge", ""),
    ("users_sign_out", ""),
    ("users_unlock", ""),
    ("users_invite", ""),
    ("users_uninvite", ""),
    ("users_tokens_create", r#"{"name": "late"}"#),
    ("users_tokens_update", r#"{"name": "late"}"#),
    ("users_tokens_revoke", ""),
    ("users_tokens_rotate", r#"{"overlap_seconds": 60}"#),
    ("tokens_update", r#"{"name": "late"}"#),
    ("tokens_revoke", ""),
    ("tokens_rotate", r#"{"overlap_seconds": 60}"#),
    ("tokens_find", r#"{"key": "{key}"}"#),
    ("groups_create", r#"{"name": "Late {n}"}"#),
    ("groups_update", r#"{"notes": "Late"}"#),
    ("groups_replace", r#"{"name": "Late {n}"}"#),
    ("groups_destroy", ""),
    ("groups_deleted_restore", ""),
    ("groups_deleted_purge", ""),
    ("groups_members_add", r#"{"users": [{target}]}"#),
    ("groups_members_remove", r#"{"users": [{target}]}"#),
    ("permissions_create", r#"{"name": "late_{n}"}"#),
    ("permissions_update", r#"{"name": "later_{n}"}"#),
    ("permissions_destroy", ""),
    ("auth_sign_out", r#"{"everywhere": true}"#),
];

/// Operations that no permission allows: staff get 403 from the beginning.
const OF_ADMINS: [&str; 3] = ["permissions_create", "permissions_update", "permissions_destroy"];

/// Operations that need nothing but an account.
const OF_ANYBODY: [&str; 4] = ["auth_sign_out", "users_me_sign_out", "users_me_password", "me_tokens_revoke"];

/// Done without a token: see `finding_02_a_parked_sign_in_is_decided_at_its_end`,
/// `a_parked_report_of_a_leak_ends_what_is_still_valid`, and in `codes` `what_changed_since_the_code_was_sent_counts`.
const NOT_BY_TOKEN: &[&str] = &[
    "auth_password_sign_in",
    "auth_password_forgot",
    "auth_password_reset",
    "auth_leaked",
    "auth_code_request",
    "auth_code_verify",
];

/// Sent with POST, and changes nothing.
const READS: &[&str] = &["auth_introspect"];

/// Every writing operation of the document: its id, method and path.
static WRITING: LazyLock<Vec<(String, String, String)>> = LazyLock::new(|| {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if ["post", "put", "patch", "delete"].contains(&method.as_str()) {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                found.push((id, method.to_uppercase(), path.clone()));
            }
        }
    }
    found
});

#[test]
fn every_writing_operation_is_parked() {
    let documented: BTreeSet<_> = WRITING.iter().map(|(id, ..)| id.clone()).collect();
    let parked = PARKED.iter().map(|(id, _)| *id).chain(NOT_BY_TOKEN.iter().chain(READS).copied());
    assert_eq!(parked.map(str::to_owned).collect::<BTreeSet<_>>(), documented);
}

/// Declares the events, and the list of all of them.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Events that take a caller's rights away.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Event {
            $($(#[$doc])* $name,)+
        }

        use Event::{$($name),+};

        /// All of them.
        const EVENTS: &[Event] = &[$($name),+];
    };
}

events! {
    /// Nothing happens: then everything must succeed, or the rest would prove nothing.
    Nothing,
    TokenRevoked,
    TokenEnded,
    OwnerDemoted,
    OwnerDeactivated,
    OwnerDeleted,
    /// Staff, whose permissions are taken away.
    RightsTaken,
    /// The token gets scopes: an admin is none any more.
    TokenScoped,
    /// The token gets no scope at all.
    ScopesLost,
    /// The token may only read.
    TokenOnlyReads,
    /// The token may be used from another network only.
    TokenElsewhere,
}

impl Event {
    /// The status of every request that comes afterwards.
    fn status(self) -> u16 {
        let narrower = [TokenScoped, ScopesLost, TokenOnlyReads];
        if [OwnerDemoted, RightsTaken].contains(&self) || narrower.contains(&self) { 403 } else { 401 }
    }

    /// Whether a user keeps the right to this operation after the event.
    fn leaves(self, operation: &str) -> bool {
        let own = operation.contains("me_") || operation == "auth_sign_out";
        self == Nothing
            // It only reads. One that was sent while the token could write is answered.
            || (self == TokenOnlyReads && operation == "tokens_find")
            || (self == RightsTaken && own)
            || (self == OwnerDemoted && OF_ANYBODY.contains(&operation))
    }

    /// Whether a token that reads may go on after the event.
    fn leaves_reading(self) -> bool {
        [Nothing, TokenOnlyReads].contains(&self)
    }

    fn statements(self, owners: &str, now: i64) -> String {
        let narrow =
            |what: &str| format!("UPDATE tokens SET {what} WHERE user_id IN ({owners}) AND name = 'calling'");
        match self {
            TokenScoped => narrow("scopes = 'me_read'"),
            ScopesLost => narrow("scopes = ''"),
            TokenOnlyReads => narrow("read_only = TRUE"),
            TokenElsewhere => narrow("allowed_networks = '203.0.113.0/24'"),
            Nothing | TokenEnded => "SELECT 1".to_owned(),
            TokenRevoked => format!(
                "UPDATE tokens SET revoked_at = {now} WHERE user_id IN ({owners}) AND name = 'calling'"
            ),
            OwnerDemoted => {
                format!("UPDATE users SET is_admin = FALSE, is_staff = FALSE WHERE id IN ({owners})")
            }
            OwnerDeactivated => format!("UPDATE users SET is_active = FALSE WHERE id IN ({owners})"),
            OwnerDeleted => format!("DELETE FROM users WHERE id IN ({owners})"),
            RightsTaken => format!("DELETE FROM user_permissions WHERE user_id IN ({owners})"),
        }
    }
}

/// One operation with everything that it needs for itself: its caller and its target.
struct Lot {
    operation: String,
    owner: i64,
    head: String,
    body: String,
}

/// Creates each operation's users, groups and tokens. The calling tokens end after an hour.
async fn lots(site: &Site, rows: &Rows, event: Event, first: i64) -> Vec<Lot> {
    let (mut records, mut binned, mut gifts) = (SeedRows::default(), Vec::new(), Vec::new());
    let mut permissions = Vec::new();
    let now = site.clock.now();
    let bytes = if site.backend() == Backend::Sqlite { "BLOB" } else { "BYTEA" };
    for number in (first..).take(PARKED.len()) {
        let [owner, target, deleted] = people(number);
        let staff = event == RightsTaken;
        let who = User { is_staff: true, is_admin: !staff, ..imported(owner, &format!("owner{number}")) };
        let other = User {
            groups: vec![group(number).try_into().unwrap()],
            email: Some(format!("target{number}@example.com")),
            ..imported(target, &format!("target{number}"))
        };
        let user = |user| SeedUser { user, password: "!".into() };
        records.users.extend([user(who), user(other), user(imported(deleted, &format!("deleted{number}")))]);
        records.groups.push(imported_group(group(number), &format!("Group {number}")));
        records.groups.push(imported_group(deleted_group(number), &format!("Deleted group {number}")));
        permissions.push(Permission {
            id: permission(number).try_into().unwrap(),
            code: OWN_CODE_MIN + number,
            name: format!("permission_{number}"),
        });
        for (place, (user, name)) in
            [(owner, "calling"), (owner, "second"), (target, "second")].into_iter().enumerate()
        {
            records.tokens.push(SeedToken {
                id: None,
                user_id: user.try_into().unwrap(),
                name: name.into(),
                key: TokenKey::imported(key(number, place)),
                created_at: now,
                expires_at: Some(now.plus(if name == "calling" { HOUR } else { HOUR / 2 }).unwrap()),
            });
        }
        // What an invitation of a user is withdrawn from.
        gifts.push(format!(
            "INSERT INTO links (user_id, kind, digest, created_at, expires_at, made_by) \
             SELECT id, 'invitation', CAST('digest of {number}' AS {bytes}), {now}, {end}, '' FROM users WHERE id = {target}",
            now = now.as_micros(),
            end = now.plus(2 * HOUR).unwrap().as_micros(),
        ));
        binned.push(deleted.try_into().unwrap());
        gifts.extend(
            staff.then(|| format!("INSERT INTO user_permissions SELECT {owner}, id FROM permissions")),
        );
        gifts.push(format!(
            "UPDATE users SET password = (SELECT password FROM users WHERE id = {}) WHERE id = {owner}",
            site.staff.id
        ));
    }
    site.directory().seed(&operator(), records).await.unwrap();
    site.directory().delete_users(&operator(), binned).await.unwrap();
    site.directory().seed_permissions(&operator(), permissions).await.unwrap();
    for number in (first..).take(PARKED.len()) {
        let gone = GroupKey::Id(deleted_group(number).try_into().unwrap());
        site.directory().delete_group(&operator(), &gone).await.unwrap();
    }
    rows.run(&gifts.join("; ")).await;
    let mut lots = Vec::new();
    for (number, (operation, body)) in (first..).zip(PARKED) {
        lots.push(lot(rows, event, number, operation, body).await);
    }
    lots
}

fn people(number: i64) -> [i64; 3] {
    [0, 1, 2].map(|place| 10_000 + number * 3 + place)
}

fn group(number: i64) -> i64 {
    10_000 + number
}

fn deleted_group(number: i64) -> i64 {
    20_000 + number
}

fn permission(number: i64) -> i64 {
    10_000 + number
}

fn key(number: i64, place: usize) -> String {
    format!("{:040x}", 0x0dd0_0000 + number * 4 + i64::try_from(place).unwrap())
}

async fn lot(rows: &Rows, event: Event, number: i64, operation: &str, body: &str) -> Lot {
    let (_, method, path) = WRITING.iter().find(|(id, ..)| id == operation).unwrap();
    let [owner, target, deleted] = people(number);
    // An admin is made one again. If the user is not an admin, another user is changed.
    let raises = operation == "users_update" && event != RightsTaken;
    let body = if operation == "users_update" && !raises { r#"{"first_name": "Late"}"# } else { body };
    let of = if path.contains("/me/") { owner } else { target };
    let token = format!("SELECT CAST(id AS TEXT) FROM tokens WHERE user_id = {of} AND name = 'second'");
    let token = rows.texts(&token).await.remove(0);
    let id = match path.as_str() {
        path if path.contains("/groups/deleted/") => deleted_group(number),
        path if path.contains("/groups/") => group(number),
        path if path.contains("/permissions/") => permission(number),
        path if path.contains("/deleted/") => deleted,
        _ if raises => owner,
        _ => target,
    };
    let path = path.replace("{id}", &id.to_string()).replace("{token}", &token);
    let body = body
        .replace("{n}", &number.to_string())
        .replace("{target}", &target.to_string())
        .replace("{key}", &key(number, 2));
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token {}\r\n",
        key(number, 0)
    );
    if !body.is_empty() {
        write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()).unwrap();
    }
    Lot { operation: operation.to_owned(), owner, head, body }
}

/// A request in progress.
enum Parked {
    /// Its answer comes after this has been sent.
    Waiting(BufReader<TcpStream>, Vec<u8>),
    /// It was answered already.
    Answered(Answer),
}

impl Lot {
    /// Sends all but the last byte, and waits until the server requests the body. An operation that reads no body
    /// answers.
    async fn park_at_body(&self, site: &Site) -> Parked {
        let mut stream = BufReader::new(TcpStream::connect(site.address).await.unwrap());
        let held_back = if self.body.is_empty() { "Content-Length: 1\r\n" } else { "" };
        let head = format!("{}{held_back}Expect: 100-continue\r\n\r\n", self.head);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if !line.starts_with("HTTP/1.1 100 ") {
            let mut rest = line.into_bytes();
            stream.read_to_end(&mut rest).await.unwrap();
            return Parked::Answered(Answer::parse(&rest));
        }
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        let body = if self.body.is_empty() { b"x" } else { self.body.as_bytes() };
        let (last, before) = body.split_last().unwrap();
        stream.write_all(before).await.unwrap();
        Parked::Waiting(stream, vec![*last])
    }

    /// Sends everything, and waits until the server has checked the token.
    async fn park_at_writer(&self, site: &Site) -> Parked {
        let looked_at = || {
            let accepted = OutcomeLabels { outcome: "accepted" };
            site.app.metrics().authentications.get_or_create(&accepted).get()
        };
        let before = looked_at();
        let mut stream = BufReader::new(TcpStream::connect(site.address).await.unwrap());
        stream.write_all(format!("{}\r\n{}", self.head, self.body).as_bytes()).await.unwrap();
        while looked_at() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Parked::Waiting(stream, vec![])
    }

    /// Sends the same request again, complete.
    async fn send_again(&self, site: &Site) -> Answer {
        let request = format!("{}\r\n{}", self.head, self.body);
        Answer::parse(&crate::support::client::exchange(site.address, request.as_bytes()).await)
    }
}

impl Parked {
    async fn let_go(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            Self::Waiting(mut stream, rest) => {
                stream.write_all(&rest).await.unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.unwrap();
                Answer::parse(&answer)
            }
        }
    }
}

/// Takes the lock that every writer needs, until the transaction ends.
async fn take_write_lock(backend: Backend, rows: &Rows) {
    rows.run(match backend {
        Backend::Sqlite => "BEGIN IMMEDIATE",
        Backend::Postgres => "BEGIN; SELECT pg_advisory_xact_lock(6283734521)",
    })
    .await;
}

/// Triggers the event, and returns all rows as they are then.
async fn trigger(site: &Site, rows: &Rows, event: Event, lots: &[Lot]) -> String {
    let owners: Vec<_> = lots.iter().map(|lot| lot.owner.to_string()).collect();
    rows.run(&event.statements(&owners.join(", "), site.clock.now().as_micros())).await;
    if event == TokenEnded {
        site.clock.set(site.clock.now().plus(HOUR).unwrap());
    }
    rows.all().await
}

/// Compares the answer after an event with the answer to the same request now.
async fn check_answer(site: &Site, event: Event, lot: &Lot, answer: &Answer, faults: &mut Vec<String>) {
    if event.leaves(&lot.operation) {
        if answer.status >= 300 {
            faults.push(format!("{event:?}: {}: {answer}", lot.operation));
        }
        return;
    }
    let again = lot.send_again(site).await;
    // A call for many users names the user for which it was refused, if it gets that far.
    let shown = answer.to_string().replace("users: item 0: ", "");
    if (answer.status, shown) != (event.status(), again.to_string()) {
        faults.push(format!("{event:?}: {}: {answer}; the same request now gets {again}", lot.operation));
    }
}

/// Rows that are there now and were not before, and the other way round.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (before.lines().collect(), after.lines().collect());
    let lines = new.difference(&old).map(|line| format!("+ {line}"));
    lines.chain(old.difference(&new).map(|line| format!("- {line}"))).collect::<Vec<_>>().join("\n")
}

/// Parks all requests at one place, triggers the event, and lets them go.
async fn trial(site: &Site, rows: &Rows, event: Event, at_writer: bool, first: i64) -> Vec<String> {
    let mut lots = lots(site, rows, event, first).await;
    if event != Nothing {
        lots.retain(|lot| !event.leaves(&lot.operation));
    }
    if event == RightsTaken {
        lots.retain(|lot| !OF_ADMINS.contains(&lot.operation.as_str()));
    }
    let (mut parked, mut faults) = (Vec::new(), Vec::new());
    if at_writer {
        take_write_lock(site.backend(), rows).await;
    }
    for lot in &lots {
        let state = if at_writer { lot.park_at_writer(site).await } else { lot.park_at_body(site).await };
        parked.push(state);
    }
    let before = trigger(site, rows, event, &lots).await;
    if at_writer {
        rows.run("COMMIT").await;
    }
    let mut answers = Vec::new();
    for (lot, state) in lots.iter().zip(parked) {
        match state {
            // It was executed before the event, because it has no body to wait for.
            Parked::Answered(answer) => assert!(
                lot.body.is_empty() && answer.status < 300,
                "{event:?}: {} was answered before its body: {answer}",
                lot.operation
            ),
            waiting => answers.push((lot, waiting.let_go().await)),
        }
    }
    let after = rows.all().await;
    for (lot, answer) in &answers {
        check_answer(site, event, lot, answer, &mut faults).await;
    }
    if event != Nothing && before != after {
        faults.push(format!("{event:?}: what was let go has changed:\n{}", difference(&before, &after)));
    }
    faults
}

async fn every_event(backend: Backend, at_writer: bool) {
    // No time-out is reached on a slow machine.
    let site = Site::with_directory(backend, |settings| {
        settings.timeout = Duration::from_secs(60);
        with_mail(settings);
    })
    .await;
    let rows = Rows::of(&site.database).await;
    give_password(&site, site.staff.id).await;
    let mut faults = Vec::new();
    for (place, event) in (0..).zip(EVENTS.iter().copied()) {
        faults.extend(trial(&site, &rows, event, at_writer, place * 100).await);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

async fn give_password(site: &Site, id: i64) {
    let key = UserKey::Id(id.try_into().unwrap());
    site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
}

both! {
    async fn finding_02_a_held_back_byte_is_decided_by_the_rights_when_it_arrives(backend: Backend) {
        every_event(backend, false).await;
    }
}

both! {
    async fn finding_02_a_wait_for_the_writer_is_decided_in_the_transaction(backend: Backend) {
        every_event(backend, true).await;
    }
}

both! {
    /// A sign-in has no user until its password is checked. Then the account counts as it is at that time.
    async fn finding_02_a_parked_sign_in_is_decided_at_its_end(backend: Backend) {
        let site = Site::start(backend).await;
        let rows = Rows::of(&site.database).await;
        for (place, event) in (0..).zip([Nothing, OwnerDeactivated, OwnerDeleted]) {
            let user = person(site.directory(), &format!("somebody{place}"), |_| {}).await;
            give_password(&site, user.id).await;
            let body = format!(r#"{{"username": "somebody{place}", "password": "{PASSWORD}"}}"#);
            let head = format!(
                "POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
            let lot = Lot { operation: "auth_password_sign_in".into(), owner: user.id, head, body };
            let Parked::Waiting(stream, rest) = lot.park_at_body(&site).await else { panic!("it was answered") };
            let before = trigger(&site, &rows, event, std::slice::from_ref(&lot)).await;
            let answer = Parked::Waiting(stream, rest).let_go().await;
            assert_eq!(answer.status, if event == Nothing { 200 } else { 400 }, "{event:?}: {answer}");
            assert_eq!(event != Nothing, before == rows.all().await, "{event:?}");
        }
    }
}

both! {
    /// A report of a leaked key waits for the writer while another one ends the same token: it ends it once.
    async fn a_parked_report_of_a_leak_ends_what_is_still_valid(backend: Backend) {
        let site = Site::start(backend).await;
        let rows = Rows::of(&site.database).await;
        let body = format!(r#"{{"tokens": ["{}", "{}"]}}"#, site.plain.key, site.staff.key);
        let report = || site.request("POST", "/api/users/auth/leaked").body("application/json", body.clone()).send();
        take_write_lock(backend, &rows).await;
        rows.run(&format!("UPDATE tokens SET revoked_at = 1 WHERE user_id = {}", site.plain.id)).await;
        let (answer, ()) = tokio::join!(report(), async {
            tokio::task::yield_now().await;
            rows.run("COMMIT").await;
        });
        assert_eq!((answer.status, answer.body.as_str()), (202, ""));
        let ended = site.database.texts("SELECT object_name || ' ' || changes FROM audit_events WHERE action = 'token.leaked'").await;
        assert!(ended.len() == 1 && ended[0].contains("\"username\":\"staff\""), "{ended:?}");
        let first = format!("SELECT revoked_at FROM tokens WHERE user_id = {}", site.plain.id);
        assert_eq!(site.database.number(&first).await, 1, "the first revocation keeps its time");
    }
}

/// Events with a long text each, so that an export is much longer than the buffers on its way.
async fn fill_trail(rows: &Rows, backend: Backend, count: i64) {
    let columns =
        "at, actor_kind, actor_name, action, object_kind, object_name, changes, previous_hash, hash";
    let (series, hash) = match backend {
        Backend::Sqlite => (
            format!(
                "(WITH RECURSIVE every (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM every WHERE n < {count}) SELECT n FROM every)"
            ),
            "zeroblob(32)",
        ),
        Backend::Postgres => {
            (format!("generate_series(1, {count}) every (n)"), "decode(repeat('00', 32), 'hex')")
        }
    };
    let long = format!("{{\"x\": \"{}\"}}", "x".repeat(8000));
    rows.run(&format!(
        "INSERT INTO audit_events ({columns}) SELECT n, 'operator', 'test', 'filled', 'directory', '', '{long}', {hash}, {hash} FROM {series}"
    ))
    .await;
}

/// The events of an export, as far as it came, and whether it was complete.
struct Export(TcpStream, Vec<u8>);

impl Export {
    /// Sends the request, and reads only the beginning of the answer.
    async fn begin(site: &Site, key: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut stream = socket.connect(site.address).await.unwrap();
        let request = format!(
            "GET /api/users/audit/export HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut begun = vec![0; 20_000];
        stream.read_exact(&mut begun).await.unwrap();
        Self(stream, begun)
    }

    async fn read(mut self) -> (usize, bool) {
        // A broken connection may report an error or just end.
        let _ = self.0.read_to_end(&mut self.1).await;
        let text = String::from_utf8(self.1).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{}", &text[..100]);
        (text.matches("\"filled\"").count(), text.ends_with("0\r\n\r\n"))
    }
}

both! {
    /// A long read checks again while it runs: it ends when its token does.
    async fn finding_02_an_export_ends_with_its_token(backend: Backend) {
        const FILLED: i64 = 3000;
        let site = Site::start(backend).await;
        let rows = Rows::of(&site.database).await;
        fill_trail(&rows, backend, FILLED).await;
        for (place, event) in (0..).zip(EVENTS.iter().copied().take(7)) {
            let lots = lots(&site, &rows, event, place * 100).await;
            let export = Export::begin(&site, &key(place * 100, 0)).await;
            trigger(&site, &rows, event, &lots[..1]).await;
            let (count, ended) = export.read().await;
            assert_eq!((i64::try_from(count).unwrap() == FILLED, ended), (event.leaves_reading(), event.leaves_reading()), "{event:?}: {count} events");
        }
    }
}
