//! Forms, as browsers and most HTTP libraries send them.

use serde_json::{Map, Value};

use super::bounds;
use super::bounds::{FIELDS_MAX, ITEMS_MAX, PAIRS_MAX};
use super::json::looks_like_json;
use super::object::JsonObject;
use crate::http::error::ApiError;
use crate::http::text::{Charset, form_pairs};

/// Parses a form. Returns its fields and the number of their values.
pub(super) fn object(text: &[u8], charset: Charset) -> Result<(JsonObject, usize), ApiError> {
    // Pairs are counted before anything is decoded.
    if text.iter().filter(|byte| **byte == b'&').count() >= PAIRS_MAX {
        return Err(ApiError::Invalid(bounds::too_many_pairs()));
    }
    let pairs = form_pairs(text, charset).map_err(ApiError::Invalid)?;
    match pairs.first() {
        // The default of many HTTP libraries for any text. No field has such a name.
        Some((name, _)) if looks_like_json(name.as_bytes()) => {
            Err(ApiError::Malformed(MISLABELLED.to_owned()))
        }
        _ => gathered(pairs.into_iter().map(|(name, text)| (name, PairValue::Text(text))).collect()),
    }
}

const MISLABELLED: &str = "The body is JSON, but its Content-Type says application/x-www-form-urlencoded: send \
                           Content-Type: application/json.";

/// A field of a form and its value.
pub(super) type Pair = (String, PairValue);

/// The value of a field of a form.
#[derive(Debug)]
pub(super) enum PairValue {
    /// A text.
    Text(String),
    /// A file in a field that takes none.
    File,
}

impl From<PairValue> for Value {
    /// A file is an object, which no field of a form takes.
    fn from(value: PairValue) -> Self {
        match value {
            PairValue::Text(text) => Self::String(text),
            PairValue::File => Self::Object(Map::new()),
        }
    }
}

/// Gathers pairs into an object. A name that comes several times is a list, and so is a file.
pub(super) fn gathered(pairs: Vec<Pair>) -> Result<(JsonObject, usize), ApiError> {
    let count = pairs.len();
    let mut object = Map::new();
    for (name, value) in pairs {
        let is_full = object.len() == FIELDS_MAX;
        match object.get_mut(&name) {
            None if is_full => return Err(ApiError::Invalid(bounds::too_many_fields())),
            None => {
                let is_file = matches!(value, PairValue::File);
                let value = Value::from(value);
                object.insert(name, if is_file { Value::Array(vec![value]) } else { value });
            }
            Some(Value::Array(values)) if values.len() == ITEMS_MAX => {
                return Err(ApiError::Invalid(bounds::too_many_items(Some(&name))));
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
        }
    }
    Ok((object, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> String {
        match object(text.as_bytes(), Charset::DEFAULT) {
            Ok((_, values)) => format!("{values} values"),
            Err(ApiError::Invalid(faults)) => {
                assert_eq!(faults.count(), 1);
                faults.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" "))).collect()
            }
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn each_bound_holds_to_the_item_and_has_one_fault() {
        let fields = |count: usize| (0..count).map(|number| format!("f{number}=&")).collect::<String>();
        assert_eq!(outcome(&fields(FIELDS_MAX)), "64 values");
        assert_eq!(
            outcome(&fields(FIELDS_MAX + 1)),
            "non_field_errors: An object may have at most 64 fields."
        );
        assert_eq!(outcome(&"a=1&".repeat(ITEMS_MAX)), "1000 values");
        assert_eq!(
            outcome(&"a=1&".repeat(ITEMS_MAX + 1)),
            "a: Ensure this field has no more than 1000 elements."
        );
        let both = |a: usize, b: usize| format!("{}{}", "a=1&".repeat(a), "b=1&".repeat(b));
        assert_eq!(outcome(both(1000, 1000).trim_end_matches('&')), "2000 values");
        assert_eq!(outcome(&both(1000, 1000)), "non_field_errors: A form may have at most 2000 values.");
        assert_eq!(outcome(&"&".repeat(300_000)), "non_field_errors: A form may have at most 2000 values.");
    }
}
