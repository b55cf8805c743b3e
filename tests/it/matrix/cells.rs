//! The cells of the matrix: for each operation every kind of target, and for every field the values that matter.

use serde_json::{Value, json};

use super::operations::Operation;
use super::rules::{Body, NO_RULE, Need, What, may_enter, now, rule};
use super::world::{
    AWAY, Actor, CODE, CODE_OWNER, HERE, LINK_KEY, PASSWORD, Person, RARE, Token, World, mobile_number,
    permission, username,
};

/// The object that an operation's path names.
#[derive(Clone, Debug, Default)]
pub struct Target {
    pub name: String,
    pub user: Option<i64>,
    pub group: Option<i64>,
    pub token: Option<i64>,
    pub permission: Option<i64>,
    /// The rule of forward authentication.
    pub rule: Option<&'static str>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Cell {
    pub target: Target,
    /// The field that it is about.
    pub field: String,
    /// `None` sends no body.
    pub body: Option<Body>,
}

/// Operations on whole records and on many users are variants of `users_update`, and those on tokens of `users_tokens_*`,
/// which every actor tries with everything. Here most actors try each field and each target once.
const LIKE_ANOTHER: [&str; 5] =
    ["users_replace", "users_bulk_update", "tokens_update", "tokens_revoke", "tokens_rotate"];
const TRY_THEM_TOO: [&str; 2] = ["staff without 1242", "admin"];

/// How many actors by a narrow token or a sign-in share the fields and targets of an operation.
const SHARING: usize = 3;

/// Everything that an actor tries with an operation. An actor who may enter tries every field on every target. One
/// who may not is refused whatever the request, so they try each field and each target once. Actors by a narrow token or by a
/// sign-in follow the rules of their owner within limits: each tries a third of the pairs, the next one another third.
pub fn cells(world: &World, actor: &Actor, operation: &Operation, turn: usize) -> Vec<Cell> {
    let targets = targets(world, actor, operation);
    let tried: Vec<_> = targets.iter().map(|target| probes(world, actor, operation, target)).collect();
    let cell = |target: usize, probe: usize| {
        let (field, body) = tried[target][probe % tried[target].len()].clone();
        Cell { target: targets[target].clone(), field, body }
    };
    let like_another =
        LIKE_ANOTHER.contains(&operation.id.as_str()) && !TRY_THEM_TOO.contains(&actor.name.as_str());
    if like_another || may_enter(actor, operation).is_err() {
        let most = tried.iter().map(Vec::len).max().unwrap_or_default().max(targets.len());
        return (0..most).map(|place| cell(place % targets.len(), place)).collect();
    }
    let each =
        (0..targets.len()).flat_map(|target| (0..tried[target].len()).map(move |probe| (target, probe)));
    let shares =
        actor.token.as_ref().is_some_and(|token| token.narrow.is_some() || token.kind != "api" || token.ends);
    each.filter(|(target, probe)| !shares || (target + probe + turn).is_multiple_of(SHARING))
        .map(|(target, probe)| cell(target, probe))
        .collect()
}

/// A code that the operation is about, so that an actor with the permission has it.
fn code(operation: &Operation) -> i64 {
    match rule(operation).0 {
        Need::Code(code) | Need::Both(_, code) => code,
        _ => 1221,
    }
}

/// Rules of forward authentication: of each condition one, and two together. 100 is the group `none`, 101 `mine`.
const RULES: [&str; 9] = [
    "active",
    "staff",
    "admin",
    "group=100",
    "group=101",
    "permission=1222",
    "permission=1242",
    "permission=1222,staff",
    NO_RULE,
];

fn targets(world: &World, actor: &Actor, operation: &Operation) -> Vec<Target> {
    let path = operation.path.as_str();
    if path.contains("{rule}") {
        let target = |rule| Target { name: format!("rule {rule}"), rule: Some(rule), ..Target::default() };
        return RULES.map(target).into();
    }
    let bulk = path == "/api/users/bulk" && operation.method != "POST";
    if path.starts_with("/api/users/groups/{id}") {
        return groups(world, operation);
    }
    if path.starts_with("/api/users/groups/deleted/{id}") {
        let target = |id, name: &str| Target { name: name.to_owned(), group: Some(id), ..Target::default() };
        let binned = world.binned_groups.values().map(|group| target(group.id, &group.name));
        let none = [target(world.group("none").id, "group none"), target(999_999, "no group")];
        return binned.chain(none).collect();
    }
    if path.starts_with("/api/users/deleted/{id}") {
        let names = ["deleted plain", "deleted strong", "deleted by group", "deleted admin", "other plain"];
        return names.map(|name| user(world.person(name))).into();
    }
    if path.contains("/me/tokens/{token}") {
        return own_tokens(world, actor);
    }
    if path.starts_with("/api/users/permissions/{id}") {
        return [1, 14, 999_999]
            .map(|id| Target { permission: Some(id), name: format!("permission {id}"), ..Target::default() })
            .into();
    }
    if path.starts_with("/api/users/tokens/{token}") {
        return all_tokens(world, &users(world, actor, operation));
    }
    if path.contains("{token}") {
        return others_tokens(world, users(world, actor, operation));
    }
    if bulk || path.contains("{id}") { users(world, actor, operation) } else { vec![Target::default()] }
}

fn user(person: &Person) -> Target {
    Target { name: person.name.clone(), user: Some(person.id), ..Target::default() }
}

fn users(world: &World, actor: &Actor, operation: &Operation) -> Vec<Target> {
    let ward = format!("ward {}", code(operation));
    let mut names = vec![
        "other plain",
        "member",
        "weak staff",
        "strong",
        "strong by group",
        "strongest",
        "dormant",
        "other admin",
        "other inactive",
        &ward,
        "deleted plain",
    ];
    let peer = actor.person.as_ref().map(|person| format!("peer of {}", person.name));
    names.extend(peer.as_deref().filter(|name| world.people.values().any(|known| known.name == *name)));
    let mut targets: Vec<_> = names.into_iter().map(|name| user(world.person(name))).collect();
    if let Some(person) = &actor.person {
        targets.push(Target { name: "oneself".to_owned(), ..user(person) });
    }
    targets.push(Target { name: "missing".to_owned(), user: Some(999_999), ..Target::default() });
    targets
}

fn groups(world: &World, operation: &Operation) -> Vec<Target> {
    let held = code(operation).to_string();
    let names = ["none", "mine", "admins", "rare", "all", &held];
    let mut targets: Vec<_> = names
        .map(|name| Target {
            name: format!("group {name}"),
            group: Some(world.group(name).id),
            ..Target::default()
        })
        .into();
    targets.push(Target { name: "no group".to_owned(), group: Some(999_999), ..Target::default() });
    targets
}

/// The tokens of one user, each a target.
fn tokens_of(world: &World, target: &Target, owner: i64) -> Vec<Target> {
    let kinds = [("api", false), ("sign_in", false), ("of sign_in", false), ("api", true)];
    let narrow = world.narrow_kinds(owner).into_iter().map(|kind| (kind, false));
    kinds
        .into_iter()
        .chain(narrow)
        .filter_map(|(kind, revoked)| world.token(owner, kind, revoked))
        .map(|token| Target {
            name: format!(
                "{}, {}{}{}",
                target.name,
                if token.revoked { "revoked " } else { "" },
                token.narrow.map_or(token.kind, |(name, _)| name),
                if token.kind == "api" && token.ends { " of a sign-in" } else { "" }
            ),
            token: Some(token.id),
            ..target.clone()
        })
        .collect()
}

fn own_tokens(world: &World, actor: &Actor) -> Vec<Target> {
    let mine = Target { name: "oneself".to_owned(), ..Target::default() };
    let mut targets =
        actor.person.as_ref().map(|person| tokens_of(world, &mine, person.id)).unwrap_or_default();
    let other = world.person("other plain");
    targets.extend(tokens_of(
        world,
        &Target { name: "another user".to_owned(), ..Target::default() },
        other.id,
    ));
    targets
}

/// The tokens of users, whose owner the path does not name.
fn all_tokens(world: &World, users: &[Target]) -> Vec<Target> {
    let mut targets: Vec<_> =
        users.iter().flat_map(|target| tokens_of(world, target, target.user.unwrap())).collect();
    let missing = Target { user: Some(world.person("other plain").id), ..Target::default() };
    targets.push(Target { name: "no token".to_owned(), token: Some(999_999), ..missing });
    targets
}

fn others_tokens(world: &World, users: Vec<Target>) -> Vec<Target> {
    let foreign = world.token(world.person("weak staff").id, "api", false).unwrap();
    let plain = user(world.person("other plain"));
    let mut targets: Vec<_> = users
        .iter()
        .flat_map(|target| match tokens_of(world, target, target.user.unwrap()) {
            none if none.is_empty() => vec![Target { token: Some(foreign.id), ..target.clone() }],
            some => some,
        })
        .collect();
    targets.push(Target { name: "another's token".to_owned(), token: Some(foreign.id), ..plain });
    targets
}

type Probe = (String, Option<Body>);

fn body(value: Value) -> Body {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no body"),
    }
}

/// The required part of a body beside the field that is tried. A replacement of a whole record has a new name, so
/// that it counts as one wherever names are compared.
fn required(operation: &Operation) -> Body {
    let whole = ["POST", "PUT"].contains(&operation.method.as_str());
    body(match rule(operation).1 {
        What::CreateUser | What::ChangeUser if whole => json!({"username": "fresh.name"}),
        What::CreateGroup | What::ChangeGroup if whole => json!({"name": "Fresh name"}),
        What::IssueToken => json!({"name": "fresh"}),
        What::CreatePermission | What::RenamePermission => json!({"name": "fresh"}),
        // The first token of the world.
        What::FindToken => json!({"key": format!("{:040x}", 0xabc_0000)}),
        What::Introspect => json!({"token": format!("{:040x}", 0xabc_0000)}),
        What::ReportLeak => json!({"tokens": ["0".repeat(40)]}),
        What::ChangeMyPassword => {
            json!({"old_password": PASSWORD, "new_password": "another unlikely phrase"})
        }
        What::SignIn => json!({"username": "m.other.plain", "password": PASSWORD}),
        What::AskCode => json!({"mobile_number": "+49 711 5555555"}),
        What::UseLink => json!({"key": LINK_KEY, "password": "another unlikely phrase"}),
        _ => json!({}),
    })
}

/// The values that are tried, with the field of each.
pub fn probes(world: &World, actor: &Actor, operation: &Operation, target: &Target) -> Vec<Probe> {
    if operation.fields.is_empty() {
        return vec![(String::new(), None)];
    }
    let mut required = required(operation);
    if rule(operation).1 == What::GiveCode {
        required = body(json!({"code": CODE, "mobile_number": mobile_number(world.person(CODE_OWNER))}));
    }
    let mut probes = vec![];
    // The body as it is, without any other field. A body that names its objects in a list has no other fields.
    if !operation.fields.iter().any(|field| field == "users") {
        probes.push((String::new(), Some(required.clone())));
    }
    // The document has it where it means something. Elsewhere it is refused.
    let elsewhere = [What::CreateUser, What::ChangeUser].contains(&rule(operation).1)
        && !operation.fields.iter().any(|field| field == "old_password");
    let elsewhere = elsewhere.then_some("old_password");
    for field in operation.fields.iter().map(String::as_str).chain(elsewhere) {
        let name = field.strip_prefix("users[].").unwrap_or(field);
        for values in values(world, actor, operation, target, name) {
            let mut body = required.clone();
            body.extend(values);
            probes.push((name.to_owned(), Some(body)));
        }
    }
    if operation.path.ends_with("/bulk") {
        for (_, body) in &mut probes {
            *body = body.take().map(|body| many(world, operation, target, body));
        }
    }
    probes
}

/// The body of a call for many users: the target comes after a user that every actor with the right may change.
fn many(world: &World, operation: &Operation, target: &Target, item: Body) -> Body {
    let bystander = world.person("bystander").id;
    body(match operation.method.as_str() {
        "POST" => json!({ "users": [item] }),
        "PATCH" => {
            let mut item = item;
            item.insert("id".to_owned(), target.user.unwrap().into());
            json!({ "users": [{"id": bystander, "first_name": "Bystander"}, item] })
        }
        _ => json!({ "users": [bystander, target.user.unwrap()] }),
    })
}

/// Every value that matters for one field of an operation, with the other fields that it needs.
fn values(world: &World, actor: &Actor, operation: &Operation, target: &Target, field: &str) -> Vec<Body> {
    let what = rule(operation).1;
    let found = match what {
        What::CreateUser | What::ChangeUser | What::ChangeMe => {
            of_user(world, actor, operation, target, field)
        }
        What::DeleteUser if field == "users" => Some(vec![json!({})]),
        What::AddMembers | What::RemoveMembers => of_members(world, actor, operation, field),
        What::CreateGroup | What::ChangeGroup => of_group(world, operation, target, field),
        What::IssueToken | What::ChangeToken | What::RotateToken => {
            of_token(world, actor, operation, target, field)
        }
        What::ChangeMyPassword => of_password(field),
        What::SignIn => of_sign_in(world, field),
        What::AskCode | What::GiveCode => of_code(world, field),
        What::AskForLink => of_forgotten(world, field),
        What::UseLink => Some(match field {
            "key" => vec![json!({field: "b".repeat(43)}), json!({field: "no key"})],
            "password" => vec![json!({field: "yet another phrase"})],
            _ => return Vec::new(),
        }),
        What::Introspect | What::ReportLeak => Some(of_keys(world, what, field)),
        What::FindToken => (field == "key").then(|| {
            let keys =
                ["other plain", "other admin"].map(|name| world.token(world.person(name).id, "api", false));
            keys.map(|token| json!({field: token.unwrap().key})).into()
        }),
        What::CreatePermission | What::RenamePermission => Some(match field {
            "name" => vec![json!({field: "other_name"})],
            "code" => vec![json!({field: 20_000})],
            _ => return Vec::new(),
        }),
        What::SignOut => (field == "everywhere").then(|| vec![json!({field: true}), json!({field: false})]),
        _ => None,
    };
    let found = found.unwrap_or_else(|| panic!("{}: nothing is tried with the field {field}", operation.id));
    found.into_iter().map(body).collect()
}

/// Keys of every kind of owner and of none.
fn of_keys(world: &World, what: What, field: &str) -> Vec<Value> {
    let owners = ["other plain", "other admin", "other inactive", "strong", "staff with 1282"];
    let of = |name: &str, kind: &str, revoked: bool| {
        world.token(world.person(name).id, kind, revoked).unwrap().key.clone()
    };
    let mut keys: Vec<_> = owners.map(|name| of(name, "api", false)).into();
    keys.extend([of("other plain", "sign_in", false), of("other plain", "api", true)]);
    keys.push(of("other plain", "narrowed to reading users", false));
    keys.extend(["no key".to_owned(), "f".repeat(40), format!("wrd_{}", "0".repeat(36))]);
    match (what, field) {
        (What::ReportLeak, _) => {
            keys.iter().map(|key| json!({field: [key]})).chain([json!({field: keys.clone()})]).collect()
        }
        (_, "token") => keys.iter().map(|key| json!({field: key})).collect(),
        (_, "client_address") => vec![json!({field: "192.0.2.7"})],
        _ => vec![json!({field: "access_token"})],
    }
}

fn of_user(
    world: &World,
    actor: &Actor,
    operation: &Operation,
    target: &Target,
    field: &str,
) -> Option<Vec<Value>> {
    let blank = Person::default();
    let own = actor.person.as_ref().filter(|_| rule(operation).1 == What::ChangeMe);
    let user = own.or_else(|| target.user.and_then(|id| world.people.get(&id)));
    let is_self = user.is_some() && user.map(|user| user.id) == actor.person.as_ref().map(|person| person.id);
    let binned = world.person("deleted plain");
    let is = user.unwrap_or(&blank);
    Some(match field {
        "id" => vec![],
        "username" => vec![json!({field: "fresh.name"}), json!({field: username(binned)})],
        "mobile_number" => {
            vec![json!({field: "+49 711 5"}), json!({field: null}), json!({field: mobile_number(binned)})]
        }
        "email" => vec![
            json!({field: "fresh@example.com"}),
            json!({field: null}),
            json!({field: format!("{}@example.com", username(binned))}),
        ],
        "first_name" | "last_name" => match user {
            Some(user) => vec![json!({field: "Fresh"}), json!({field: now(user, field)})],
            None => vec![json!({field: "Fresh"})],
        },
        // No user in this world has one. `avatars` tries pictures.
        "avatar" => vec![json!({field: null}), json!({field: "a.png"})],
        "gender" => vec![json!({field: "other"}), json!({field: null})],
        "invite" => vec![
            json!({field: true}),
            json!({field: false}),
            json!({field: true, "email": "fresh@example.com"}),
        ],
        "is_active" | "is_staff" | "is_admin" | "sign_out" => {
            vec![json!({field: true}), json!({field: false})]
        }
        "groups" => {
            let with = |group: &str| {
                let mut groups = is.groups.clone();
                groups.insert(world.group(group).id);
                json!({field: groups})
            };
            vec![
                json!({field: is.groups}),
                json!({field: []}),
                with("none"),
                with(&code(operation).to_string()),
                with("rare"),
            ]
        }
        "permissions" => {
            let with = |code: i64| {
                let held: Vec<_> = is.own.iter().copied().chain([code]).map(permission).collect();
                json!({field: held})
            };
            vec![json!({field: []}), with(code(operation)), with(RARE)]
        }
        "password" if is_self => vec![
            json!({field: "another unlikely phrase"}),
            json!({field: "another unlikely phrase", "old_password": "a wrong pass phrase"}),
            json!({field: "another unlikely phrase", "old_password": PASSWORD}),
        ],
        // Setting a password is slow, so one of several similar actors is enough.
        "password" if ["member", "weak staff", "other inactive"].contains(&target.name.as_str()) => vec![],
        "password" if target.name.starts_with("ward") || target.name.starts_with("peer") => vec![],
        "password" => vec![json!({field: "another unlikely phrase"})],
        "old_password" if is_self => {
            vec![
                json!({"first_name": "Fresh", field: PASSWORD}),
                json!({"first_name": "Fresh", field: "wrong"}),
            ]
        }
        "old_password" => vec![json!({field: PASSWORD})],
        _ => return None,
    })
}

fn of_members(world: &World, actor: &Actor, operation: &Operation, field: &str) -> Option<Vec<Value>> {
    let bystander = world.person("bystander").id;
    let each = users(world, actor, operation).into_iter();
    (field == "users").then(|| each.map(|user| json!({field: [bystander, user.user]})).collect())
}

fn of_group(world: &World, operation: &Operation, target: &Target, field: &str) -> Option<Vec<Value>> {
    let held = target.group.and_then(|id| world.groups.get(&id)).map(|group| group.codes.clone());
    let held = held.unwrap_or_default();
    let with = |code: i64| {
        let held: Vec<_> = held.iter().copied().chain([code]).map(permission).collect();
        json!({field: held})
    };
    Some(match field {
        "name" => {
            vec![json!({field: "Other name"}), json!({field: world.binned_group("gone plain").name})]
        }
        "notes" => vec![json!({field: "Fresh notes"}), json!({field: ""})],
        "permissions" => vec![json!({field: []}), with(code(operation)), with(RARE)],
        _ => return None,
    })
}

fn of_token(
    world: &World,
    actor: &Actor,
    operation: &Operation,
    target: &Target,
    field: &str,
) -> Option<Vec<Value>> {
    // To widen needs something that is narrow.
    let is_narrow = |token: &Token| token.narrow.is_some();
    let old = target.token.and_then(|id| world.tokens.iter().find(|token| token.id == id));
    let may_widen = actor.token.as_ref().is_some_and(is_narrow) || old.is_some_and(is_narrow);
    let with_wider = |one: Value, wider: [Value; 2]| {
        let wider = may_widen.then_some(wider).into_iter().flatten();
        [one].into_iter().chain(wider).map(|value| json!({field: value})).collect()
    };
    let ends = actor.token.as_ref().is_some_and(|token| token.ends);
    Some(match field {
        "name" => vec![json!({field: "other"})],
        "expires_at" => {
            let mut ends_at = vec![json!({field: "2025-09-01T13:00:00.000000Z"})];
            // An end that is too late is an error of its own. It is tried where nothing else is wrong.
            if !ends || operation.path.contains("/me/") {
                ends_at.extend([json!({field: null}), json!({field: "2025-09-01T23:00:00.000000Z"})]);
            }
            ends_at
        }
        "scopes" => with_wider(json!(["user_read"]), [json!(["audit_read"]), Value::Null]),
        "read_only" if may_widen => vec![json!({field: true}), json!({field: false})],
        "read_only" => vec![json!({field: true})],
        "allowed_networks" => with_wider(json!([HERE]), [json!([AWAY]), Value::Null]),
        "overlap_seconds" => vec![json!({field: 0}), json!({field: 60})],
        _ => return None,
    })
}

fn of_password(field: &str) -> Option<Vec<Value>> {
    Some(match field {
        "old_password" => vec![json!({field: "a wrong pass phrase"})],
        "new_password" => vec![json!({field: "yet another phrase"})],
        "sign_out_others" => vec![json!({field: true}), json!({field: false})],
        _ => return None,
    })
}

/// Numbers of every kind of owner and of none, and a wrong code.
fn of_code(world: &World, field: &str) -> Option<Vec<Value>> {
    Some(match field {
        "mobile_number" => {
            let known = ["admin", "other inactive", "strong"].map(|name| mobile_number(world.person(name)));
            known
                .into_iter()
                .chain(["+49 711 5555555".to_owned()])
                .map(|number| json!({field: number}))
                .collect()
        }
        "email" => vec![json!({field: "m.other.plain@example.com"})],
        "code" => vec![json!({field: "543210"})],
        _ => return None,
    })
}

fn of_forgotten(world: &World, field: &str) -> Option<Vec<Value>> {
    let names = ["admin", "other plain", "strong", "other inactive", "deleted plain"];
    let names = names.map(|name| username(world.person(name)));
    let names = names.into_iter().chain(["m.unknown".to_owned()]);
    Some(match field {
        "username" => names.map(|name| json!({field: name})).collect(),
        "email" => names
            .map(|name| json!({field: format!("{}@example.com", name.to_uppercase())}))
            .chain([json!({field: "m.admin@example.com", "username": "m.admin"})])
            .collect(),
        _ => return None,
    })
}

fn of_sign_in(world: &World, field: &str) -> Option<Vec<Value>> {
    Some(match field {
        "username" => {
            let names = ["admin", "other inactive", "deleted plain"].map(|name| username(world.person(name)));
            names.into_iter().chain(["m.unknown".to_owned()]).map(|name| json!({field: name})).collect()
        }
        "password" => vec![json!({field: "a wrong pass phrase"})],
        _ => return None,
    })
}
