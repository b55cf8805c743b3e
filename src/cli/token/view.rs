//! How tokens are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::days::to_the_second;
use crate::cli::report::Report;
use crate::cli::terminal::{CellStyle, TableCell, TableColumn, TextTable};
use crate::directory::access::{scope_list, scope_name};
use crate::directory::model::{
    ListedToken, Narrowing, Networks, Scope, Scopes, Timestamp, Token, TokenState,
};
use crate::directory::tokens::TokenWithKey;
use crate::directory::users::UserDetails;

/// A table of tokens, with their owners if they are not the same.
pub(super) fn table(rows: &[ListedToken], with_owners: bool, now: Timestamp) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::text("name"),
        TableColumn::whole("key"),
        TableColumn::whole("state"),
        TableColumn::whole("created").spare(4),
        TableColumn::whole("expires").spare(5),
        TableColumn::whole("last used").spare(3),
        TableColumn::whole("kind").spare(2),
        TableColumn::whole("made by").spare(1),
        TableColumn::text("narrowed to").spare(6),
    ];
    let rows = rows.iter().map(|listed| (cells(&listed.token, now), listed));
    if !with_owners {
        return TextTable::new(columns, rows.map(|(cells, _)| cells).collect());
    }
    let [id, others @ ..] = columns;
    let [name, key, state, created, expires, used, kind, made_by, narrowing] = others;
    let owner = TableColumn::text("user");
    let columns = [id, owner, name, key, state, created, expires, used, kind, made_by, narrowing];
    let with_owner = |(cells, listed): ([TableCell; 10], &ListedToken)| {
        let [id, name, key, state, created, expires, used, kind, made_by, narrowing] = cells;
        let owner = match &listed.username {
            Some(username) => TableCell::from(username),
            None => listed.token.user_id.to_string().into(),
        };
        [id, owner, name, key, state, created, expires, used, kind, made_by, narrowing]
    };
    TextTable::new(columns, rows.map(with_owner).collect())
}

fn cells(token: &Token, now: Timestamp) -> [TableCell; 10] {
    let or_none = |at: Option<Timestamp>| TableCell::from(at.map_or_else(|| "-".to_owned(), to_the_second));
    let style = match token.state(now) {
        TokenState::Active => CellStyle::Good,
        TokenState::Expired => CellStyle::Dim,
        TokenState::Revoked => CellStyle::Bad,
    };
    [
        token.id.to_string().into(),
        token.name.as_str().into(),
        format!("{}...{}", token.prefix, token.last_four).into(),
        TableCell::from(token.state(now).as_str()).styled(style),
        to_the_second(token.created_at).into(),
        or_none(token.expires_at),
        or_none(token.last_used_at),
        token.kind.as_str().into(),
        token.made_by.as_str().into(),
        narrowing(&token.narrowing).unwrap_or_else(|| "-".to_owned()).into(),
    ]
}

/// What a token is narrowed to, in one line; `None` if it is not.
pub(super) fn narrowing(narrowing: &Narrowing) -> Option<String> {
    let Narrowing { scopes, read_only, allowed_networks } = narrowing;
    let parts = [
        scopes.as_ref().map(|scopes| scope_texts(scopes).join(" ")),
        read_only.then(|| "read only".to_owned()),
        allowed_networks.as_ref().map(|networks| format!("from {}", networks.texts().join(" "))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The names of scopes. A token loses the last one with the permission that it names.
pub(super) fn scope_texts(scopes: &Scopes) -> Vec<String> {
    match scope_list(scopes) {
        none if none.is_empty() => vec!["no scope left".to_owned()],
        names => names,
    }
}

/// Why a new token can do less than someone may expect.
fn notes(token: &Token, owner: &UserDetails) -> String {
    let mut notes = String::new();
    if !owner.user.is_active {
        notes.push_str(" The user is disabled, so the key is refused until `wardroom user enable`.");
    }
    let holds = |code: i64| owner.effective_permissions.iter().any(|held| held.code == code);
    let scopes = token.narrowing.scopes.iter().flat_map(Scopes::codes);
    let lacking: Vec<_> = scopes.filter(|code| !owner.user.is_admin && !holds(*code)).collect();
    if !lacking.is_empty() {
        let names: Vec<_> = lacking.into_iter().map(|code| scope_name(Scope::Permission(code))).collect();
        let _ =
            write!(notes, " The user does not have {}, so the token cannot use that now.", names.join(", "));
    }
    notes
}

/// A token whose key is shown now and never again.
pub(super) fn issued(issued: &TokenWithKey, owner: Option<&UserDetails>, now: Timestamp) -> Report {
    let TokenWithKey { token, key } = issued;
    let end =
        token.expires_at.map_or_else(|| "does not expire".to_owned(), |end| format!("expires at {end}"));
    let narrowed = narrowing(&token.narrowing).map(|what| format!(" It is narrowed to: {what}."));
    let narrowed = narrowed.unwrap_or_default();
    let name = owner.map_or_else(|| format!("user {}", token.user_id), |owner| owner.user.username.clone());
    let notes = owner.map(|owner| notes(token, owner)).unwrap_or_default();
    let notice = format!(
        "Token {} ({}) of {name} {end}.{narrowed}{notes} Save its key now; it cannot be shown again:\n",
        token.id, token.name
    );
    let mut json = json(token, now);
    if let Value::Object(object) = &mut json {
        object.insert("key".to_owned(), key.reveal().into());
    }
    // Standard output has the key alone, for a file or a variable.
    Report::new(format!("{}\n", key.reveal()), json).once().noting(notice)
}

/// The JSON of a token in a list, with its owner's name.
pub(super) fn listed_json(listed: &ListedToken, now: Timestamp) -> Value {
    let mut json = json(&listed.token, now);
    if let Value::Object(object) = &mut json {
        object.insert("username".to_owned(), listed.username.clone().into());
    }
    json
}

/// The JSON of a token.
pub(super) fn json(token: &Token, now: Timestamp) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": token.id.get(),
        "user_id": token.user_id.get(),
        "name": token.name,
        "kind": token.kind.as_str(),
        "prefix": token.prefix,
        "last_four": token.last_four,
        "state": token.state(now).as_str(),
        "created_at": token.created_at.to_string(),
        "expires_at": text(token.expires_at),
        "revoked_at": text(token.revoked_at),
        "last_used_at": text(token.last_used_at),
        "made_by": token.made_by.as_str(),
        "of_sign_in": token.root.is_some(),
        "scopes": token.narrowing.scopes.as_ref().map(scope_list),
        "read_only": token.narrowing.read_only,
        "allowed_networks": token.narrowing.allowed_networks.as_ref().map(Networks::texts),
    })
}
