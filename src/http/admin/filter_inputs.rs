//! The filters of a list: the inputs of its form, and the chips that say which of them are in force. They have the API's names.

use super::form::Problems;
use super::listing::ListAddress;

/// A filter of a list.
pub(super) struct ListFilter {
    /// The name of its parameter.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) label: &'static str,
    /// How it is set.
    pub(super) kind: FilterKind,
}

/// How a filter is set.
pub(super) enum FilterKind {
    /// One of some values: each with its word in the form and its words in the sentence.
    OneOf(&'static [(&'static str, &'static str, &'static str)]),
    /// Typed: the type of the input, and the words before the value in the sentence.
    Typed(&'static str, &'static str),
}

/// A filter as the form shows it.
pub(super) struct ShownFilter {
    /// The filter.
    pub(super) filter: &'static ListFilter,
    /// Its value.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

/// A filter in force. Its link takes it away.
pub(super) struct FilterChip {
    /// The name of the filter.
    pub(super) name: &'static str,
    /// Its words.
    pub(super) text: String,
    /// The list without it.
    pub(super) path: String,
}

/// A view of a list that many look for.
pub(super) struct ViewLink {
    /// Its words.
    pub(super) label: &'static str,
    /// Its path.
    pub(super) path: String,
    /// Whether the list is this view.
    pub(super) is_current: bool,
}

impl ShownFilter {
    /// Shows all filters of a list, with what is wrong with them.
    pub(super) fn all(
        filters: &'static [ListFilter],
        address: &ListAddress,
        problems: &Problems,
    ) -> Vec<Self> {
        let show = |filter: &'static ListFilter| Self {
            filter,
            value: filter.value(address),
            problem: problems.about(filter.name).map(str::to_owned),
        };
        filters.iter().map(show).collect()
    }

    /// The values that can be chosen; none if it is typed.
    pub(super) fn choices(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self.filter.kind {
            FilterKind::OneOf(choices) => choices,
            FilterKind::Typed(..) => &[],
        }
    }

    /// The type of its input.
    pub(super) fn input(&self) -> &'static str {
        match self.filter.kind {
            FilterKind::OneOf(_) => "",
            FilterKind::Typed(input, _) => input,
        }
    }

    /// Whether this is its value.
    pub(super) fn has_value(&self, value: &str) -> bool {
        self.value == value
    }
}

impl ListFilter {
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
    fn words(&self, address: &ListAddress) -> Option<String> {
        let value = self.value(address);
        match self.kind {
            FilterKind::OneOf(choices) => {
                choices.iter().find(|(known, ..)| *known == value).map(|(_, _, words)| (*words).to_owned())
            }
            FilterKind::Typed(_, words) => (!value.is_empty()).then(|| format!("{words} {value}")),
        }
    }
}

/// The chips of all filters that are in force.
pub(super) fn chips(filters: &[ListFilter], address: &ListAddress) -> Vec<FilterChip> {
    let chip = |filter: &ListFilter| {
        filter.words(address).map(|text| FilterChip {
            name: filter.name,
            text,
            path: address.without(filter.name),
        })
    };
    filters.iter().filter_map(chip).collect()
}

/// The names and labels of filters, for the summary of errors.
pub(super) fn labels(filters: &[ListFilter]) -> Vec<(&'static str, &'static str)> {
    filters.iter().map(|filter| (filter.name, filter.label)).collect()
}

/// The names of the inputs of a form.
pub(super) fn inputs(filters: &[ListFilter]) -> Vec<&'static str> {
    filters.iter().map(|filter| filter.name).collect()
}
