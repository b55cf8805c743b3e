//! The values of the form for a token.

use std::time::Duration;

use super::fields::FieldKind;
use super::form::FormValues;
use crate::directory::access::scope_list;
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, Token, Violation};
use crate::directory::tokens::{Expiry, NarrowingDraft};
use crate::http::body::Fields;

/// The typed fields: name, last day, networks.
pub(super) const FIELDS: [(&str, &str, &str, FieldKind); 3] = [
    ("name", "Name", "What uses it, such as nightly-export.", FieldKind::Text),
    ("until", "Last day", "In UTC. Only if it ends on a day that you choose.", FieldKind::Day),
    (
        "allowed_networks",
        "Networks",
        "One a line, such as 10.20.0.0/16. Empty means from anywhere.",
        FieldKind::Lines,
    ),
];

/// When a new token ends.
pub(super) const END_OF_NEW: (&str, &str, &str, FieldKind) = (
    "end",
    "Ends",
    "",
    FieldKind::Choice(&[
        ("7", "In 7 days"),
        ("30", "In 30 days"),
        ("90", "In 90 days"),
        ("365", "In 365 days"),
        ("until", "On the day below"),
        ("never", "Never"),
    ]),
);

/// When a token ends that is changed.
pub(super) const END_OF_OLD: (&str, &str, &str, FieldKind) = (
    "end",
    "Ends",
    "",
    FieldKind::Choice(&[
        ("keep", "As before"),
        ("7", "In 7 days"),
        ("30", "In 30 days"),
        ("90", "In 90 days"),
        ("365", "In 365 days"),
        ("until", "On the day below"),
        ("never", "Never"),
    ]),
);

/// The most characters of a scope's name.
const SCOPE_MAX: usize = 100;

/// The values of the form for a token.
#[derive(Default)]
pub(super) struct TokenValues {
    pub(super) name: String,
    /// `keep`, a number of days, `until` or `never`.
    pub(super) end: String,
    pub(super) until: String,
    /// Whether it may do all that its owner may.
    pub(super) has_all: bool,
    pub(super) scopes: Vec<String>,
    pub(super) read_only: bool,
    /// One a line.
    pub(super) networks: String,
}

impl FormValues for TokenValues {
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.text(name).unwrap_or_default();
        let (name, end, until) = (text("name"), text("end"), text("until"));
        let (networks, rights) = (text("allowed_networks"), text("rights"));
        Self {
            name,
            end,
            until,
            has_all: rights == "all",
            scopes: fields.texts("scopes", SCOPE_MAX).unwrap_or_default(),
            read_only: fields.boolean("read_only").unwrap_or_default(),
            networks,
        }
    }
}

impl TokenValues {
    /// The values of a new token, before any is typed.
    pub(super) fn of_new() -> Self {
        Self { end: "90".to_owned(), ..Self::default() }
    }

    /// The values of a token.
    pub(super) fn of(token: &Token) -> Self {
        let narrowing = &token.narrowing;
        let networks = narrowing.allowed_networks.as_ref().map(|networks| networks.texts().join("\n"));
        Self {
            name: token.name.clone(),
            end: "keep".to_owned(),
            until: String::new(),
            has_all: narrowing.scopes.is_none(),
            scopes: narrowing.scopes.as_ref().map(scope_list).unwrap_or_default(),
            read_only: narrowing.read_only,
            networks: networks.unwrap_or_default(),
        }
    }

    /// When it ends; `None` if that stays as it is.
    pub(super) fn expiry(&self) -> Result<Option<Expiry>, Error> {
        let wrong = |text: &str| Error::invalid("expires_at", &Violation::Other(text.to_owned()));
        match self.end.as_str() {
            "keep" => Ok(None),
            "never" => Ok(Some(Expiry::Never)),
            "until" => {
                let end: Result<Timestamp, _> = format!("{}T23:59:59Z", self.until).parse();
                end.map(|end| Some(Expiry::At(end))).map_err(|_| wrong("Choose a day, such as 2030-12-31."))
            }
            days => match days.parse::<u64>() {
                Ok(days @ 1..=3650) => Ok(Some(Expiry::After(Duration::from_hours(24 * days)))),
                _ => Err(wrong("Choose when it ends.")),
            },
        }
    }

    /// What it is narrowed to.
    pub(super) fn narrowing(&self) -> NarrowingDraft {
        let parts = self.networks.split([' ', ',', '\r', '\n']).filter(|part| !part.is_empty());
        let networks: Vec<_> = parts.map(str::to_owned).collect();
        NarrowingDraft {
            scopes: Some((!self.has_all).then(|| self.scopes.clone())),
            read_only: Some(self.read_only),
            allowed_networks: Some((!networks.is_empty()).then_some(networks)),
        }
    }
}
