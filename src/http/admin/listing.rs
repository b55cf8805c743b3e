//! What lists of the site share: the parameters of the address, which are the API's, and links that change them.

use super::visit::escaped;
use crate::directory::query::PageLink;

/// The beginning of the name of an input that takes names. No parameter of the API begins with it.
const TYPED: &str = "named_";
/// The name of the input that takes the names for a parameter.
pub(super) fn typed_name(parameter: &str) -> String {
    format!("{TYPED}{parameter}")
}

/// Rows on a page of a list.
const LIMIT: &str = "50";
/// Parameters that only the site has.
const OWN: [&str; 3] = ["done", "undo", "after"];

/// Parameters with their values.
type Pairs = Vec<(String, String)>;

/// The parameters of a list, in the order in which they were sent, without empty ones.
pub(super) struct ListAddress {
    path: String,
    parameters: Vec<(String, String)>,
    ordering: &'static str,
}

impl ListAddress {
    /// Reads the parameters of a list at this path that has this order without one in the address.
    pub(super) fn new(path: impl Into<String>, query: &[(String, String)], ordering: &'static str) -> Self {
        let is_own = |name: &str| OWN.contains(&name) || name.starts_with(TYPED);
        let kept = query.iter().filter(|(name, value)| !value.is_empty() && !is_own(name));
        Self { path: path.into(), parameters: kept.cloned().collect(), ordering }
    }

    /// Returns the path without parameters.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns all parameters.
    pub(super) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    /// Returns a parameter.
    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// Returns the parameters as the API would be sent them: pages by cursor, which do not count.
    pub(super) fn api(&self) -> Vec<(String, String)> {
        let mut parameters = self.parameters.clone();
        for (name, value) in [("cursor", ""), ("limit", LIMIT), ("ordering", self.ordering)] {
            if !parameters.iter().any(|(known, _)| known == name) {
                parameters.push((name.to_owned(), value.to_owned()));
            }
        }
        parameters
    }

    /// The address with one parameter set to another value, or without it if the value is empty, on the first page.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let kept = self.parameters.iter().filter(|(known, _)| known != name && known != "cursor");
        let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let added = [(name, value)].into_iter().filter(|(_, value)| !value.is_empty());
        self.write(pairs.chain(added))
    }

    /// The address without a parameter.
    pub(super) fn without(&self, name: &str) -> String {
        self.with(name, "")
    }

    /// The address of another page of the list.
    pub(super) fn turn(&self, link: &Option<PageLink>) -> Option<String> {
        let Some(PageLink::Cursor(cursor)) = link else { return None };
        Some(self.with_cursor(cursor))
    }

    fn with_cursor(&self, cursor: &str) -> String {
        let kept = self.parameters.iter().filter(|(known, _)| known != "cursor");
        let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let added = [("cursor", cursor)].into_iter().filter(|(_, value)| !value.is_empty());
        self.write(pairs.chain(added))
    }

    /// The address with all parameters but the cursor.
    pub(super) fn whole(&self) -> String {
        self.with_cursor("")
    }

    /// The address of all rows of the list at another path, such as that of its CSV.
    pub(super) fn at(&self, path: &str) -> String {
        let other =
            Self { path: path.to_owned(), parameters: self.parameters.clone(), ordering: self.ordering };
        other.without("limit")
    }

    /// The parameters that are no filters (the order), and those that are.
    pub(super) fn split_ordering(&self) -> (Pairs, Pairs) {
        let kept = self.parameters.iter().filter(|(name, _)| name != "cursor" && name != "limit");
        kept.cloned().partition(|(name, _)| name == "ordering")
    }

    fn write<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let pairs: Vec<_> =
            pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        match pairs.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, pairs.join("&")),
        }
    }

    /// The head of a column that the list can be sorted by.
    pub(super) fn sorted_by(&self, column: &str) -> SortLink {
        let ordering = match self.get("ordering") {
            "" => self.ordering,
            given => given,
        };
        let first = ordering.split(',').next().unwrap_or_default();
        let (name, is_descending) = first.strip_prefix('-').map_or((first, false), |name| (name, true));
        let is_current = name == column;
        let next = if is_current && !is_descending { format!("-{column}") } else { column.to_owned() };
        let sort = match (is_current, is_descending) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        SortLink { path: self.with("ordering", &next), sort }
    }

    /// The parameters that a search keeps beside its own fields: those that no input of the form has.
    pub(super) fn hidden(&self, inputs: &[&str]) -> Vec<(String, String)> {
        let is_hidden = |name: &str| name != "cursor" && !inputs.contains(&name);
        self.parameters.iter().filter(|(name, _)| is_hidden(name)).cloned().collect()
    }
}

/// The head of a column that the list can be sorted by.
pub(super) struct SortLink {
    /// Where it leads to.
    pub(super) path: String,
    /// The value of `aria-sort`; empty if the list is not sorted by it.
    pub(super) sort: &'static str,
}
