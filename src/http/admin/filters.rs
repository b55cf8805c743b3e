//! The filters of a list: the inputs of its form, and the chips that say which of them are in force. They have the API's names.
//!
//! Users and groups are typed by name. `chooser` turns names into the numbers that the API takes, so the address of a list stays
//! a question that the API can be asked, too.

use std::collections::BTreeMap;

use super::form::Problems;
use super::listing::{ListAddress, typed_name};
use crate::directory::model::{ValidationErrors, Violation};

/// A user or a group that may be meant.
pub(super) struct Choice {
    /// Its name.
    pub(super) name: String,
    /// The list with it.
    pub(super) path: String,
}

/// An input with a name that no user or group has.
pub(super) struct Unresolved {
    /// The parameter of the filter.
    pub(super) filter: &'static str,
    /// What was typed.
    pub(super) typed: String,
    /// What is wrong.
    pub(super) violation: Violation,
    /// Those that may be meant.
    pub(super) choices: Vec<Choice>,
}

/// A filter of a list.
pub(super) struct FilterField {
    /// The name of its parameter.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) label: &'static str,
    /// How it is set.
    pub(super) kind: FilterKind,
}

/// How a filter is set.
#[derive(Clone, Copy)]
pub(super) enum FilterKind {
    /// One of some values: each with its word in the form and its words in the sentence.
    OneOf(&'static [(&'static str, &'static str, &'static str)]),
    /// One of some values, each with its word; and the words before that in the sentence.
    Named(&'static str, &'static [(&'static str, &'static str)]),
    /// Typed: the type of the input, and the words before the value in the sentence.
    Typed(&'static str, &'static str),
    /// Users or groups, which are typed by name; and the words before the names in the sentence.
    Chosen(Chosen, &'static str),
}

/// What is chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// A user.
    User,
    /// A group.
    Group,
    /// One or more groups.
    Groups,
}

impl FilterField {
    /// A filter whose value is typed.
    pub(super) const fn typed(name: &'static str, label: &'static str, words: &'static str) -> Self {
        Self { name, label, kind: FilterKind::Typed("text", words) }
    }

    /// A filter whose value is a day.
    pub(super) const fn day(name: &'static str, label: &'static str, words: &'static str) -> Self {
        Self { name, label, kind: FilterKind::Typed("date", words) }
    }

    /// A filter with a choice.
    pub(super) const fn one_of(
        name: &'static str,
        label: &'static str,
        choices: &'static [(&'static str, &'static str, &'static str)],
    ) -> Self {
        Self { name, label, kind: FilterKind::OneOf(choices) }
    }

    /// A filter of users or groups.
    pub(super) const fn chosen(
        name: &'static str,
        label: &'static str,
        what: Chosen,
        words: &'static str,
    ) -> Self {
        Self { name, label, kind: FilterKind::Chosen(what, words) }
    }

    /// Its value in an address. The spellings of a flag are one.
    fn value(&self, address: &ListAddress) -> String {
        let value = address.get(self.name);
        let is_flag = matches!(self.kind, FilterKind::OneOf([("true", ..), ..]));
        match (is_flag, value) {
            (true, "1" | "True" | "TRUE") => "true".to_owned(),
            (true, "0" | "False" | "FALSE") => "false".to_owned(),
            _ => value.to_owned(),
        }
    }

    /// Its words in the sentence; `None` if it is not in force.
    fn words(&self, address: &ListAddress, names: &FilterNames) -> Option<String> {
        let value = self.value(address);
        if value.is_empty() {
            return None;
        }
        match self.kind {
            FilterKind::OneOf(choices) => {
                choices.iter().find(|(known, ..)| *known == value).map(|(_, _, words)| (*words).to_owned())
            }
            FilterKind::Named(words, choices) => {
                let word = choices.iter().find(|(known, _)| *known == value).map(|(_, word)| *word);
                Some(format!("{words} “{}”", word.unwrap_or(&value)))
            }
            FilterKind::Typed(_, words) => Some(format!("{words} {value}")),
            FilterKind::Chosen(what, words) => {
                Some(format!("{words} {}", names.of(what, &value).join(" or ")))
            }
        }
    }
}

/// A flag with its words for yes and for no in the sentence.
macro_rules! flag {
    ($name:literal, $label:literal, $yes:literal, $no:literal) => {
        flag!($name, $label, ["Yes", "No"], $yes, $no)
    };
    ($name:literal, $label:literal, [$true:literal, $false:literal], $yes:literal, $no:literal) => {
        FilterField::one_of($name, $label, &[("true", $true, $yes), ("false", $false, $no)])
    };
}
pub(super) use flag;

/// The names of the users and groups that filters are about, by their numbers.
#[derive(Default)]
pub(super) struct FilterNames {
    /// Users.
    pub(super) users: BTreeMap<i64, String>,
    /// Groups.
    pub(super) groups: BTreeMap<i64, String>,
}

impl FilterNames {
    /// The names in a value; what is not known stays a number.
    fn of(&self, what: Chosen, value: &str) -> Vec<String> {
        let known = if what == Chosen::User { &self.users } else { &self.groups };
        let name = |id: &str| id.parse().ok().and_then(|id: i64| known.get(&id)).cloned();
        let numbers = value.split(',').map(str::trim).filter(|id| !id.is_empty());
        numbers.map(|id| name(id).unwrap_or_else(|| id.to_owned())).collect()
    }
}

/// What a list calls its filters.
pub(super) struct FilterWords {
    /// The label of the search; empty if the list has none.
    pub(super) search: &'static str,
    /// What is searched, in the empty field.
    pub(super) searched: &'static str,
    /// The button that applies the filters.
    pub(super) submit: &'static str,
    /// The words before the filters in force.
    pub(super) sentence: &'static str,
}

/// The filters of a list, for `filters.html` and `in_force.html`.
pub(super) struct FilterPanel {
    /// Where the form is sent to.
    pub(super) path: String,
    /// What the list calls them.
    pub(super) words: &'static FilterWords,
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
    /// The address of all rows as CSV; empty if there is none.
    pub(super) csv: String,
    /// The parameters of the address, for a view that is saved.
    pub(super) query: String,
    /// The views that the person saved of this list.
    pub(super) saved: Vec<ViewLink>,
}

/// An input of a filter.
pub(super) struct FilterInput {
    /// The filter.
    pub(super) filter: &'static FilterField,
    /// The name of the input: that of the parameter, or the one for names.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
    /// Those that may be meant by a name that no user or group has.
    pub(super) choices: Vec<Choice>,
}

/// A filter in force. Its link takes it away.
pub(super) struct FilterInForce {
    /// The name of the filter.
    pub(super) name: &'static str,
    /// Its words.
    pub(super) text: String,
    /// The address of the list without it.
    pub(super) path: String,
}

/// A view of a list that many look for.
pub(super) struct ViewLink {
    /// Its words.
    pub(super) label: String,
    /// Its path.
    pub(super) path: String,
    /// Whether the list is this view.
    pub(super) is_current: bool,
}

impl FilterInput {
    /// The values that can be chosen, with their words; none if it is typed.
    pub(super) fn options(&self) -> Vec<(&'static str, &'static str)> {
        match self.filter.kind {
            FilterKind::OneOf(choices) => choices.iter().map(|(value, word, _)| (*value, *word)).collect(),
            FilterKind::Named(_, choices) => choices.to_vec(),
            FilterKind::Typed(..) | FilterKind::Chosen(..) => Vec::new(),
        }
    }

    /// The type of its input.
    pub(super) fn input(&self) -> &'static str {
        match self.filter.kind {
            FilterKind::Typed(input, _) => input,
            _ => "text",
        }
    }

    /// Whether it takes several lines.
    pub(super) fn has_lines(&self) -> bool {
        matches!(self.filter.kind, FilterKind::Chosen(Chosen::Groups, _))
    }

    /// Whether this is its value.
    pub(super) fn is(&self, value: &str) -> bool {
        self.value == value
    }
}

impl FilterPanel {
    /// Shows the filters of an address.
    pub(super) fn new(
        address: &ListAddress,
        filters: &'static [FilterField],
        words: &'static FilterWords,
        names: &FilterNames,
    ) -> Self {
        let input = |filter: &'static FilterField| {
            let value = filter.value(address);
            let (name, value) = match filter.kind {
                FilterKind::Chosen(what, _) => (typed_name(filter.name), names.of(what, &value).join("\n")),
                _ => (filter.name.to_owned(), value),
            };
            FilterInput { filter, name, value, problem: None, choices: Vec::new() }
        };
        let names_of_inputs: Vec<_> =
            ["search"].into_iter().chain(filters.iter().map(|filter| filter.name)).collect();
        Self {
            path: address.path().to_owned(),
            words,
            search: address.get("search").to_owned(),
            inputs: filters.iter().map(input).collect(),
            in_force: in_force(address, filters, names),
            hidden: address.hidden(&names_of_inputs),
            csv: String::new(),
            query: address.whole().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default(),
            saved: Vec::new(),
            problems: Problems::default(),
        }
    }

    /// Shows what is wrong with the filters.
    pub(super) fn refused(mut self, faults: &ValidationErrors) -> Self {
        let labels: Vec<_> =
            self.inputs.iter().map(|input| (input.filter.name, input.filter.label)).collect();
        self.problems.add(faults, &labels);
        for input in &mut self.inputs {
            input.problem = self.problems.about(input.filter.name).map(str::to_owned);
        }
        self
    }

    /// Shows names that no user or group has, with those that may be meant.
    pub(super) fn unresolved(mut self, unresolved: Vec<Unresolved>) -> Self {
        let mut faults = ValidationErrors::default();
        for one in unresolved {
            faults.add(one.filter, &one.violation);
            let mut inputs = self.inputs.iter_mut();
            if let Some(input) = inputs.find(|input| input.filter.name == one.filter) {
                input.value = one.typed;
                input.choices = one.choices;
            }
        }
        self.refused(&faults)
    }

    /// Adds the address of all rows as CSV.
    pub(super) fn with_csv(self, csv: String) -> Self {
        Self { csv, ..self }
    }

    /// Adds the views that the person saved.
    pub(super) fn with_saved(self, saved: Vec<ViewLink>) -> Self {
        Self { saved, ..self }
    }
}

fn in_force(address: &ListAddress, filters: &[FilterField], names: &FilterNames) -> Vec<FilterInForce> {
    let search = Some(address.get("search")).filter(|search| !search.is_empty());
    let searched = search.map(|search| FilterInForce {
        name: "search",
        text: format!("found by “{search}”"),
        path: address.without("search"),
    });
    let filtered = filters.iter().filter_map(|filter| {
        filter.words(address, names).map(|text| FilterInForce {
            name: filter.name,
            text,
            path: address.without(filter.name),
        })
    });
    searched.into_iter().chain(filtered).collect()
}
