//! Which role may do what to which record: every role tries every operation of the document on every kind of target, with every
//! field. The results are checked against a contract of their own (`rules`). After each request the test reads the
//! database: a refusal has changed nothing, and a success exactly what it should.
//!
//! A new operation, a new field or a new parameter fails here until it has a rule.

mod cells;
mod deltas;
mod invariants;
mod operations;
mod rules;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wardroom::config::Flags;

use crate::links::with_all_operations;
use crate::support::client::Connection;
use crate::support::codes::{code_mac, code_target};
use crate::support::{Answer, Backend, Rows, Site, both, conformance};

use cells::{Cell, Target, cells};
use deltas::{deltas, tables};
use invariants::{Standings, broken, concerns_rights, statuses};
use operations::{Operation, operations};
use rules::{Body, Expect, Need, RULES, What, allowed, holds, is_active, reading, rule, status};
use world::{Actor, CODE, CODE_OWNER, World, mobile_number};

/// Parts of a path or header that select the target, and parameters that only say how a list is read.
const PARAMETERS: &[&str] = &[
    "id",
    "token",
    "rule",
    "If-Match",
    "search",
    "limit",
    "offset",
    "count",
    "cursor",
    "fields",
    "format",
    "size",
    "ordering",
    "before",
    "after",
    "expect_head",
    "id_min",
    "id_max",
    "created_date",
    "created_from",
    "created_to",
    "updated_date",
    "updated_from",
    "updated_to",
    "last_login_date",
    "last_login_from",
    "last_login_to",
    "deleted_date",
    "deleted_from",
    "deleted_to",
    "has_email",
    "has_avatar",
    "has_phone",
    "has_token",
    "has_first_name",
    "has_last_name",
    "has_groups",
    "is_active",
    "is_staff",
    "is_admin",
    "is_online",
    "username",
    "email",
    "mobile_number",
    "gender",
    "group_id",
    "groups_in",
    "users_count_min",
    "users_count_max",
    "action",
    "actor_id",
    "actor_name",
    "object_kind",
    "object_id",
    "object_name",
    "user_id",
    "name",
    "key",
    "state",
    "kind",
    "expires_date",
    "expires_from",
    "expires_to",
    "last_used_date",
    "last_used_from",
    "last_used_to",
    "has_expiry",
    "is_used",
    "unused_since",
    "scope",
    "has_scopes",
    "read_only",
    "network",
    "has_networks",
    "address",
    "from",
    "to",
];

/// Operations on one's own record and on one other.
fn of_one_user(operation: &Operation) -> bool {
    [
        "users_create",
        "users_update",
        "users_destroy",
        "users_unlock",
        "users_invite",
        "users_uninvite",
        "users_me_update",
        "users_me_password",
    ]
    .contains(&operation.id.as_str())
}

fn of_many_users(operation: &Operation) -> bool {
    ["users_replace", "users_bulk_create", "users_bulk_update", "users_bulk_destroy"]
        .contains(&operation.id.as_str())
        || operation.id.starts_with("users_deleted")
}

fn of_groups(operation: &Operation) -> bool {
    operation.id.starts_with("groups")
}

/// Operations that end tokens are among them.
fn of_tokens(operation: &Operation) -> bool {
    operation.id.contains("tokens")
        || ["users_sign_out", "users_me_sign_out"].contains(&operation.id.as_str())
}

/// The rest: reading, permissions, signing in and signing out.
fn elsewhere(operation: &Operation) -> bool {
    let reads = operation.method == "GET" && !of_tokens(operation) && !of_groups(operation);
    reads || operation.id.starts_with("auth_") || operation.id.starts_with("permissions_")
}

#[test]
fn every_operation_is_tried() {
    let parts = [of_one_user, of_many_users, of_groups, of_tokens, elsewhere];
    for operation in operations() {
        assert!(parts.iter().any(|part| part(&operation)), "{} is in no part of the matrix", operation.id);
    }
}

#[test]
fn every_operation_has_a_rule() {
    let documented: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    let ruled: BTreeSet<_> = RULES.iter().map(|(id, ..)| (*id).to_owned()).collect();
    assert_eq!(ruled, documented);
}

/// A parameter may let a caller see or do more: list it here if it does not, or give it a rule.
#[test]
fn every_parameter_is_known() {
    for operation in operations() {
        for (name, place) in &operation.parameters {
            let known = PARAMETERS.contains(&name.as_str()) && (place != "query" || !operation.writes());
            assert!(known, "{}: nothing is known of the parameter {name}", operation.id);
        }
    }
}

#[test]
fn every_field_is_tried() {
    let world = World::new();
    let actor = world.actor("admin", "api");
    for operation in operations() {
        let tried: BTreeSet<_> =
            cells(&world, &actor, &operation, 0).into_iter().map(|cell| cell.field).collect();
        for field in &operation.fields {
            let name = field.strip_prefix("users[].").unwrap_or(field);
            assert!(
                tried.contains(name) || name == "id",
                "{}: {field} is not tried: {tried:?}",
                operation.id
            );
        }
    }
}

/// A site with all users, and the violations so far.
struct Trial {
    site: Site,
    rows: Rows,
    world: World,
    connection: Connection,
    /// All rows as they are between two cells.
    kept: String,
    /// The rights of all users at that time.
    statuses: Standings,
    /// The last event of the audit trail.
    events: i64,
    tried: usize,
    faults: BTreeMap<String, Vec<String>>,
}

impl Trial {
    async fn new(backend: Backend) -> Self {
        let flags = Flags::default().with("trusted_proxies", "");
        let site = Site::with_settings(backend, flags, with_all_operations).await;
        let rows = Rows::of(&site.database).await;
        let mut world = World::new();
        world.settle(&site, &rows).await;
        rows.run(&world.links(site.backend())).await;
        rows.keep().await;
        let connection = Connection::to(site.address).await;
        let (kept, statuses) = (rows.all().await, statuses(&rows).await);
        let faults = BTreeMap::new();
        let mut trial = Self { site, rows, world, connection, kept, statuses, events: 0, tried: 0, faults };
        trial.events = trial.last_event().await;
        trial
    }

    /// Leaves one active admin.
    async fn leave_one_admin(&mut self) {
        let last = self.world.person("admin").id;
        self.rows.run(&format!("UPDATE users SET is_active = FALSE WHERE is_admin AND id <> {last}")).await;
        for person in self.world.people.values_mut().filter(|person| person.admin && person.id != last) {
            person.inactive = true;
        }
        self.world.other_admins = false;
        self.rows.keep().await;
        (self.kept, self.statuses) = (self.rows.all().await, statuses(&self.rows).await);
    }

    async fn last_event(&self) -> i64 {
        // A refusal is recorded later, after its answer. A look-up by a key is recorded, and changes nothing.
        let last = "SELECT CAST(e.id AS TEXT) FROM audit_events e \
                    WHERE e.action NOT IN ('request.refused', 'token.refused', 'token.find', \
                    'password_reset.refused') ORDER BY e.id DESC LIMIT 1";
        self.rows.texts(last).await[0].parse().unwrap()
    }

    /// Tries every cell of some operations.
    async fn run(&mut self, chosen: impl Fn(&Operation) -> bool, acting: impl Fn(&Actor) -> bool) {
        for operation in operations().into_iter().filter(chosen) {
            let mut actors = self.world.actors();
            // Operations on one's own record need no permission: a few actors represent all.
            if !matches!(rule(&operation).0, Need::Code(_) | Need::Both(..) | Need::Rule) {
                actors.retain(|actor| {
                    !actor.name.starts_with("staff with") || actor.name.starts_with("staff with all")
                });
            }
            // A token beside the sign-in makes no difference.
            if rule(&operation).0 == Need::Open {
                actors.retain(|actor| ["anonymous", "plain", "admin"].contains(&actor.name.as_str()));
            } else if operation.id.contains("tokens")
                || operation.id.contains("sign_out")
                || operation.id.starts_with("auth")
                || operation.id.contains("_me_")
            {
                let signed_in = ["plain", "staff", "staff with all", "admin"];
                actors.extend(signed_in.map(|name| self.world.actor(name, "sign_in")));
                actors.push(self.world.actor("staff with all", "of sign_in"));
            }
            for (turn, actor) in actors.into_iter().filter(&acting).enumerate() {
                for cell in cells(&self.world, &actor, &operation, turn) {
                    self.attempt(&actor, &operation, &cell).await;
                }
            }
        }
    }

    async fn attempt(&mut self, actor: &Actor, operation: &Operation, cell: &Cell) {
        self.tried += 1;
        let empty = Body::new();
        let body = cell.body.as_ref();
        let expected = allowed(&self.world, actor, operation, &cell.target, body.unwrap_or(&empty));
        if [What::AskCode, What::GiveCode].contains(&rule(operation).1) {
            self.send_code().await;
        }
        let answer = self.send_in_time(actor, operation, cell).await;
        let after = match self.rows.may_be_written().await {
            true => Some(self.rows.all().await).filter(|after| *after != self.kept),
            false => None,
        };
        let happened =
            after.as_ref().map(|after| deltas(&self.kept, after, self.world.last)).unwrap_or_default();
        let mut faults = verdict(operation, &expected, &answer, &happened);
        let unaudited = self.audit_mismatch(&happened).await;
        if matches!(expected, Expect::Done(_)) && answer.status < 300 {
            conformance::check(&operation.method, &operation.path, &answer);
            faults.extend(shown(actor, operation, &cell.target, body.unwrap_or(&empty), &answer));
            faults.extend(unaudited);
            if rule(operation).1 == What::Introspect {
                let active = is_active(&self.world, actor, body.unwrap()["token"].as_str().unwrap());
                if answer.json()["active"] != active || (!active && answer.body != r#"{"active":false}"#) {
                    faults.push(format!("active is to be {active}: {answer}"));
                }
            }
            let ended = happened.iter().filter(|change| change.ends_with(" revoked_at")).count();
            if rule(operation).1 == What::SignOutUser && answer.json()["ended"] != ended {
                faults.push(format!("not the number of tokens that ended, {ended}: {answer}"));
            }
        }
        if let Some(after) = after {
            // The caller of a sign-in is anonymous before it.
            let without_caller =
                [What::SignIn, What::GiveCode, What::ReportLeak, What::AskForLink, What::UseLink];
            if !without_caller.contains(&rule(operation).1) {
                faults.extend(self.invariants(actor, &happened).await);
            }
            let changed = tables(&self.kept, &after);
            self.rows.restore(|table| changed.contains(table)).await;
        }
        if [202, 400].contains(&answer.status) {
            // Failures, values that are taken, and reports are counted.
            self.rows.run("DELETE FROM attempts").await;
        }
        let about =
            format!("{} [{}] {}", operation.id, cell.target.name, body.map_or(String::new(), Body::to_text));
        for fault in faults {
            self.faults.entry(format!("{about}: {fault}")).or_default().push(actor.name.clone());
        }
    }

    /// Leaves one code, as if it had just been sent.
    async fn send_code(&mut self) {
        let owner = self.world.person(CODE_OWNER);
        let number = mobile_number(owner);
        let target: String = code_target(&number).iter().map(|byte| format!("{byte:02x}")).collect();
        let code: String = code_mac(7, CODE).iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = |hex: &str| match self.site.backend() {
            Backend::Sqlite => format!("x'{hex}'"),
            Backend::Postgres => format!("decode('{hex}', 'hex')"),
        };
        let now = self.site.clock.now().as_micros();
        let statements = format!(
            "DELETE FROM sign_in_codes; DELETE FROM code_failures; DELETE FROM attempts; \
             INSERT INTO sign_in_codes (id, channel, target, client, asked_at, expires_at, user_id, sent_at, code, tries, over_limit) \
             VALUES (7, 'sms', {}, '', {now}, {}, {}, {now}, {}, 0, 1 = 0)",
            bytes(&target),
            now + 300_000_000,
            owner.id,
            bytes(&code)
        );
        self.rows.run(&statements).await;
    }

    /// Sends a request, and sends it again if it changed nothing because the database was slow: the machine may be busy.
    async fn send_in_time(&mut self, actor: &Actor, operation: &Operation, cell: &Cell) -> Answer {
        for _ in 0..20 {
            let answer = self.send(actor, operation, cell).await;
            if answer.status != 503 || answer.header("retry-after").is_none() {
                return answer;
            }
        }
        self.send(actor, operation, cell).await
    }

    async fn send(&mut self, actor: &Actor, operation: &Operation, cell: &Cell) -> Answer {
        let id = cell
            .target
            .permission
            .or(cell.target.group)
            .or(cell.target.user)
            .map(|id| id.to_string())
            .unwrap_or_default();
        let token = cell.target.token.map(|id| id.to_string()).unwrap_or_default();
        let path = operation
            .path
            .replace("{id}", &id)
            .replace("{token}", &token)
            .replace("{rule}", cell.target.rule.unwrap_or_default());
        let key = actor.token.as_ref().map(|token| token.key.as_str());
        let body = cell.body.as_ref().map(Body::to_text);
        if operation.id == "audit_export" {
            // Its length is not announced.
            let request = self.site.get(&path);
            return if let Some(key) = key { request.token(key).send().await } else { request.send().await };
        }
        if rule(operation).1 == What::Introspect {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let form = cell.body.iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
            let form = form.collect::<Vec<_>>().join("&").replace(' ', "+");
            let request = self.site.request("POST", &path).body("application/x-www-form-urlencoded", form);
            return if let Some(key) = key { request.token(key).send().await } else { request.send().await };
        }
        self.connection.send(&operation.method, &path, key, body.as_deref()).await
    }

    /// Every change is in the audit trail, and nothing else is.
    async fn audit_mismatch(&mut self, happened: &BTreeSet<String>) -> Option<String> {
        let last = self.last_event().await;
        let has_event = std::mem::replace(&mut self.events, last) < last;
        match (has_event, happened.is_empty()) {
            (true, true) => Some("an event without a change".to_owned()),
            (false, false) => Some("a change without an event".to_owned()),
            _ => None,
        }
    }

    /// The invariants that hold whatever the rules say.
    async fn invariants(&self, actor: &Actor, happened: &BTreeSet<String>) -> Vec<String> {
        let after = match concerns_rights(happened) {
            true => statuses(&self.rows).await,
            false => self.statuses.clone(),
        };
        broken(&self.world, actor, &self.statuses, &after, happened)
    }

    /// Fails with all violations.
    async fn end(self) {
        assert_eq!(self.rows.all().await, self.kept, "not everything was restored");
        let count = self.faults.len();
        let lines: Vec<_> = self
            .faults
            .into_iter()
            .map(|(fault, actors)| format!("{fault}\n        {}", actors.join(", ")))
            .collect();
        assert_eq!(count, 0, "{count} of {} cells broke the rules:\n{}", self.tried, lines.join("\n"));
    }
}

/// Checks the status and all changes against the rules.
fn verdict(
    operation: &Operation,
    expected: &Expect,
    answer: &Answer,
    happened: &BTreeSet<String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let fits = match expected {
        Expect::Refused(status) => answer.status == *status,
        Expect::Invalid(name) => answer.status == 400 && answer.json().get(*name).is_some(),
        Expect::Done(_) => answer.status == status(rule(operation).1),
    };
    if !fits {
        let expected =
            if let Expect::Done(_) = expected { "a success".to_owned() } else { format!("{expected:?}") };
        let got: String = answer.to_string().chars().take(160).collect();
        faults.push(format!("expected {expected}, got {got}"));
    }
    let nothing = BTreeSet::new();
    let expected = if let Expect::Done(changes) = expected { changes } else { &nothing };
    if fits && expected != happened {
        let (more, less): (Vec<_>, Vec<_>) =
            (happened.difference(expected).collect(), expected.difference(happened).collect());
        faults.push(format!("changed {more:?}, did not change {less:?}"));
    }
    faults
}

/// What a writer sees of the written record: all of it with the right to read it, otherwise what the body said.
fn shown(
    actor: &Actor,
    operation: &Operation,
    target: &Target,
    body: &Body,
    answer: &Answer,
) -> Option<String> {
    if [202, 204].contains(&answer.status) {
        return (!answer.body.is_empty()).then(|| "a body where none is expected".to_owned());
    }
    let code = reading(actor, operation, target)?;
    let answered = answer.json();
    let (items, sent) = match (operation.path.as_str(), &answered["users"]) {
        ("/api/users/bulk", Value::Array(items)) => {
            (items.clone(), body["users"].as_array().unwrap().clone())
        }
        _ => (vec![answered], vec![Value::Object(body.clone())]),
    };
    if items.len() != sent.len() {
        return Some(format!("{} are shown of {}", items.len(), sent.len()));
    }
    for (item, sent) in items.iter().zip(&sent) {
        let whole = item.get("created_at").is_some();
        if holds(actor, &[code].into()) {
            if !whole {
                return Some(format!("the whole is not shown: {item}"));
            }
            continue;
        }
        let secret = ["password", "old_password"];
        let written = |name: &str| sent.get(name).filter(|_| !secret.contains(&name));
        let more: Vec<_> = item
            .as_object()?
            .iter()
            .filter(|(name, value)| *name != "id" && written(name) != Some(value))
            .collect();
        let names: Vec<_> = more.iter().map(|(name, _)| name.as_str()).collect();
        if item.get("id").is_none() || !more.is_empty() {
            return Some(format!("shown to a caller who may not read: {}", names.join(" ")));
        }
    }
    None
}

trait ToText {
    fn to_text(&self) -> String;
}

impl ToText for Body {
    fn to_text(&self) -> String {
        Value::Object(self.clone()).to_string()
    }
}

both! {
    async fn finding_04_05_08_09_users_are_written_by_the_rules(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.run(of_one_user, |_| true).await;
        trial.end().await;
    }
}

both! {
    async fn finding_04_05_08_09_many_users_are_written_by_the_rules(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.run(of_many_users, |_| true).await;
        trial.end().await;
    }
}

both! {
    async fn finding_04_08_09_groups_are_written_by_the_rules(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.run(of_groups, |_| true).await;
        trial.end().await;
    }
}

both! {
    async fn finding_04_tokens_are_written_by_the_rules(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.run(of_tokens, |_| true).await;
        trial.end().await;
    }
}

both! {
    async fn everything_else_goes_by_the_rules(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.run(elsewhere, |_| true).await;
        trial.end().await;
    }
}

both! {
    /// An admin may do anything else, but the last one stays.
    async fn the_last_admin_stays(backend: Backend) {
        let mut trial = Trial::new(backend).await;
        trial.leave_one_admin().await;
        let users = |operation: &Operation| operation.id.starts_with("users_") && operation.writes();
        trial.run(users, |actor| actor.name == "admin").await;
        trial.end().await;
    }
}
