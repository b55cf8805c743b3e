//! Filters of lists: the inputs of their form, and those in force as words. Their names are those of the API.

use super::form::Problems;
use super::listing::ListAddress;
use crate::directory::model::ValidationErrors;

/// A filter that a list has.
pub(super) struct FilterKind {
    /// The name of the parameter.
    pub(super) name: &'static str,
    /// The label of its input.
    pub(super) label: &'static str,
    /// The type of its input; `select` if there are choices.
    pub(super) input: &'static str,
    /// The words before the value, in the sentence about the filters in force.
    pub(super) words: &'static str,
    /// The values that can be chosen, with their words.
    pub(super) choices: &'static [(&'static str, &'static str)],
}

impl FilterKind {
    /// A filter whose value is typed.
    pub(super) const fn typed(name: &'static str, label: &'static str, words: &'static str) -> Self {
        Self { name, label, input: "text", words, choices: &[] }
    }

    /// A filter whose value is a day.
    pub(super) const fn day(name: &'static str, label: &'static str, words: &'static str) -> Self {
        Self { name, label, input: "date", words, choices: &[] }
    }

    /// A filter whose value is chosen.
    pub(super) const fn chosen(
        name: &'static str,
        label: &'static str,
        choices: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, label, input: "select", words: "", choices }
    }
}

/// The filters of a list, for `filters.html`.
pub(super) struct FilterPanel {
    /// Where the form is sent to.
    pub(super) path: String,
    /// The label of the search; empty if the list has none.
    pub(super) search_label: &'static str,
    /// What was searched for.
    pub(super) search: String,
    /// What is wrong with the filters.
    pub(super) problems: Problems,
    /// The inputs.
    pub(super) inputs: Vec<FilterInput>,
    /// The filters in force.
    pub(super) in_force: Vec<FilterInForce>,
    /// Other parameters that the form keeps.
    pub(super) hidden: Vec<(String, String)>,
}

/// An input of a filter.
pub(super) struct FilterInput {
    /// What it is.
    pub(super) kind: &'static FilterKind,
    /// Its value.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

impl FilterInput {
    /// Whether this is its value.
    pub(super) fn is(&self, value: &str) -> bool {
        self.value == value
    }
}

/// A filter in force. Its link takes it away.
pub(super) struct FilterInForce {
    /// Its words.
    pub(super) text: String,
    /// The address of the list without it.
    pub(super) path: String,
}

impl FilterPanel {
    /// Reads the filters of an address. `search_label` is empty for a list without a search.
    pub(super) fn new(
        address: &ListAddress,
        kinds: &'static [FilterKind],
        search_label: &'static str,
        faults: Option<&ValidationErrors>,
    ) -> Self {
        let labels: Vec<_> = kinds.iter().map(|kind| (kind.name, kind.label)).collect();
        let problems = faults.map(|faults| Problems::of(faults, &labels)).unwrap_or_default();
        let names: Vec<_> = ["search"].into_iter().chain(kinds.iter().map(|kind| kind.name)).collect();
        let input = |kind: &'static FilterKind| FilterInput {
            kind,
            value: address.get(kind.name).to_owned(),
            problem: problems.about(kind.name).map(str::to_owned),
        };
        Self {
            path: address.path().to_owned(),
            search_label,
            search: address.get("search").to_owned(),
            inputs: kinds.iter().map(input).collect(),
            in_force: in_force(address, kinds),
            hidden: address.hidden(&names),
            problems,
        }
    }
}

fn in_force(address: &ListAddress, kinds: &[FilterKind]) -> Vec<FilterInForce> {
    let mut found = Vec::new();
    let search = address.get("search");
    if !search.is_empty() {
        found.push(FilterInForce {
            text: format!("found by “{search}”"), path: address.without("search")
        });
    }
    for kind in kinds {
        let value = address.get(kind.name);
        if value.is_empty() {
            continue;
        }
        let words = kind.choices.iter().find(|(known, _)| *known == value).map(|(_, words)| *words);
        let text = words.map_or_else(|| format!("{} {value}", kind.words), str::to_owned);
        found.push(FilterInForce { text, path: address.without(kind.name) });
    }
    found
}
