//! The page of a list: its length, and where it begins.
//!
//! A cursor holds the position of a row in the order; its page lies beyond that row. It is valid for the list it was made for
//! only, so that it cannot be used with other filters by mistake. It is no secret and grants no right: the filters and the
//! caller's rights decide what its page shows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::order::{Column, SortOrder, SortValue};
use super::parameters::{COMMON, Parameters, integer, other};
use crate::directory::model::Violation;

/// The most rows that one page of a list holds.
pub const PAGE_MAX: u32 = 1000;
/// The number of rows on a page if the request does not say.
const PAGE_DEFAULT: u32 = 10;

/// The page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The most rows on it, 1 to 1000.
    pub limit: u32,
    /// Where it begins.
    pub start: PageStart,
    /// The list that its cursors belong to.
    pub scope: CursorScope,
    /// Whether a page that begins at an offset is answered with the number of all rows.
    pub counts: bool,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// After this many rows.
    Offset(u64),
    /// Beyond a position in the order.
    Cursor(CursorPosition),
}

/// A position in the order, and the direction from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorPosition {
    /// Towards the end or the beginning of the list.
    pub direction: Direction,
    /// The values of the row that the page lies beyond; `None` is the end that the direction starts from.
    pub values: Option<Vec<SortValue>>,
}

/// The direction of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the end.
    Forward,
    /// Towards the beginning.
    Backward,
}

/// The list that a cursor belongs to: a 64-bit hash of noun, filters, search and order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorScope(u64);

impl Paging {
    /// Whether the number of all rows is part of the answer.
    pub fn is_counted(&self) -> bool {
        self.counts && matches!(self.start, PageStart::Offset(_))
    }

    /// Parses the parameters of a page.
    pub(super) fn read<C: Column>(
        parameters: &mut Parameters<'_>,
        scope: CursorScope,
        order: &SortOrder<C>,
    ) -> Self {
        let limit = parameters.parsed("limit", limit).unwrap_or(PAGE_DEFAULT);
        let offset = parameters.parsed("offset", offset);
        let cursor = parameters.value("cursor");
        if offset.is_some() && cursor.is_some() {
            parameters
                .refuse("cursor", &other("A page is reached by a cursor or by an offset, not by both."));
        }
        // An empty cursor is the first page.
        let position = cursor.map(|raw| scope.position(raw, order));
        let position = position.and_then(|position| parameters.take("cursor", position));
        let start = position.map_or(PageStart::Offset(offset.unwrap_or(0)), PageStart::Cursor);
        let counts = parameters.parsed("count", counted).unwrap_or(true);
        Self { limit, start, scope, counts }
    }
}

fn limit(raw: &str) -> Result<u32, Violation> {
    match integer(raw)? {
        ..=0 => Err(Violation::AtLeast(1)),
        limit => u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= PAGE_MAX)
            .ok_or_else(|| other(format!("Ensure this value is less than or equal to {PAGE_MAX}."))),
    }
}

/// Parses whether rows are counted. There is one value beside the default: no count.
fn counted(raw: &str) -> Result<bool, Violation> {
    match raw {
        "none" => Ok(false),
        other => Err(Violation::Choice(other.to_owned())),
    }
}

fn offset(raw: &str) -> Result<u64, Violation> {
    u64::try_from(integer(raw)?).map_err(|_| Violation::AtLeast(0))
}

impl CursorScope {
    /// Computes the scope of a query from its parameters, in any order. The page length and the format of the answer are not part
    /// of it: they may change from page to page.
    pub(super) fn of(noun: &str, pairs: &[(String, String)]) -> Self {
        let shape = |name: &str| COMMON.contains(&name) && !matches!(name, "search" | "ordering");
        let mut bound: Vec<_> = pairs.iter().filter(|(name, _)| !shape(name)).collect();
        bound.sort();
        let mut hash = Sha256::new();
        for text in [noun].into_iter().chain(bound.iter().flat_map(|(name, value)| [name.as_str(), value])) {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self(digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)))
    }

    /// Makes the cursor of a position; empty for the beginning of the list.
    pub fn cursor(self, position: &CursorPosition) -> String {
        let backward = position.direction == Direction::Backward;
        if !backward && position.values.is_none() {
            return String::new();
        }
        // Numbers, texts and nulls always have a form in JSON.
        let json = serde_json::to_vec(&(self.0, backward, &position.values)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Parses a cursor.
    fn position<C: Column>(self, raw: &str, order: &SortOrder<C>) -> Result<CursorPosition, Violation> {
        if raw.is_empty() {
            return Ok(CursorPosition { direction: Direction::Forward, values: None });
        }
        let invalid = || other("Invalid cursor.");
        let json = URL_SAFE_NO_PAD.decode(raw).map_err(|_| invalid())?;
        let (scope, backward, values): (u64, bool, Option<Vec<SortValue>>) =
            serde_json::from_slice(&json).map_err(|_| invalid())?;
        if scope != self.0 {
            let message =
                "This cursor belongs to a list with other parameters. Begin again with an empty one.";
            return Err(other(message));
        }
        if values.as_deref().is_some_and(|values| !order.holds(values)) {
            return Err(invalid());
        }
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        Ok(CursorPosition { direction, values })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::UserColumn;
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_binding_is_the_filters_and_the_order_alone() {
        let of = |list: &[(&str, &str)]| CursorScope::of("users", &pairs(list));
        assert_eq!(
            of(&[("a", "1"), ("b", "2"), ("limit", "5")]),
            of(&[("b", "2"), ("cursor", "x"), ("a", "1")])
        );
        assert_ne!(of(&[("a", "1")]), of(&[("a", "2")]));
        assert_ne!(of(&[("a", "1b")]), of(&[("a1", "b")]));
        assert_ne!(of(&[("ordering", "id")]), of(&[]));
        assert_ne!(of(&[]), CursorScope::of("groups", &[]));
    }

    #[test]
    fn a_cursor_whose_marks_do_not_fit_is_invalid() {
        let order = SortOrder::<UserColumn>::parse("username").unwrap();
        let forge = |values: &str| URL_SAFE_NO_PAD.encode(format!("[7,false,{values}]"));
        assert!(CursorScope(7).position(&forge(r#"["ann",1]"#), &order).is_ok());
        for values in
            ["[]", "[1]", r#"["ann"]"#, r#"[1,"ann"]"#, "[null,1]", r#"["a\u0000",1]"#, r#"["a",1.5]"#, "7"]
        {
            assert!(CursorScope(7).position(&forge(values), &order).is_err(), "{values}");
        }
        assert!(CursorScope(8).position(&forge(r#"["ann",1]"#), &order).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position(name in "[^\0]{0,20}", id in any::<i64>(), seed in any::<u64>(), backward in any::<bool>()) {
            let order = SortOrder::<UserColumn>::parse("-username").unwrap();
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let position = CursorPosition { direction, values: Some(vec![SortValue::Text(name), SortValue::Number(id)]) };
            let cursor = CursorScope(seed).cursor(&position);
            prop_assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(CursorScope(seed).position(&cursor, &order).unwrap(), position);
        }

        #[test]
        fn no_text_is_a_cursor_by_chance(text in ".{1,60}") {
            prop_assert!(CursorScope(1).position(&text, &SortOrder::<UserColumn>::default()).is_err());
        }
    }
}
