//! One difference between two answers: its kind, where it is, and both values.

use serde_json::Value;

/// In what two answers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One side, or both, did not answer.
    NoAnswer,
    /// The status differs.
    Status,
    /// The old server answered only at the path with a slash at its end.
    Redirect,
    /// A header differs.
    Header,
    /// A key, or an item of an array, that only the old answer has.
    Missing,
    /// One that only the new answer has.
    Extra,
    /// A value of another type: 1 and "1", null and "".
    Type,
    /// Two values of the same type.
    Value,
    /// The same keys in another order.
    KeyOrder,
    /// The same JSON, written with other white space or escapes.
    Form,
    /// A body that is not JSON on both sides.
    Body,
}

impl Kind {
    /// Its name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::Header => "header",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Type => "type",
            Self::Value => "value",
            Self::KeyOrder => "key order",
            Self::Form => "form",
            Self::Body => "body",
        }
    }
}

/// One difference.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// The header, or the path to the value, with `*` for any item of an array; empty for the answer as a whole.
    pub(super) field: String,
    /// The path with the item's number, where `field` has a `*`.
    pub(super) at: Option<String>,
    /// What the old answer has; `None` for nothing.
    pub(super) old: Option<Value>,
    /// What the new answer has.
    pub(super) new: Option<Value>,
    /// Why this is as intended; `None`: it is not.
    pub(super) expected: Option<&'static str>,
}

impl Difference {
    pub(super) fn new(kind: Kind, field: &str, old: Option<Value>, new: Option<Value>) -> Self {
        Self { kind, field: field.to_owned(), at: None, old, new, expected: None }
    }

    pub(super) fn expected(self, why: Option<&'static str>) -> Self {
        Self { expected: why, ..self }
    }
}
