//! A difference between two responses: its kind, its place and both values.

use serde_json::Value;

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// One side or both did not respond.
    NoResponse,
    /// The status differs.
    Status,
    /// The old server redirected to the path with a final slash.
    Redirect,
    /// A header differs.
    Header,
    /// A key or array item that only the old response has.
    Missing,
    /// A key or array item that only the new response has.
    Extra,
    /// Values of different types: 1 and "1", null and "".
    Type,
    /// Two values of the same type.
    Value,
    /// The same keys in another order.
    KeyOrder,
    /// The same JSON with different white space or escapes.
    Form,
    /// Bodies that are not JSON on both sides.
    Body,
}

impl DifferenceKind {
    /// Its name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoResponse => "no answer",
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
    pub(super) kind: DifferenceKind,
    /// The header or the path to the value, with `*` for array items. Empty for the whole response.
    pub(super) field: String,
    /// The path with item numbers, if `field` has a `*`.
    pub(super) at: Option<String>,
    /// The old value; `None` if there is none.
    pub(super) old: Option<Value>,
    /// The new value; `None` if there is none.
    pub(super) new: Option<Value>,
    /// Why this is expected; `None` if it is not.
    pub(super) expected: Option<&'static str>,
}

impl Difference {
    pub(super) fn new(kind: DifferenceKind, field: &str, old: Option<Value>, new: Option<Value>) -> Self {
        Self { kind, field: field.to_owned(), at: None, old, new, expected: None }
    }

    pub(super) fn expected(self, why: Option<&'static str>) -> Self {
        Self { expected: why, ..self }
    }
}
