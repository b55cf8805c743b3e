//! Lists of users and groups: what may be asked of one, parsed into types that cannot be wrong, and the
//! pages that answer.
//!
//! A list is asked by named parameters. What is not known is refused by name: a filter that is silently
//! ignored shows people who should not be in the answer. Pages are reached by an offset, which counts, or
//! by a cursor, which goes on from a row and costs the same on every page.
//!
//! Never in here: SQL, links, the shape of an answer.

mod cursor;
mod deleted;
mod groups;
mod order;
mod parameters;
mod range;
mod search;
mod users;

pub use self::cursor::{Binding, Direction, PAGE_MAX, Paging, Position, Start};
pub use self::deleted::{DeletedColumn, DeletedFilters, DeletedQuery};
pub use self::groups::{GroupColumn, GroupFilters, GroupQuery};
pub use self::order::{Column, Kind, Mark, Order, Sorted};
pub use self::parameters::Parameters;
pub use self::range::{Bounds, Span};
pub use self::search::Terms;
pub use self::users::{UserColumn, UserFilters, UserQuery};
use super::model::Faults;

/// The parameters that every list knows. `fields` and `format` shape the answer and are its maker's to read.
pub const COMMON: [&str; 7] = ["search", "ordering", "limit", "offset", "cursor", "fields", "format"];

/// What is asked of a list.
#[derive(Clone, Debug)]
pub struct Query<F, C> {
    /// Which rows.
    pub filters: F,
    /// What must be found in each row.
    pub terms: Terms,
    /// In which order.
    pub order: Order<C>,
    /// Which page of them.
    pub paging: Paging,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// How many rows the list has on all its pages; `None` on the pages of a cursor, which are not counted.
    pub count: Option<u64>,
    /// The rows.
    pub rows: Vec<T>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Turn>,
    /// Where it came from; `None` at its beginning.
    pub previous: Option<Turn>,
}

/// How another page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// By the number of rows before it.
    Offset(u64),
    /// By a cursor; empty at the beginning of the list.
    Cursor(String),
}

impl<F, C: Column> Query<F, C> {
    /// The first rows that the filters keep, in the order of their ids; only those after the id `after`. At
    /// most [`PAGE_MAX`].
    pub fn by_id(filters: F, after: Option<i64>, limit: u32) -> Self {
        let marks = after.map(|id| vec![Mark::Number(id)]);
        let start = Start::Cursor(Position { direction: Direction::Forward, marks });
        let paging = Paging { limit: limit.min(PAGE_MAX), start, binding: Binding::default() };
        Self { filters, terms: Terms::default(), order: Order::default(), paging }
    }

    /// Reads a query of `noun` from its parameters, which are common ones and `names`; tells every fault.
    fn read(
        noun: &str,
        pairs: &[(String, String)],
        names: &[&str],
        filters: impl FnOnce(&mut Parameters<'_>) -> F,
    ) -> Result<Self, Faults> {
        let mut parameters = Parameters::new(pairs, |name| COMMON.contains(&name) || names.contains(&name));
        let filters = filters(&mut parameters);
        let terms = parameters.parsed("search", Terms::parse).unwrap_or_default();
        let order = parameters.parsed("ordering", Order::parse).unwrap_or_default();
        let paging = Paging::read(&mut parameters, Binding::of(noun, pairs), &order);
        parameters.end()?;
        Ok(Self { filters, terms, order, paging })
    }
}

impl<F, C: Column> Query<F, C> {
    /// A cursor's page out of the rows that lie beyond its position, nearest first.
    pub(super) fn turned(&self, position: &Position, mut rows: Vec<C::Row>, more: bool) -> Page<C::Row> {
        let backward = position.direction == Direction::Backward;
        if backward {
            rows.reverse();
        }
        let beyond = |row: Option<&C::Row>, direction| {
            let marks = row.map(|row| self.order.marks(row));
            Turn::Cursor(self.paging.binding.cursor(&Position { direction, marks }))
        };
        // From an empty page the way back leads to the list's end, or to its beginning.
        let next = beyond(rows.last(), Direction::Forward);
        let previous = beyond(rows.first(), Direction::Backward);
        let (has_next, has_previous) = match backward {
            true => (position.marks.is_some(), more),
            false => (more, position.marks.is_some()),
        };
        Page { count: None, rows, next: has_next.then_some(next), previous: has_previous.then_some(previous) }
    }
}
