//! A small version of the contract: the conditions for each operation, and its effects. It does not call the program:
//! it is a second, independent opinion.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::cells::Target;
use super::operations::Operation;
use super::world::{
    Actor, CODE, CODE_OWNER, Codes, END, INVITED, LINK_KEY, Narrow, PASSWORD, Person, Token,
    WITHOUT_PASSWORD, World, mobile_number, permission, username,
};

/// The path of forward authentication where no rule is.
pub const NO_RULE: &str = "nonsense";

pub type Body = Map<String, Value>;

/// The condition that is checked before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Open,
    /// A good token.
    Token,
    /// Staff or an admin.
    Staff,
    /// This permission.
    Code(i64),
    /// Both of these permissions.
    Both(i64, i64),
    /// Being an admin.
    Admin,
    /// What the path says: forward authentication.
    Rule,
}

/// The object of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It changes nothing.
    Read,
    /// Of any user with the permission to read users, of oneself without.
    ReadAvatar,
    CreateUser,
    ChangeUser,
    DeleteUser,
    RestoreUser,
    PurgeUser,
    ChangeMe,
    ChangeMyPassword,
    CreateGroup,
    ChangeGroup,
    DeleteGroup,
    RestoreGroup,
    PurgeGroup,
    AddMembers,
    RemoveMembers,
    IssueToken,
    ChangeToken,
    RevokeToken,
    RotateToken,
    SignIn,
    /// It changes nothing that is compared.
    AskCode,
    GiveCode,
    SignOut,
    /// For one's own tokens or another user's, by any path.
    SignOutUser,
    Unlock,
    FindToken,
    /// It changes nothing. Whether the key is active depends on the caller.
    Introspect,
    ReportLeak,
    /// It changes nothing. Whether the caller may pass depends on the rule in the path.
    Pass,
    CreatePermission,
    RenamePermission,
    RemovePermission,
    Invite,
    Uninvite,
    /// Asks for a link to set a forgotten password.
    AskForLink,
    UseLink,
}

use Need::{Admin, Both, Code, Open, Staff};
use What::{
    AddMembers, AskCode, AskForLink, ChangeGroup, ChangeMe, ChangeMyPassword, ChangeToken, ChangeUser,
    CreateGroup, CreatePermission, CreateUser, DeleteGroup, DeleteUser, FindToken, GiveCode, Introspect,
    Invite, IssueToken, Pass, PurgeGroup, PurgeUser, Read, ReadAvatar, RemoveMembers, RemovePermission,
    RenamePermission, ReportLeak, RestoreGroup, RestoreUser, RevokeToken, RotateToken, SignIn, SignOut,
    SignOutUser, Uninvite, Unlock, UseLink,
};

/// Returns the rule of an operation by its id in the document.
pub const RULES: &[(&str, Need, What)] = &[
    ("users_me_retrieve", Staff, Read),
    ("users_me_update", Staff, ChangeMe),
    ("users_me_avatar", Staff, Read),
    ("users_me_password", Need::Token, ChangeMyPassword),
    ("users_me_sign_out", Need::Token, SignOutUser),
    ("me_tokens_list", Need::Token, Read),
    ("me_tokens_create", Staff, IssueToken),
    ("me_tokens_update", Staff, ChangeToken),
    ("me_tokens_revoke", Need::Token, RevokeToken),
    ("me_tokens_rotate", Staff, RotateToken),
    ("users_list", Code(1222), Read),
    ("users_create", Code(1221), CreateUser),
    ("users_retrieve", Code(1222), Read),
    ("users_avatar", Need::Token, ReadAvatar),
    ("users_update", Code(1223), ChangeUser),
    ("users_replace", Code(1223), ChangeUser),
    ("users_destroy", Code(1224), DeleteUser),
    ("users_bulk_create", Code(1221), CreateUser),
    ("users_bulk_update", Code(1223), ChangeUser),
    ("users_bulk_destroy", Code(1224), DeleteUser),
    ("users_deleted_list", Code(1224), Read),
    ("users_deleted_restore", Code(1224), RestoreUser),
    ("users_deleted_purge", Code(1224), PurgeUser),
    ("users_sign_out", Code(1234), SignOutUser),
    ("users_tokens_list", Code(1232), Read),
    ("users_tokens_create", Code(1231), IssueToken),
    ("users_tokens_update", Code(1233), ChangeToken),
    ("users_tokens_revoke", Code(1234), RevokeToken),
    ("users_tokens_rotate", Code(1233), RotateToken),
    ("users_failed_attempts", Code(1222), Read),
    ("users_unlock", Code(1223), Unlock),
    ("users_invitation", Code(1222), Read),
    ("users_invite", Code(1223), Invite),
    ("users_uninvite", Code(1223), Uninvite),
    ("tokens_list", Code(1232), Read),
    ("tokens_find", Code(1232), FindToken),
    ("tokens_retrieve", Code(1232), Read),
    ("tokens_update", Code(1233), ChangeToken),
    ("tokens_revoke", Code(1234), RevokeToken),
    ("tokens_rotate", Code(1233), RotateToken),
    ("groups_list", Code(1202), Read),
    ("groups_create", Code(1201), CreateGroup),
    ("groups_retrieve", Code(1202), Read),
    ("groups_update", Code(1203), ChangeGroup),
    ("groups_replace", Code(1203), ChangeGroup),
    ("groups_destroy", Code(1204), DeleteGroup),
    ("groups_deleted_list", Code(1204), Read),
    ("groups_deleted_restore", Code(1204), RestoreGroup),
    ("groups_deleted_purge", Code(1204), PurgeGroup),
    ("groups_members_add", Code(1203), AddMembers),
    ("groups_members_remove", Code(1203), RemoveMembers),
    ("audit_list", Code(1242), Read),
    ("audit_export", Code(1242), Read),
    ("audit_verify", Code(1242), Read),
    ("permissions_list", Code(1252), Read),
    ("permissions_retrieve", Code(1252), Read),
    ("permissions_users", Both(1252, 1222), Read),
    ("permissions_groups", Both(1252, 1202), Read),
    ("permissions_create", Admin, CreatePermission),
    ("permissions_update", Admin, RenamePermission),
    ("permissions_destroy", Admin, RemovePermission),
    ("auth_password_sign_in", Open, SignIn),
    ("auth_code_request", Open, AskCode),
    ("auth_code_verify", Open, GiveCode),
    ("auth_password_forgot", Open, AskForLink),
    ("auth_password_reset", Open, UseLink),
    ("auth_sign_out", Need::Token, SignOut),
    ("auth_introspect", Code(1282), Introspect),
    ("auth_leaked", Open, ReportLeak),
    ("auth_forward", Need::Rule, Pass),
];

pub fn rule(operation: &Operation) -> (Need, What) {
    let found = RULES.iter().find(|(id, ..)| *id == operation.id);
    let (_, need, what) = found.unwrap_or_else(|| panic!("{} has no rule", operation.id));
    (*need, *what)
}

/// The expected result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// 401, 403 or 404: nothing changes.
    Refused(u16),
    /// 400 that names this field: nothing changes.
    Invalid(&'static str),
    /// Exactly these changes, in the form of `deltas`.
    Done(BTreeSet<String>),
}

use Expect::{Done, Invalid, Refused};

/// Whether the caller may enter the operation.
pub fn may_enter(actor: &Actor, operation: &Operation) -> Result<(), Expect> {
    let (need, narrow) = (rule(operation).0, actor.narrow());
    if need == Need::Rule {
        return Ok(());
    }
    let Some(person) = &actor.person else {
        return if need == Open { Ok(()) } else { Err(Refused(401)) };
    };
    let enters = match need {
        _ if person.inactive || narrow.is_away() => return Err(Refused(401)),
        _ if narrow.read_only && !serves_reading(operation) => false,
        _ if own_scope(operation).is_some_and(|scope| !narrow.has(scope)) => false,
        Open | Need::Token => true,
        Staff => person.staff || person.admin,
        Code(code) => holds(actor, &Codes::from([code])),
        Both(one, other) => holds(actor, &Codes::from([one, other])),
        Admin => person.admin,
        Need::Rule => true,
    };
    if enters { Ok(()) } else { Err(Refused(403)) }
}

/// Whether a token for reading only may do this. Introspection changes nothing, and every token may end itself.
fn serves_reading(operation: &Operation) -> bool {
    operation.method == "GET" || ["auth_introspect", "auth_sign_out"].contains(&operation.id.as_str())
}

/// The scope that an operation on oneself needs.
fn own_scope(operation: &Operation) -> Option<&'static str> {
    match operation.id.as_str() {
        "users_me_retrieve" | "users_me_avatar" | "me_tokens_list" => Some("me_read"),
        id if id.starts_with("users_me_") || id.starts_with("me_tokens_") => Some("me_write"),
        _ => None,
    }
}

/// The status of a success.
pub fn status(what: What) -> u16 {
    match what {
        CreateUser | CreateGroup | CreatePermission | IssueToken | RotateToken | Invite => 201,
        DeleteUser | PurgeUser | DeleteGroup | PurgeGroup | RevokeToken | ChangeMyPassword | SignOut
        | RemovePermission | Uninvite | UseLink => 204,
        ReportLeak | AskForLink => 202,
        _ => 200,
    }
}

/// The permission needed to see more of a written record than one's own input.
pub fn reading(actor: &Actor, operation: &Operation, target: &Target) -> Option<i64> {
    let own = operation.path.contains("/me/") || target.user.is_some_and(|user| is_self(actor, user));
    match rule(operation).1 {
        CreateUser | ChangeUser | RestoreUser => Some(1222),
        CreateGroup | ChangeGroup | RestoreGroup | AddMembers | RemoveMembers => Some(1202),
        ChangeToken if !own => Some(1232),
        _ => None,
    }
}

/// Whether an actor holds all of these rights. An admin does; a user who is not staff holds none.
pub fn holds(actor: &Actor, rights: &Codes) -> bool {
    let Some(person) = &actor.person else { return rights.is_empty() };
    person.admin || (person.staff && rights.is_subset(&actor.rights))
}

pub fn is_admin(actor: &Actor) -> bool {
    actor.person.as_ref().is_some_and(|person| person.admin)
}

pub fn is_self(actor: &Actor, user: i64) -> bool {
    actor.person.as_ref().is_some_and(|person| person.id == user)
}

fn demand(condition: bool) -> Result<(), Expect> {
    if condition { Ok(()) } else { Err(Refused(403)) }
}

/// May this actor do this to that target, with these fields? And what changes if so?
pub fn allowed(world: &World, actor: &Actor, operation: &Operation, target: &Target, body: &Body) -> Expect {
    let (_, what) = rule(operation);
    let judged = may_enter(actor, operation).and_then(|()| no_file(body)).and_then(|()| match what {
        ReadAvatar => read_avatar(world, actor, operation, target),
        Read => read(world, operation, target),
        CreateUser => create_user(world, actor, operation, body),
        ChangeUser => change_user(world, actor, operation, target, body),
        DeleteUser | RestoreUser | PurgeUser => move_user(world, actor, operation, what, target),
        ChangeMe => change_me(world, actor, body),
        ChangeMyPassword => change_my_password(world, actor, body),
        CreateGroup => create_group(world, actor, body),
        ChangeGroup => change_group(world, actor, target, body),
        DeleteGroup => delete_group(world, actor, target),
        RestoreGroup | PurgeGroup => move_group(world, actor, what, target),
        AddMembers | RemoveMembers => change_members(world, actor, what, target, body),
        IssueToken => issue_token(world, actor, operation, target, body),
        ChangeToken | RevokeToken | RotateToken => touch_token(world, actor, operation, what, target, body),
        SignIn => sign_in(world, body),
        AskCode => one_target(body).map(|()| vec![]),
        GiveCode => one_target(body).and_then(|()| give_code(world, body)),
        SignOut => sign_out(world, actor, body),
        SignOutUser => sign_out_user(world, actor, operation, target),
        Unlock => existing(world, operation, target).and_then(|user| unlock(world, actor, user)),
        Invite => existing(world, operation, target).and_then(|user| invite(world, actor, user)),
        Uninvite => existing(world, operation, target).and_then(|user| uninvite(world, actor, user)),
        AskForLink => ask_for_link(world, body),
        UseLink => use_link(world, body),
        FindToken | Introspect => Ok(vec![]),
        Pass => pass(actor, target).map(|()| vec![]),
        ReportLeak => Ok(report_leak(world, body)),
        CreatePermission => Ok(create_permission(body)),
        RenamePermission | RemovePermission => touch_permission(what, target, body),
    });
    match judged {
        Ok(changes) => Done(changes.into_iter().collect()),
        Err(refused) => refused,
    }
}

type Judged = Result<Vec<String>, Expect>;

/// Whether a client may pass. The application may write whatever it is sent, and it shows whose token it is.
fn pass(actor: &Actor, target: &Target) -> Result<(), Expect> {
    let rule = target.rule.unwrap();
    if rule == NO_RULE {
        return Err(Refused(404));
    }
    let (Some(person), narrow) = (&actor.person, actor.narrow()) else { return Err(Refused(401)) };
    if person.inactive || narrow.is_away() {
        return Err(Refused(401));
    }
    demand(!narrow.read_only && narrow.has("me_read"))?;
    // A token with scopes is no full sign-in at an application.
    demand(narrow.scopes.is_none() || rule.contains("permission="))?;
    for condition in rule.split(',') {
        demand(match condition.split_once('=') {
            None if condition == "active" => true,
            None if condition == "staff" => person.staff || person.admin,
            None if condition == "admin" => person.admin,
            Some(("group", id)) => person.groups.contains(&id.parse().unwrap()),
            // A service of its own decides what the permission means, so its holder need not be staff.
            Some(("permission", code)) => person.admin || actor.rights.contains(&code.parse().unwrap()),
            _ => panic!("{condition} is no condition"),
        })?;
    }
    Ok(())
}

/// A user who exists.
fn existing<'w>(world: &'w World, operation: &Operation, target: &Target) -> Result<&'w Person, Expect> {
    let person = target.user.and_then(|id| world.people.get(&id)).filter(|person| !person.binned);
    let missing = if operation.id.contains("bulk") { Invalid("users") } else { Refused(404) };
    person.ok_or(missing)
}

/// As for a new password.
fn unlock(world: &World, actor: &Actor, user: &Person) -> Judged {
    // Not even an admin: who has stolen a token could guess the password.
    demand(!is_self(actor, user.id))?;
    demand(is_admin(actor) || !user.admin)?;
    demand(holds(actor, &world.rights_of(user)))?;
    Ok(vec![])
}

/// As for a new password. No one invites themselves.
fn invite(world: &World, actor: &Actor, user: &Person) -> Judged {
    unlock(world, actor, user)?;
    if user.inactive {
        return Err(Invalid("is_active"));
    }
    if has_password(user) {
        return Err(Invalid("non_field_errors"));
    }
    Ok(vec![format!("links {} \"invitation\" new", user.id)])
}

fn uninvite(world: &World, actor: &Actor, user: &Person) -> Judged {
    unlock(world, actor, user)?;
    if user.name != INVITED {
        return Err(Refused(404));
    }
    Ok(vec![format!("links {} \"invitation\" ended_at", user.id)])
}

fn has_password(user: &Person) -> bool {
    user.name != WITHOUT_PASSWORD
}

/// Whoever asks gets the same answer. An active user with a password gets a link.
fn ask_for_link(world: &World, body: &Body) -> Judged {
    let named = |field: &str| body.get(field).and_then(Value::as_str);
    let people = || world.people.values().filter(|person| !person.binned && !person.inactive);
    let found = match (named("email"), named("username")) {
        (None, None) => return Err(Invalid("email")),
        (Some(_), Some(_)) => return Err(Invalid("non_field_errors")),
        (Some(email), None) => {
            people().find(|person| format!("{}@example.com", username(person)) == email.to_lowercase())
        }
        (None, Some(name)) => people().find(|person| username(person) == name),
    };
    let found = found.filter(|person| has_password(person));
    Ok(found.map(|person| format!("links {} \"password_reset\" new", person.id)).into_iter().collect())
}

/// Who has the key of a link sets the password, which ends all sign-ins.
fn use_link(world: &World, body: &Body) -> Judged {
    if body["key"] != LINK_KEY {
        return Err(Invalid("key"));
    }
    let id = world.person(INVITED).id;
    let mut changes = revoked(world, |token| token.came_of == Some(id));
    changes.push(format!("links {id} \"invitation\" used_at"));
    changes.extend(["password", "updated_at"].map(|column| format!("users {id} {column}")));
    Ok(changes)
}

fn create_permission(body: &Body) -> Vec<String> {
    let code = body.get("code").and_then(Value::as_i64).unwrap_or(10_000);
    vec![format!("permissions new code={code} name={}", body["name"])]
}

/// The built-in permissions are the only ones here.
fn touch_permission(what: What, target: &Target, body: &Body) -> Judged {
    match target.permission {
        Some(id) if id <= i64::try_from(super::world::CODES.len()).unwrap() => Err(Invalid("permission")),
        _ if what == RenamePermission && !body.contains_key("name") => Err(Invalid("name")),
        _ => Err(Refused(404)),
    }
}

fn read(world: &World, operation: &Operation, target: &Target) -> Judged {
    if target.permission.is_some_and(|id| id > 1000) {
        return Err(Refused(404));
    }
    if operation.id == "tokens_retrieve" && !world.tokens.iter().any(|token| Some(token.id) == target.token) {
        return Err(Refused(404));
    }
    if operation.id == "tokens_retrieve" {
        return Ok(vec![]);
    }
    if target.user.is_some() {
        existing(world, operation, target)?;
    }
    if target.group.is_some_and(|group| !world.groups.contains_key(&group)) {
        return Err(Refused(404));
    }
    Ok(vec![])
}

fn read_avatar(world: &World, actor: &Actor, operation: &Operation, target: &Target) -> Judged {
    let own = target.user.is_some_and(|user| is_self(actor, user)) && actor.narrow().has("me_read");
    demand(own || holds(actor, &Codes::from([1222])))?;
    read(world, operation, target)
}

/// A text is no picture.
fn no_file(body: &Body) -> Result<(), Expect> {
    match body.get("avatar").and_then(Value::as_str) {
        None | Some("") => Ok(()),
        Some(_) => Err(Invalid("avatar")),
    }
}

fn ids(value: &Value) -> BTreeSet<i64> {
    value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

/// Returns the codes of permissions that a body names by their ids.
fn codes(value: &Value) -> Codes {
    let named = ids(value);
    super::world::CODES.into_iter().filter(|code| named.contains(&permission(*code))).collect()
}

/// The columns that a body writes unchanged.
const PLAIN: [&str; 9] = [
    "username",
    "mobile_number",
    "email",
    "first_name",
    "last_name",
    "gender",
    "is_active",
    "is_staff",
    "is_admin",
];

/// A value that must be unique, and belongs to a user.
type Of = fn(&Person) -> String;

/// Only an admin may give away a name, number or address of a user in the bin.
fn keep_reserved(world: &World, actor: &Actor, body: &Body) -> Result<(), Expect> {
    let binned = || world.people.values().filter(|person| person.binned);
    let taken = |field: &str, of: Of| {
        body.get(field).and_then(Value::as_str).is_some_and(|new| binned().any(|person| of(person) == new))
    };
    let email = |person: &Person| format!("{}@example.com", username(person));
    let fields: [(&'static str, Of); 3] =
        [("username", username), ("mobile_number", mobile_number), ("email", email)];
    let reserved = fields.into_iter().find(|(field, of)| taken(field, *of));
    match reserved {
        Some((field, _)) if !is_admin(actor) => Err(Invalid(field)),
        _ => Ok(()),
    }
}

/// The body for one of many, by its place after the bystander.
fn item<'b>(operation: &Operation, body: &'b Body) -> &'b Body {
    if !operation.id.contains("bulk") {
        return body;
    }
    body["users"].as_array().unwrap().last().unwrap().as_object().unwrap()
}

/// What a call for many users does to the user before the target.
fn bystander(world: &World, operation: &Operation) -> Vec<String> {
    let id = world.person("bystander").id;
    match (operation.id.contains("bulk"), rule(operation).1) {
        (true, ChangeUser) => {
            vec![format!("users {id} first_name=\"Bystander\""), format!("users {id} updated_at")]
        }
        (true, DeleteUser) => gone(world, id, true),
        _ => vec![],
    }
}

/// Passwords are set one by one.
fn no_password_in_bulk(operation: &Operation, body: &Body) -> Result<(), Expect> {
    let named = ["password", "old_password"].iter().any(|name| body.contains_key(*name));
    let refused = operation.id.contains("bulk") && named;
    if refused { Err(Invalid("users")) } else { Ok(()) }
}

fn create_user(world: &World, actor: &Actor, operation: &Operation, body: &Body) -> Judged {
    let body = item(operation, body);
    no_password_in_bulk(operation, body)?;
    if body.contains_key("old_password") {
        return Err(Invalid("old_password"));
    }
    let groups = body.get("groups").map(ids).unwrap_or_default();
    let own = body.get("permissions").map(codes).unwrap_or_default();
    demand(is_admin(actor) || body.get("is_admin") != Some(&Value::Bool(true)))?;
    demand(holds(actor, &world.rights(&own, &groups)))?;
    // To grant a membership takes the right to change memberships.
    demand(groups.is_empty() || holds(actor, &Codes::from([1203])))?;
    keep_reserved(world, actor, body).map_err(|fault| in_bulk(operation, fault))?;
    let mut changes = vec!["users new".to_owned()];
    let written = |field: &&&str| body.get(**field).is_some_and(|value| !is_default(field, value));
    changes.extend(PLAIN.iter().filter(written).map(|field| format!("users new {field}={}", body[*field])));
    changes.extend(body.contains_key("password").then(|| "users new password".to_owned()));
    changes.extend(groups.iter().map(|group| format!("memberships new {group} +")));
    changes.extend(own.iter().map(|code| format!("user_permissions new {} +", permission(*code))));
    if body.get("invite") == Some(&Value::Bool(true)) {
        if !body.contains_key("email") {
            return Err(Invalid("email"));
        }
        changes.push("links new".to_owned());
    }
    Ok(changes)
}

/// The defaults of a new user.
pub fn is_default(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => *value == (field == "is_active"),
        other => other == "",
    }
}

fn in_bulk(operation: &Operation, fault: Expect) -> Expect {
    match fault {
        Invalid(_) if operation.id.contains("bulk") => Invalid("users"),
        other => other,
    }
}

fn change_user(world: &World, actor: &Actor, operation: &Operation, target: &Target, body: &Body) -> Judged {
    let body = item(operation, body);
    no_password_in_bulk(operation, body)?;
    let user = existing(world, operation, target)?;
    demand(!is_self(actor, user.id) || actor.narrow().has("me_write"))?;
    let sees_itself = is_self(actor, user.id) && actor.narrow().has("me_read");
    // Who may not read the user would learn from it what the user has.
    let body = &match sees_itself || holds(actor, &Codes::from([1222])) {
        true => without_unchanged(user, body),
        false => body.clone(),
    };
    let names = |fields: &[&str]| fields.iter().any(|field| body.contains_key(*field));
    let groups = body.get("groups").map_or_else(|| user.groups.clone(), ids);
    let own = body.get("permissions").map_or_else(|| user.own.clone(), codes);
    demand(is_admin(actor) || (!user.admin && body.get("is_admin") != Some(&Value::Bool(true))))?;
    let raises = names(&["is_active", "is_staff", "is_admin", "permissions", "groups"]);
    demand(is_admin(actor) || !raises || !is_self(actor, user.id))?;
    if raises || names(&["username", "mobile_number", "email", "password", "old_password"]) {
        demand(holds(actor, &world.rights_of(user)))?;
        demand(holds(actor, &world.rights(&own, &groups)))?;
    }
    demand(groups == user.groups || holds(actor, &Codes::from([1203])))?;
    let signs_out = body.get("sign_out") == Some(&Value::Bool(true));
    if signs_out && !is_self(actor, user.id) {
        demand(holds(actor, &Codes::from([1234])) && holds(actor, &world.rights_of(user)))?;
    }
    keep_last_admin(world, user, body)?;
    match is_self(actor, user.id) {
        true if names(&["password", "old_password"]) => prove(body.get("old_password"))?,
        // It has no effect on another user's record.
        false if names(&["old_password"]) => return Err(Invalid("old_password")),
        _ => {}
    }
    keep_reserved(world, actor, body).map_err(|fault| in_bulk(operation, fault))?;
    let mut changes = written(user, body);
    changes.extend(bystander(world, operation));
    if signs_out {
        changes.extend(signed_out(world, user.id));
    }
    Ok(changes)
}

/// A value that the user has already is no change.
fn without_unchanged(user: &Person, body: &Body) -> Body {
    let mut body = body.clone();
    body.retain(|field, value| match field.as_str() {
        field if PLAIN.contains(&field) => *value != now(user, field),
        "groups" => ids(value) != user.groups,
        "permissions" => codes(value) != user.own,
        _ => true,
    });
    body
}

/// One's own password changes only with the current one.
fn prove(old: Option<&Value>) -> Result<(), Expect> {
    if old.is_some_and(|old| old == PASSWORD) { Ok(()) } else { Err(Invalid("old_password")) }
}

/// An active admin has to remain.
fn keep_last_admin(world: &World, user: &Person, body: &Body) -> Result<(), Expect> {
    let is = |field: &str, now: bool| body.get(field).map_or(now, |value| value == &Value::Bool(true));
    let stays = is("is_admin", user.admin) && is("is_active", !user.inactive);
    demand(stays || !user.admin || user.inactive || world.other_admins)
}

/// Returns the changes that a body makes to a user.
fn written(user: &Person, body: &Body) -> Vec<String> {
    let id = user.id;
    let mut changes: Vec<_> = PLAIN
        .iter()
        .filter(|field| body.get(**field).is_some_and(|new| *new != now(user, field)))
        .map(|field| format!("users {id} {field}={}", body[*field]))
        .collect();
    changes.extend(body.contains_key("password").then(|| format!("users {id} password")));
    if let Some(groups) = body.get("groups").map(ids) {
        changes.extend(groups.difference(&user.groups).map(|group| format!("memberships {id} {group} +")));
        changes.extend(user.groups.difference(&groups).map(|group| format!("memberships {id} {group} -")));
    }
    if let Some(own) = body.get("permissions").map(codes) {
        let line = |code: &i64, how: &str| format!("user_permissions {id} {} {how}", permission(*code));
        changes.extend(own.difference(&user.own).map(|code| line(code, "+")));
        changes.extend(user.own.difference(&own).map(|code| line(code, "-")));
    }
    if !changes.is_empty() {
        changes.push(format!("users {id} updated_at"));
    }
    let ends_link =
        |field: &str| body.get(field).is_some_and(|new| field == "password" || *new != now(user, field));
    if user.name == INVITED && ["password", "email", "is_active"].into_iter().any(ends_link) {
        changes.push(format!("links {id} \"invitation\" ended_at"));
    }
    changes
}

/// The value of a user's column.
pub fn now(user: &Person, field: &str) -> Value {
    match field {
        "username" => username(user).into(),
        "mobile_number" => mobile_number(user).into(),
        "email" => format!("{}@example.com", username(user)).into(),
        "first_name" => "First".into(),
        "last_name" => "Last".into(),
        "gender" => "female".into(),
        "is_active" => (!user.inactive).into(),
        "is_staff" => user.staff.into(),
        "is_admin" => user.admin.into(),
        other => panic!("{other} is no column"),
    }
}

/// Everything that goes with a user, into the bin or permanently.
fn gone(world: &World, id: i64, kept: bool) -> Vec<String> {
    let user = &world.people[&id];
    let mut changes = vec![format!("users {id} gone")];
    changes.extend(user.groups.iter().map(|group| format!("memberships {id} {group} -")));
    changes.extend(user.own.iter().map(|code| format!("user_permissions {id} {} -", permission(*code))));
    let tokens = world.tokens.iter().filter(|token| token.owner == id);
    changes.extend(tokens.map(|token| format!("tokens {} gone", token.id)));
    changes.extend(revoked(world, |token| token.came_of == Some(id) && token.owner != id));
    changes.extend(kept.then(|| format!("deleted_users {id} new")));
    changes.extend((user.name == INVITED).then(|| format!("links {id} \"invitation\" gone")));
    changes
}

/// Into the bin, out of it, or purged: the actor must be able to grant all rights of the user.
fn move_user(world: &World, actor: &Actor, operation: &Operation, what: What, target: &Target) -> Judged {
    let user = match what {
        DeleteUser => existing(world, operation, target)?,
        _ => {
            let binned = target.user.and_then(|id| world.people.get(&id)).filter(|person| person.binned);
            binned.ok_or(Refused(404))?
        }
    };
    demand(is_admin(actor) || !user.admin)?;
    demand(holds(actor, &world.rights_of(user)))?;
    let id = user.id;
    if what == DeleteUser {
        demand(!user.admin || user.inactive || world.other_admins)?;
        return Ok([gone(world, id, true), bystander(world, operation)].concat());
    }
    let mut changes = vec![format!("deleted_users {id} gone")];
    if what == RestoreUser {
        changes.push(format!("users {id} back"));
        changes.extend(user.groups.iter().map(|group| format!("memberships {id} {group} +")));
        changes.extend(user.own.iter().map(|code| format!("user_permissions {id} {} +", permission(*code))));
    } else {
        let of = world.binned_groups.values().filter(|group| group.members.contains(&id));
        changes.extend(of.map(|group| format!("deleted_memberships {} {id} -", group.id)));
    }
    Ok(changes)
}

fn change_me(world: &World, actor: &Actor, body: &Body) -> Judged {
    if body.contains_key("old_password") {
        prove(body.get("old_password"))?;
    }
    keep_reserved(world, actor, body)?;
    Ok(written(actor.person.as_ref().unwrap(), body))
}

fn change_my_password(world: &World, actor: &Actor, body: &Body) -> Judged {
    prove(body.get("old_password"))?;
    let (id, token) = (actor.person.as_ref().unwrap().id, actor.token.as_ref().unwrap().id);
    let mut changes = vec![format!("users {id} password"), format!("users {id} updated_at")];
    if body.get("sign_out_others") == Some(&Value::Bool(true)) {
        changes.extend(revoked(world, |other| other.came_of == Some(id) && other.id != token));
    }
    Ok(changes)
}

/// Only an admin may give away the name of a group in the bin.
fn keep_group_name(world: &World, actor: &Actor, body: &Body) -> Result<(), Expect> {
    let name = body.get("name").and_then(Value::as_str);
    let is_reserved = name.is_some_and(|new| world.binned_groups.values().any(|group| group.name == new));
    if is_reserved && !is_admin(actor) { Err(Invalid("name")) } else { Ok(()) }
}

fn create_group(world: &World, actor: &Actor, body: &Body) -> Judged {
    let held = body.get("permissions").map(codes).unwrap_or_default();
    demand(holds(actor, &held))?;
    keep_group_name(world, actor, body)?;
    let mut changes = vec!["groups new".to_owned(), format!("groups new name={}", body["name"])];
    let notes = body.get("notes").filter(|notes| !is_default("notes", notes));
    changes.extend(notes.map(|notes| format!("groups new notes={notes}")));
    changes.extend(held.iter().map(|code| format!("group_permissions new {} +", permission(*code))));
    Ok(changes)
}

fn change_group(world: &World, actor: &Actor, target: &Target, body: &Body) -> Judged {
    let group = target.group.and_then(|id| world.groups.get(&id)).ok_or(Refused(404))?;
    let held = body.get("permissions").map_or_else(|| group.codes.clone(), codes);
    let mut body = body.clone();
    let is_readable = holds(actor, &Codes::from([1202]));
    body.retain(|field, value| match field.as_str() {
        _ if !is_readable => true,
        "name" => *value != group.name.as_str(),
        "permissions" => held != group.codes,
        _ => true,
    });
    if body.contains_key("permissions") {
        // A member of the group would change their own rights.
        demand(is_admin(actor) || !actor.person.as_ref().unwrap().groups.contains(&group.id))?;
    }
    if body.contains_key("name") || body.contains_key("permissions") {
        demand(holds(actor, &group.codes))?;
        demand(holds(actor, &held))?;
    }
    keep_group_name(world, actor, &body)?;
    let id = group.id;
    let mut changes = Vec::new();
    let named = body.get("name").filter(|name| **name != group.name.as_str());
    changes.extend(named.map(|name| format!("groups {id} name={name}")));
    changes.extend(
        body.get("notes").filter(|notes| **notes != "").map(|notes| format!("groups {id} notes={notes}")),
    );
    let line = |code: &i64, how: &str| format!("group_permissions {id} {} {how}", permission(*code));
    changes.extend(held.difference(&group.codes).map(|code| line(code, "+")));
    changes.extend(group.codes.difference(&held).map(|code| line(code, "-")));
    if !changes.is_empty() {
        changes.push(format!("groups {id} updated_at"));
    }
    Ok(changes)
}

/// A deleted group takes its rights from its members.
fn delete_group(world: &World, actor: &Actor, target: &Target) -> Judged {
    let group = target.group.and_then(|id| world.groups.get(&id)).ok_or(Refused(404))?;
    let id = group.id;
    demand(holds(actor, &group.codes))?;
    for member in world.members(id) {
        demand(is_admin(actor) || (!member.admin && !is_self(actor, member.id)))?;
    }
    let mut changes = vec![format!("groups {id} gone")];
    changes.extend(world.members(id).map(|member| format!("memberships {} {id} -", member.id)));
    changes.extend(group.codes.iter().map(|code| format!("group_permissions {id} {} -", permission(*code))));
    changes.push(format!("deleted_groups {id} new"));
    changes.extend(world.members(id).map(|member| format!("deleted_memberships {id} {} +", member.id)));
    Ok(changes)
}

/// Out of the bin, or purged. Members who are not deleted themselves would get the rights of the group, so the actor must be
/// able to make each of them a member of such a group.
fn move_group(world: &World, actor: &Actor, what: What, target: &Target) -> Judged {
    let group = target.group.and_then(|id| world.binned_groups.get(&id)).ok_or(Refused(404))?;
    let (id, members) = (group.id, group.members.iter().map(|member| &world.people[member]));
    let (absent, back): (Vec<_>, Vec<_>) = members.partition(|member| member.binned);
    demand(holds(actor, &group.codes))?;
    for member in &back {
        demand(is_admin(actor) || (!member.admin && !is_self(actor, member.id)))?;
    }
    let mut changes = vec![format!("deleted_groups {id} gone")];
    changes.extend(group.members.iter().map(|member| format!("deleted_memberships {id} {member} -")));
    if what == RestoreGroup {
        demand(back.is_empty() || holds(actor, &Codes::from([1203])))?;
        changes.push(format!("groups {id} back"));
        let codes = group.codes.iter();
        changes.extend(codes.map(|code| format!("group_permissions {id} {} +", permission(*code))));
        changes.extend(back.iter().map(|member| format!("memberships {} {id} +", member.id)));
        // They get the group back with their own restore.
        changes.extend(absent.iter().map(|member| format!("deleted_users {} remains", member.id)));
    }
    Ok(changes)
}

/// A caller who changes memberships gives or takes no more rights than they hold, changes no admin's, and not their
/// own.
fn change_members(world: &World, actor: &Actor, what: What, target: &Target, body: &Body) -> Judged {
    let group = target.group.and_then(|id| world.groups.get(&id)).ok_or(Refused(404))?;
    demand(holds(actor, &group.codes))?;
    let mut changes = Vec::new();
    for id in ids(&body["users"]) {
        let user = world.people.get(&id).filter(|person| !person.binned).ok_or(Invalid("users"))?;
        demand(is_admin(actor) || (!user.admin && !is_self(actor, id)))?;
        let belongs = user.groups.contains(&group.id);
        match what {
            AddMembers if !belongs => changes.push(format!("memberships {id} {} +", group.id)),
            RemoveMembers if belongs => changes.push(format!("memberships {id} {} -", group.id)),
            _ => {}
        }
    }
    Ok(changes)
}

/// The owner of the new token. For another user it takes all rights that the user holds.
fn owner<'w>(
    world: &'w World,
    actor: &Actor,
    operation: &Operation,
    target: &Target,
) -> Result<&'w Person, Expect> {
    if operation.path.contains("/me/") {
        return Ok(&world.people[&actor.person.as_ref().unwrap().id]);
    }
    existing(world, operation, target)
}

fn may_act_as(world: &World, actor: &Actor, owner: &Person) -> Result<(), Expect> {
    if is_self(actor, owner.id) {
        return demand(actor.narrow().has("me_write"));
    }
    demand(is_admin(actor) || !owner.admin)?;
    demand(holds(actor, &world.rights_of(owner)))
}

/// The columns of what a token is narrowed to, with their values as JSON.
type Narrowed = [(&'static str, Value); 3];

fn columns(narrow: &Narrow) -> Narrowed {
    let [scopes, read_only, networks] = narrow.columns();
    [("scopes", scopes), ("read_only", read_only), ("allowed_networks", networks)]
}

/// What a token becomes that was `old` before: never more than the one it is made or changed with.
fn narrowed(actor: &Actor, old: &Narrow, body: &Body) -> Result<Narrowed, Expect> {
    let mine = actor.narrow();
    let mut becomes = columns(old);
    for (column, value) in &mut becomes {
        let Some(asked) = body.get(*column) else { continue };
        let is_more = match (*column, asked) {
            ("scopes", Value::Array(scopes)) => !scopes.iter().all(|scope| mine.has(scope.as_str().unwrap())),
            ("scopes", _) => mine.scopes.is_some(),
            ("read_only", _) => mine.read_only && *asked == Value::Bool(false),
            (_, Value::Array(networks)) => mine.networks.is_some_and(|mine| networks[0] != mine),
            _ => mine.networks.is_some(),
        };
        if is_more {
            return Err(Invalid(column));
        }
        // Each list has one item here.
        *value = asked.get(0).unwrap_or(asked).clone();
    }
    Ok(becomes)
}

/// Whether a token could do more than before.
fn is_more(before: &Narrowed, after: &Narrowed) -> bool {
    before.iter().zip(after).any(|((_, before), (_, after))| match (before, after) {
        (Value::Bool(before), Value::Bool(after)) => *before && !*after,
        (Value::String(before), Value::String(after)) => {
            after.split(' ').any(|word| !before.split(' ').any(|had| had == word))
        }
        _ => *after == Value::Null && *before != Value::Null,
    })
}

/// The end of the new token: never later than that of the token it is made with.
fn end(actor: &Actor, asked: Option<&Value>, unasked: bool) -> Result<Option<String>, Expect> {
    let maker_ends = actor.token.as_ref().is_some_and(|token| token.ends);
    let end = match asked {
        None if unasked => maker_ends.then(|| END.to_owned()),
        None | Some(Value::Null) => None,
        Some(at) => Some(at.as_str().unwrap().to_owned()),
    };
    match &end {
        None if maker_ends => Err(Invalid("expires_at")),
        Some(at) if maker_ends && at.as_str() > END => Err(Invalid("expires_at")),
        _ => Ok(end),
    }
}

fn issued(
    owner: i64,
    kind: &str,
    name: &str,
    end: Option<String>,
    from: (&str, &str),
    [(_, scopes), (_, read_only), (_, networks)]: &Narrowed,
) -> Vec<String> {
    let narrow = format!("scopes={scopes} read_only={read_only} networks={networks}");
    let end = end.map_or("null".to_owned(), |end| format!("{end:?}"));
    let (maker, root) = from;
    vec![format!(
        "tokens new of={owner} kind={kind:?} name={name:?} end={end} made_by={maker:?} root={root} {narrow}"
    )]
}

/// The ends of those tokens that are still live.
fn revoked(world: &World, which: impl Fn(&Token) -> bool) -> Vec<String> {
    let ends = world.tokens.iter().filter(|token| !token.revoked && which(token));
    ends.map(|token| format!("tokens {} revoked_at", token.id)).collect()
}

/// All tokens of a user, and all tokens derived from their sign-ins, for any owner.
fn signed_out(world: &World, user: i64) -> Vec<String> {
    revoked(world, |token| token.owner == user || token.came_of == Some(user))
}

fn sign_out_user(world: &World, actor: &Actor, operation: &Operation, target: &Target) -> Judged {
    if operation.path.contains("/me/") {
        return Ok(signed_out(world, actor.person.as_ref().unwrap().id));
    }
    let user = existing(world, operation, target)?;
    may_act_as(world, actor, user)?;
    Ok(signed_out(world, user.id))
}

fn issue_token(world: &World, actor: &Actor, operation: &Operation, target: &Target, body: &Body) -> Judged {
    let owner = owner(world, actor, operation, target)?;
    may_act_as(world, actor, owner)?;
    let end = end(actor, body.get("expires_at"), true)?;
    let narrow = narrowed(actor, &actor.narrow(), body)?;
    let root = &actor.token.as_ref().unwrap().root;
    Ok(issued(owner.id, "api", body["name"].as_str().unwrap(), end, ("token", root), &narrow))
}

fn touch_token(
    world: &World,
    actor: &Actor,
    operation: &Operation,
    what: What,
    target: &Target,
    body: &Body,
) -> Judged {
    let owner = owner(world, actor, operation, target)?;
    let of_owner = |token: &&Token| Some(token.id) == target.token && token.owner == owner.id;
    let token = world.tokens.iter().find(of_owner).ok_or(Refused(404))?;
    may_act_as(world, actor, owner)?;
    let id = token.id;
    if what == RevokeToken {
        let ends_with = |other: &Token| token.kind == "sign_in" && other.came_of == token.came_of;
        return Ok(match token.revoked {
            true => vec![],
            false => revoked(world, |other| other.id == id || ends_with(other)),
        });
    }
    if token.revoked {
        return Err(Invalid("non_field_errors"));
    }
    let lasts = token.ends.then(|| Value::from(END));
    let old = token.narrow.map(|(_, narrow)| narrow).unwrap_or_default();
    let reaches = old.is_within(&actor.narrow());
    if what == RotateToken {
        let mine = actor.token.as_ref().unwrap();
        // Only the user who signed in replaces a sign-in, and not with a token derived from another one.
        let of_another = mine.came_of.is_some() && token.came_of.is_some() && mine.came_of != token.came_of;
        if of_another || (token.kind == "sign_in" && !is_self(actor, owner.id)) {
            return Err(Invalid("non_field_errors"));
        }
        demand(reaches)?;
        let end = end(actor, Some(&lasts.unwrap_or_default()), false)?;
        let root = if token.came_of.is_some() { &token.root } else { &mine.root };
        let mut changes = issued(owner.id, token.kind, &token.name, end, ("token", root), &columns(&old));
        changes.push(match body.get("overlap_seconds").and_then(Value::as_i64) {
            Some(1..) => format!("tokens {id} expires_at"),
            _ => format!("tokens {id} revoked_at"),
        });
        return Ok(changes);
    }
    demand(reaches)?;
    let (before, after) = (columns(&old), narrowed(actor, &old, body)?);
    // A token widens none that lives longer. Where it may name an end, it names nothing else here.
    let lives_longer = actor.token.as_ref().is_some_and(|mine| mine.ends) && !token.ends;
    if lives_longer && is_more(&before, &after) {
        return Err(Invalid("expires_at"));
    }
    let differing = after.iter().filter(|column| !before.contains(column));
    let mut changes: Vec<_> = differing.map(|(column, new)| format!("tokens {id} {column}={new}")).collect();
    changes.extend(body.get("name").map(|name| format!("tokens {id} name={name}")));
    // The expiry that it has already is no change.
    let lasts = lasts.unwrap_or_default();
    if let Some(asked) = body.get("expires_at").filter(|asked| **asked != lasts) {
        let end = end(actor, Some(asked), false)?;
        // A token derived from a sign-in has an end, that of its sign-in at the latest.
        if token.came_of.is_some() && end.as_ref().is_none_or(|end| end.as_str() > END) {
            return Err(Invalid("expires_at"));
        }
        changes.push(format!("tokens {id} expires_at"));
        if token.kind == "sign_in" {
            let below = world.tokens.iter().filter(|other| other.came_of == token.came_of && other.id != id);
            changes.extend(below.map(|other| format!("tokens {} expires_at", other.id)));
        }
    }
    Ok(changes)
}

fn sign_in(world: &World, body: &Body) -> Judged {
    let name = body["username"].as_str().unwrap();
    let known = world.people.values().find(|person| username(person) == name);
    let known = known.filter(|person| !person.inactive && !person.binned && body["password"] == PASSWORD);
    Ok(signed_in(known.ok_or(Invalid("non_field_errors"))?.id))
}

/// The changes of a sign-in.
fn signed_in(id: i64) -> Vec<String> {
    let end = Some("2025-09-02T00:00:00.000000Z".to_owned());
    let mut changes =
        issued(id, "sign_in", "sign-in", end, ("sign_in", "itself"), &columns(&Narrow::default()));
    changes.push(format!("users {id} last_login"));
    changes
}

/// A code is asked for with one number or address.
fn one_target(body: &Body) -> Result<(), Expect> {
    if body.contains_key("email") { Err(Invalid("email")) } else { Ok(()) }
}

/// One code is out: that of `CODE_OWNER`.
fn give_code(world: &World, body: &Body) -> Judged {
    let owner = world.person(CODE_OWNER);
    let is_right = body["code"] == CODE && body["mobile_number"] == mobile_number(owner);
    if is_right { Ok(signed_in(owner.id)) } else { Err(Invalid("code")) }
}

/// Whether introspection of a key is to say that it is active.
pub fn is_active(world: &World, actor: &Actor, key: &str) -> bool {
    let Some(token) = world.tokens.iter().find(|token| token.key == key && !token.revoked) else {
        return false;
    };
    let owner = &world.people[&token.owner];
    let may_know = is_self(actor, owner.id) || holds(actor, &[1222].into());
    may_know && !owner.inactive && !owner.binned
}

/// Who has a key may end it, and needs nothing else.
fn report_leak(world: &World, body: &Body) -> Vec<String> {
    let keys: Vec<&str> =
        body["tokens"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let reported = |token: &Token| keys.contains(&token.key.as_str()) && !token.revoked;
    let sign_ins: Vec<_> =
        world.tokens.iter().filter(|token| reported(token) && token.kind == "sign_in").collect();
    let derived = |token: &Token| {
        sign_ins.iter().any(|sign_in| token.came_of.is_some() && token.came_of == sign_in.came_of)
    };
    revoked(world, |token| reported(token) || derived(token))
}

fn sign_out(world: &World, actor: &Actor, body: &Body) -> Judged {
    let mine = actor.token.as_ref().unwrap();
    let everywhere = body.get("everywhere") == Some(&Value::Bool(true));
    let sign_in = mine.kind == "sign_in" || everywhere;
    demand(!everywhere || (actor.narrow().has("me_write") && !actor.narrow().read_only))?;
    Ok(revoked(world, |token| token.id == mine.id || (sign_in && token.came_of == Some(mine.owner))))
}
