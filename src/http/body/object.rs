//! The object that a body is, and the names that Python has for its types.

use serde_json::{Map, Value};

/// The fields of an object.
pub(super) type JsonObject = Map<String, Value>;

/// The name of a value's type as the framework's messages have it.
pub(super) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
