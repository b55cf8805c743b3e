//! What a token may be narrowed to, and that no token makes, rotates, renames or extends one with more than it has.

use crate::directory::access::{Who, parse_scope, scope_name};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{
    Narrowing, Networks, Scope, Scopes, ValidationErrors, Violation, parse_network,
};

/// The most scopes that a token may have.
const SCOPES_MAX: usize = 100;

/// What a request wants a token to be narrowed to, as it was written. What is not given stays as it is. A new token has what
/// the token has that makes it.
#[derive(Clone, Debug, Default)]
pub struct NarrowingDraft {
    /// The names of scopes; null is everything that the owner may.
    pub scopes: Option<Option<Vec<String>>>,
    /// Whether the token can only read.
    pub read_only: Option<bool>,
    /// Networks; null is anywhere.
    pub allowed_networks: Option<Option<Vec<String>>>,
}

/// The same with values that have the right form.
#[derive(Clone, Debug, Default)]
pub(super) struct NarrowingFields {
    scopes: Option<Option<Scopes>>,
    read_only: Option<bool>,
    networks: Option<Option<Networks>>,
}

impl NarrowingDraft {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_none() && self.read_only.is_none() && self.allowed_networks.is_none()
    }

    /// Parses the values. Collects all errors.
    pub(super) fn parse(&self) -> Result<NarrowingFields, Error> {
        let mut errors = ValidationErrors::default();
        let scopes = parse_list(&mut errors, "scopes", &self.scopes, SCOPES_MAX, parse_scope);
        let networks =
            parse_list(&mut errors, "allowed_networks", &self.allowed_networks, Networks::MAX, parse_network);
        errors.into_result()?;
        Ok(NarrowingFields { scopes, read_only: self.read_only, networks })
    }
}

impl NarrowingFields {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        self.scopes.is_none() && self.read_only.is_none() && self.networks.is_none()
    }

    /// Returns what `old` becomes. A scope that is the code of a permission needs the permission.
    pub(super) fn apply(&self, change: &Change<'_, '_>, old: &Narrowing) -> Result<Narrowing, Error> {
        if let Some(Some(scopes)) = &self.scopes {
            let wanted: Vec<i64> = scopes.codes().collect();
            let existing = change.tx.existing_codes(&wanted)?;
            if let Some(missing) = wanted.iter().find(|code| !existing.contains(code)) {
                let name = scope_name(Scope::Permission(*missing));
                let message = format!("\"{name}\" is not a scope: no permission has this code.");
                return Err(Error::invalid("scopes", &Violation::Other(message)));
            }
        }
        Ok(Narrowing {
            scopes: self.scopes.clone().unwrap_or_else(|| old.scopes.clone()),
            read_only: self.read_only.unwrap_or(old.read_only),
            allowed_networks: self.networks.clone().unwrap_or_else(|| old.allowed_networks.clone()),
        })
    }
}

/// Parses a list that may be null.
fn parse_list<T, C: FromIterator<T>>(
    errors: &mut ValidationErrors,
    field: &str,
    given: &Option<Option<Vec<String>>>,
    most: usize,
    parse: impl Fn(&str) -> Result<T, Violation>,
) -> Option<Option<C>> {
    let texts = match given {
        None => return None,
        Some(None) => return Some(None),
        Some(Some(texts)) => texts,
    };
    if texts.is_empty() {
        let message = "This list may not be empty. Null is no limit.".to_owned();
        errors.add(field, &Violation::Other(message));
    }
    if texts.len() > most {
        errors.add(field, &Violation::Other(format!("Ensure this field has no more than {most} elements.")));
        return None;
    }
    let parsed: Vec<_> = texts.iter().map(|text| parse(text)).collect();
    for violation in parsed.iter().filter_map(|parsed| parsed.as_ref().err()) {
        errors.add(field, violation);
    }
    Some(parsed.into_iter().collect::<Result<C, _>>().ok())
}

/// What the calling token is narrowed to; `None` for actors without one.
fn of_caller<'a>(change: &'a Change<'_, '_>) -> Option<&'a Narrowing> {
    match &change.actor.who {
        Who::Person(identity) => Some(&identity.token.narrowing),
        Who::Operator(_) | Who::Anonymous => None,
    }
}

/// Returns what a new token is narrowed to: at most to what the calling token has.
pub(super) fn of_new(change: &Change<'_, '_>, fields: &NarrowingFields) -> Result<Narrowing, Error> {
    let maker = of_caller(change).cloned().unwrap_or_default();
    let new = fields.apply(change, &maker)?;
    check_given(&new, &maker)?;
    Ok(new)
}

/// Returns what a token becomes, which has and keeps at most what the calling token has.
pub(super) fn of_changed(
    change: &Change<'_, '_>,
    fields: &NarrowingFields,
    old: &Narrowing,
) -> Result<Narrowing, Error> {
    check_reach(change, old)?;
    let new = fields.apply(change, old)?;
    if let Some(maker) = of_caller(change) {
        check_given(&new, maker)?;
    }
    Ok(new)
}

/// Checks that a token, which the calling one is about to change or to replace, has no more than that.
pub(super) fn check_reach(change: &Change<'_, '_>, token: &Narrowing) -> Result<(), Error> {
    let is_within = of_caller(change).is_none_or(|maker| token.is_within(maker));
    if is_within { Ok(()) } else { Err(Denial::NotYours.into()) }
}

/// Checks that `new` has no more than its `maker`. The errors name what is more.
fn check_given(new: &Narrowing, maker: &Narrowing) -> Result<(), ValidationErrors> {
    let mut errors = ValidationErrors::default();
    let more = |what: String| Violation::Other(format!("A token cannot give more than it has: {what}."));
    match (&new.scopes, &maker.scopes) {
        (_, None) => {}
        (None, Some(_)) => errors.add("scopes", &more("name some of its scopes".to_owned())),
        (Some(new), Some(maker)) => {
            for scope in new.iter().filter(|scope| !maker.contains(*scope)) {
                errors.add("scopes", &more(format!("it does not have {}", scope_name(scope))));
            }
        }
    }
    if maker.read_only && !new.read_only {
        errors.add("read_only", &more("it can only read".to_owned()));
    }
    match (&new.allowed_networks, &maker.allowed_networks) {
        (_, None) => {}
        (None, Some(_)) => {
            errors.add("allowed_networks", &more("name networks inside its own".to_owned()));
        }
        (Some(new), Some(maker)) => {
            if let Some(outside) = new.first_outside(maker) {
                errors.add("allowed_networks", &more(format!("{outside} is outside its networks")));
            }
        }
    }
    errors.into_result()
}
