//! Which page of a list: how long it is, and where it begins.
//!
//! A cursor names the row beyond which a page lies by that row's place in the order. It is bound to the
//! list it was made for, so that it cannot be carried over to other filters by mistake; it is no secret
//! and no right: what it leads to is decided by the filters and the asker's own rights, as ever.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::order::{Column, Mark, Order};
use super::parameters::other;
use super::{COMMON, Parameters};
use crate::directory::model::Rule;

/// The most rows that one page of a list holds.
pub const PAGE_MAX: u32 = 1000;
/// Rows on a page when nobody says how many.
const PAGE_DEFAULT: u32 = 10;

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The most rows it holds, 1 to 1000.
    pub limit: u32,
    /// Where it begins.
    pub start: Start,
    /// The list that its cursors belong to.
    pub binding: Binding,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After so many rows.
    Offset(u64),
    /// Beyond a place in the order.
    Cursor(Position),
}

/// A place in the order, and which way to go from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Towards the end of the list or towards its beginning.
    pub direction: Direction,
    /// The place of the row beyond which the page lies; `None` is the end that one comes from.
    pub marks: Option<Vec<Mark>>,
}

/// Which way a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the end.
    Forward,
    /// Towards the beginning.
    Backward,
}

/// The list a cursor belongs to: noun, filters, search and order, in 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding(u64);

impl Paging {
    pub(super) fn read<C: Column>(
        parameters: &mut Parameters<'_>,
        binding: Binding,
        order: &Order<C>,
    ) -> Self {
        let limit = parameters.parsed("limit", limit).unwrap_or(PAGE_DEFAULT);
        let offset = parameters.parsed("offset", offset);
        if offset.is_some() && parameters.has("cursor") {
            parameters
                .refuse("cursor", &other("A page is reached by a cursor or by an offset, not by both."));
        }
        let cursor = parameters.parsed("cursor", |raw| binding.position(raw, order));
        let start = cursor.map_or(Start::Offset(offset.unwrap_or(0)), Start::Cursor);
        Self { limit, start, binding }
    }
}

fn limit(raw: &str) -> Result<u32, Rule> {
    match super::parameters::integer(raw)? {
        ..=0 => Err(Rule::AtLeast(1)),
        limit => u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= PAGE_MAX)
            .ok_or_else(|| other(format!("Ensure this value is less than or equal to {PAGE_MAX}."))),
    }
}

fn offset(raw: &str) -> Result<u64, Rule> {
    u64::try_from(super::parameters::integer(raw)?).map_err(|_| Rule::AtLeast(0))
}

impl Binding {
    /// The binding of a query's parameters, whatever their order. The length of a page and the shape of an
    /// answer may change from page to page.
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

    /// The cursor that leads to a position: empty for the beginning of the list.
    pub fn cursor(self, position: &Position) -> String {
        let backward = position.direction == Direction::Backward;
        if !backward && position.marks.is_none() {
            return String::new();
        }
        // Numbers, texts and nulls always have a form in JSON.
        let json = serde_json::to_vec(&(self.0, backward, &position.marks)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    fn position<C: Column>(self, raw: &str, order: &Order<C>) -> Result<Position, Rule> {
        if raw.is_empty() {
            return Ok(Position { direction: Direction::Forward, marks: None });
        }
        let invalid = || other("Invalid cursor.");
        let json = URL_SAFE_NO_PAD.decode(raw).map_err(|_| invalid())?;
        let (binding, backward, marks): (u64, bool, Option<Vec<Mark>>) =
            serde_json::from_slice(&json).map_err(|_| invalid())?;
        if binding != self.0 {
            let told = "This cursor belongs to a list with other parameters. Begin again with an empty one.";
            return Err(other(told));
        }
        if marks.as_deref().is_some_and(|marks| !order.holds(marks)) {
            return Err(invalid());
        }
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        Ok(Position { direction, marks })
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
        let of = |list: &[(&str, &str)]| Binding::of("users", &pairs(list));
        assert_eq!(
            of(&[("a", "1"), ("b", "2"), ("limit", "5")]),
            of(&[("b", "2"), ("cursor", "x"), ("a", "1")])
        );
        assert_ne!(of(&[("a", "1")]), of(&[("a", "2")]));
        assert_ne!(of(&[("a", "1b")]), of(&[("a1", "b")]));
        assert_ne!(of(&[("ordering", "id")]), of(&[]));
        assert_ne!(of(&[]), Binding::of("groups", &[]));
    }

    #[test]
    fn a_cursor_whose_marks_do_not_fit_is_invalid() {
        let order = Order::<UserColumn>::parse("username").unwrap();
        let forge = |marks: &str| URL_SAFE_NO_PAD.encode(format!("[7,false,{marks}]"));
        assert!(Binding(7).position(&forge(r#"["ann",1]"#), &order).is_ok());
        for marks in
            ["[]", "[1]", r#"["ann"]"#, r#"[1,"ann"]"#, "[null,1]", r#"["a\u0000",1]"#, r#"["a",1.5]"#, "7"]
        {
            assert!(Binding(7).position(&forge(marks), &order).is_err(), "{marks}");
        }
        assert!(Binding(8).position(&forge(r#"["ann",1]"#), &order).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position(name in "[^\0]{0,20}", id in any::<i64>(), seed in any::<u64>(), backward in any::<bool>()) {
            let order = Order::<UserColumn>::parse("-username").unwrap();
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let position = Position { direction, marks: Some(vec![Mark::Text(name), Mark::Number(id)]) };
            let cursor = Binding(seed).cursor(&position);
            prop_assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(Binding(seed).position(&cursor, &order).unwrap(), position);
        }

        #[test]
        fn no_text_is_a_cursor_by_chance(text in ".{1,60}") {
            prop_assert!(Binding(1).position(&text, &Order::<UserColumn>::default()).is_err());
        }
    }
}
