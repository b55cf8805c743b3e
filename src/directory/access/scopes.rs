//! The names of scopes: `me_read`, `me_write`, the name of each built-in permission, and the code of any other permission,
//! because those can get another name.

use super::codes::{BUILT_IN, built_in};
use crate::directory::model::{Scope, Scopes, Violation};

const ME_READ: &str = "me_read";
const ME_WRITE: &str = "me_write";

/// The name of every scope that is part of the program, in the order in which they are listed.
pub fn scope_names() -> Vec<&'static str> {
    [ME_READ, ME_WRITE].into_iter().chain(BUILT_IN.iter().map(|permission| permission.name)).collect()
}

/// Returns the name of a scope.
pub fn scope_name(scope: Scope) -> String {
    match scope {
        Scope::MeRead => ME_READ.to_owned(),
        Scope::MeWrite => ME_WRITE.to_owned(),
        Scope::Permission(code) => built_in(code).map_or(code.to_string(), |found| found.name.to_owned()),
    }
}

/// Parses the name of a scope. Whether another permission has this code is not checked here.
pub fn parse_scope(text: &str) -> Result<Scope, Violation> {
    known_scope(text).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let built_in = text.parse().ok().and_then(built_in);
        Violation::Other(match built_in {
            Some(permission) => format!("\"{shown}\" is not a scope: write {}.", permission.name),
            None => format!(
                "\"{shown}\" is not a scope. Scopes are {}, and the codes of permissions that were created here.",
                scope_names().join(", ")
            ),
        })
    })
}

fn known_scope(text: &str) -> Option<Scope> {
    match text {
        ME_READ => return Some(Scope::MeRead),
        ME_WRITE => return Some(Scope::MeWrite),
        _ => {}
    }
    if let Some(permission) = BUILT_IN.iter().find(|permission| permission.name == text) {
        return Some(Scope::Permission(permission.code));
    }
    let code: i64 = text.parse().ok()?;
    (code > 0 && code.to_string() == text && built_in(code).is_none()).then_some(Scope::Permission(code))
}

/// Returns the form of scopes that is stored, and that OAuth has: names with a blank between them.
pub fn stored_scopes(scopes: &Scopes) -> String {
    scopes.iter().map(scope_name).collect::<Vec<_>>().join(" ")
}

/// Parses the stored form. What is no scope allows nothing.
pub fn scopes_from_stored(text: &str) -> Scopes {
    text.split_ascii_whitespace().filter_map(known_scope).collect()
}

/// Returns the names of scopes as a list.
pub fn scope_list(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(scope_name).collect()
}
