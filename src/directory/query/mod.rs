//! Queries of lists: their parameters, parsed into valid values, and the pages that answer them.
//!
//! Unknown parameters are errors: a filter that is silently ignored would show users who should not be in the answer. A page is
//! reached by an offset, which counts rows, or by a cursor, which goes on from a row and costs the same on every page.
//!
//! Never in here: SQL, links, the format of an answer.

mod audit;
mod cursor;
mod deleted;
mod groups;
mod holders;
mod order;
mod parameters;
mod range;
mod search;
mod tokens;
mod users;

pub use self::audit::{AuditQuery, audit_head};
pub use self::cursor::{CursorPosition, CursorScope, Direction, PAGE_MAX, PageStart, Paging};
pub use self::deleted::{DeletedColumn, DeletedFilters, DeletedGroupColumn, DeletedGroupQuery, DeletedQuery};
pub use self::groups::{GroupColumn, GroupFilters, GroupQuery};
pub use self::holders::HolderQuery;
pub use self::order::{Column, ColumnType, SortColumn, SortOrder, SortValue};
pub use self::parameters::{COMMON, Parameters};
pub use self::range::{NumberRange, TimeRange};
pub use self::search::Terms;
pub use self::tokens::{IdleSince, KeyEnds, TokenColumn, TokenFilters, TokenQuery};
pub use self::users::{UserColumn, UserFilters, UserQuery};
use super::model::ValidationErrors;

/// A query of a list.
#[derive(Clone, Debug)]
pub struct Query<F, C> {
    /// The filters.
    pub filters: F,
    /// The search terms, which must all be found in a row.
    pub terms: Terms,
    /// The order.
    pub order: SortOrder<C>,
    /// The page.
    pub paging: Paging,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The number of rows on all pages; `None` for the page of a cursor, and if the query asks for no count.
    pub count: Option<u64>,
    /// The rows.
    pub rows: Vec<T>,
    /// The next page; `None` at the end of the list.
    pub next: Option<PageLink>,
    /// The previous page; `None` at the beginning of the list.
    pub previous: Option<PageLink>,
}

/// How another page is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageLink {
    /// By the number of rows before it.
    Offset(u64),
    /// By a cursor; empty at the beginning of the list.
    Cursor(String),
}

impl<F, C: Column> Query<F, C> {
    /// Makes a query for the first rows of the filters after the id `after`, ordered by id. At most [`PAGE_MAX`] rows.
    pub fn by_id(filters: F, after: Option<i64>, limit: u32) -> Self {
        let values = after.map(|id| vec![SortValue::Number(id)]);
        let start = PageStart::Cursor(CursorPosition { direction: Direction::Forward, values });
        let paging =
            Paging { limit: limit.min(PAGE_MAX), start, scope: CursorScope::default(), counts: true };
        Self { filters, terms: Terms::default(), order: SortOrder::default(), paging }
    }

    /// Parses a query of `noun` from its parameters: the common ones and `names`. Collects all errors.
    fn read(
        noun: &str,
        pairs: &[(String, String)],
        names: &[&str],
        filters: impl FnOnce(&mut Parameters<'_>) -> F,
    ) -> Result<Self, ValidationErrors> {
        let mut parameters = Parameters::new(pairs, |name| {
            COMMON.contains(&name) || names.contains(&name) || names.contains(&range::new_name(name).as_str())
        });
        let filters = filters(&mut parameters);
        let terms = parameters.parsed("search", Terms::parse).unwrap_or_default();
        let order = parameters.parsed("ordering", SortOrder::parse).unwrap_or_default();
        let paging = Paging::read(&mut parameters, CursorScope::of(noun, pairs), &order);
        parameters.finish()?;
        Ok(Self { filters, terms, order, paging })
    }
}

impl<F, C: Column> Query<F, C> {
    /// Cuts the row off that a statement reads beyond the page. Returns whether there was one, and so another page.
    pub(super) fn cut(&self, rows: &mut Vec<C::Row>) -> bool {
        let limit = usize::try_from(self.paging.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        more
    }

    /// Returns the number of rows on all pages if the last of them is at hand.
    pub(super) fn known_count(&self, rows: &[C::Row], more: bool) -> Option<u64> {
        match self.paging.start {
            PageStart::Offset(offset) if !more && (offset == 0 || !rows.is_empty()) => {
                Some(offset.saturating_add(rows.len() as u64))
            }
            _ => None,
        }
    }

    /// Makes a page of its rows.
    pub(super) fn page(&self, rows: Vec<C::Row>, more: bool, count: Option<u64>) -> Page<C::Row> {
        let offset = match &self.paging.start {
            PageStart::Cursor(position) => return self.cursor_page(position, rows, more),
            PageStart::Offset(offset) => *offset,
        };
        let end = offset.saturating_add(rows.len() as u64);
        let step = u64::from(self.paging.limit);
        let previous = (offset > 0).then(|| PageLink::Offset(offset.saturating_sub(step)));
        Page { count, rows, next: more.then_some(PageLink::Offset(end)), previous }
    }

    /// Makes the page of a cursor from the rows beyond its position, nearest first.
    fn cursor_page(&self, position: &CursorPosition, mut rows: Vec<C::Row>, more: bool) -> Page<C::Row> {
        let backward = position.direction == Direction::Backward;
        if backward {
            rows.reverse();
        }
        let beyond = |row: Option<&C::Row>, direction| {
            let values = row.map(|row| self.order.values(row));
            PageLink::Cursor(self.paging.scope.cursor(&CursorPosition { direction, values }))
        };
        // From an empty page the way back leads to the end of the list, or to its beginning.
        let next = beyond(rows.last(), Direction::Forward);
        let previous = beyond(rows.first(), Direction::Backward);
        let (has_next, has_previous) = match backward {
            true => (position.values.is_some(), more),
            false => (more, position.values.is_some()),
        };
        Page { count: None, rows, next: has_next.then_some(next), previous: has_previous.then_some(previous) }
    }
}
