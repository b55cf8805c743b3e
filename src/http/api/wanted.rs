//! Some of an object's keys, in the object's own order: those that `?fields=` names, or those that were written.

use serde::Serialize;
use serde_json::Value;

use crate::directory::model::{ValidationErrors, Violation};
use crate::http::body::Fields;
use crate::http::error::ApiError;

/// The keys that are wanted.
pub(super) struct Wanted(Vec<String>);

impl Wanted {
    /// The names in a list with commas between; `None` when all are wanted. A name that is not `known` is
    /// refused.
    pub(super) fn of(list: Option<&str>, known: &[&str]) -> Result<Option<Self>, ApiError> {
        let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
        let (mut names, mut faults) = (Vec::new(), ValidationErrors::default());
        for name in list.split(',').map(str::trim) {
            match known.contains(&name) {
                false => faults.add("fields", &Violation::Choice(name.to_owned())),
                // Each once: all of them are compared with each key of each row.
                true if names.iter().any(|earlier| earlier == name) => {}
                true => names.push(name.to_owned()),
            }
        }
        faults.into_result().map(|()| Some(Self(names))).map_err(ApiError::Invalid)
    }

    /// The names in a body, and the id: what whoever wrote it gets back without the right to read.
    pub(super) fn written(fields: &Fields) -> Self {
        Self(fields.all_names().chain(["id"]).map(str::to_owned).collect())
    }

    /// The id alone.
    pub(super) fn id() -> Self {
        Self(vec!["id".to_owned()])
    }

    /// The object with these keys alone.
    pub(super) fn of_object<T: Serialize>(&self, object: &T) -> Result<Value, ApiError> {
        let mut value =
            serde_json::to_value(object).map_err(|error| ApiError::Internal(error.to_string()))?;
        if let Value::Object(object) = &mut value {
            object.retain(|name, _| self.0.contains(name));
        }
        Ok(value)
    }
}
