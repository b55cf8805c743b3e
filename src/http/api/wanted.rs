//! `?fields=`: only these keys of an object, in the object's own order.

use serde::Serialize;
use serde_json::Value;

use crate::directory::model::{Faults, Rule};
use crate::http::error::Failure;

/// The keys that are wanted.
pub(super) struct Wanted(Vec<String>);

impl Wanted {
    /// The names in a list with commas between; `None` when all are wanted. A name that is not `known` is
    /// refused.
    pub(super) fn of(list: Option<&str>, known: &[&str]) -> Result<Option<Self>, Failure> {
        let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        let mut faults = Faults::default();
        for unknown in names.iter().filter(|name| !known.contains(&name.as_str())) {
            faults.add("fields", &Rule::Choice(unknown.clone()));
        }
        faults.none().map(|()| Some(Self(names))).map_err(Failure::Invalid)
    }

    /// The object with these keys alone.
    pub(super) fn of_object<T: Serialize>(&self, object: &T) -> Result<Value, Failure> {
        let mut value = serde_json::to_value(object).map_err(|error| Failure::Internal(error.to_string()))?;
        if let Value::Object(object) = &mut value {
            object.retain(|name, _| self.0.contains(name));
        }
        Ok(value)
    }
}
