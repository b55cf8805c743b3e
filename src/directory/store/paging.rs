//! One page of any list: the order, and where the page begins.
//!
//! A page beyond a cursor is found in *pieces*: rows that are equal in the first column and beyond in the second, then rows
//! that are beyond in the first. Each piece is one range of an index, so a late page costs what the first one does. A single
//! condition with `OR` would mean the same, but both databases would then scan the list from its beginning. A comparison of row
//! values cannot mix directions and fails on null.

use crate::database::{Sql, Value};
use crate::directory::query::{
    Column, CursorPosition, Direction, NumberRange, PageStart, Query, SortColumn, SortOrder, SortValue,
    TimeRange,
};

/// The SQL of a list.
pub(super) struct Shape<C> {
    /// The columns of a row, as its `FromRow` reads them.
    pub(super) row: &'static str,
    /// The table with its alias of one letter.
    pub(super) from: &'static str,
    /// The id, and its comparison with the ids of a page.
    pub(super) id: &'static str,
    pub(super) on_page: &'static str,
    /// The name of a column.
    pub(super) column: fn(C) -> &'static str,
}

/// A piece of the rows beyond a position.
struct Piece<'a, C> {
    /// The columns in which a row equals the position.
    equal: Vec<(SortColumn<C>, &'a SortValue)>,
    /// The column in which it is beyond.
    beyond: Beyond<C>,
}

enum Beyond<C> {
    Than(C, &'static str, SortValue),
    Null(C),
}

/// The usual limits of pages, and one row more, in SQL. With another limit, the number is a parameter.
const USUAL_LIMITS: [(i64, &str); 3] = [(11, " LIMIT 11"), (51, " LIMIT 51"), (101, " LIMIT 101")];

fn usual_limit(limit: i64) -> Option<&'static str> {
    USUAL_LIMITS.iter().find(|(usual, _)| *usual == limit).map(|(_, text)| *text)
}

/// Adds the limit. PostgreSQL keeps no plan of a statement whose limit is a parameter: one for any limit would suit none.
fn push_limit(sql: &mut Sql, limit: i64) {
    match usual_limit(limit) {
        Some(text) => sql.push(text),
        None => sql.push(" LIMIT ").push_arg(limit),
    };
}

/// Selects the rows of a page, and one more if there is one, nearest to the beginning of the page first.
///
/// The ids are found first and their rows read afterwards, so rows that an offset skips are not read.
pub(super) fn page<F, C: Column>(
    shape: &Shape<C>,
    query: &Query<F, C>,
    narrow: impl Fn(&mut Sql, &F),
) -> Sql {
    let sorted = query.order.columns();
    let (backward, offset) = match &query.paging.start {
        PageStart::Offset(offset) => (false, Some(*offset)),
        PageStart::Cursor(position) => (position.direction == Direction::Backward, None),
    };
    let limit = i64::from(query.paging.limit) + 1;
    let mut sql = Sql::composed("SELECT ");
    sql.push(shape.row).push(" FROM (");
    for (number, piece) in pieces(&query.order, &query.paging.start, backward).iter().enumerate() {
        sql.push(if number == 0 { "SELECT id FROM (SELECT " } else { " UNION ALL SELECT id FROM (SELECT " });
        sql.push(shape.id).push(" AS id FROM ").push(shape.from).push(" WHERE TRUE");
        narrow(&mut sql, &query.filters);
        if let Some(piece) = piece {
            piece.push(shape, &mut sql);
        }
        order(shape, &mut sql, sorted, backward);
        push_limit(&mut sql, limit);
        if let Some(offset) = offset.filter(|offset| *offset > 0) {
            sql.push(" OFFSET ").push_arg(i64::try_from(offset).unwrap_or(i64::MAX));
        }
        sql.push(") piece");
    }
    // SQLite runs a CROSS JOIN from left to right: the ids come first, whatever the planner estimates.
    sql.push(") page CROSS JOIN ").push(shape.from).push(" WHERE ").push(shape.on_page);
    order(shape, &mut sql, sorted, backward);
    push_limit(&mut sql, limit);
    sql
}

/// Whether a page is in the order of the ids, of a usual length, and not beyond an offset. Without filters, its statement has few
/// forms and may stay prepared.
pub(super) fn is_usual<F, C: Column>(query: &Query<F, C>) -> bool {
    let is_by_ids = matches!(query.order.columns(), [only] if only.column == C::ID);
    let has_offset = matches!(query.paging.start, PageStart::Offset(offset) if offset > 0);
    is_by_ids && !has_offset && usual_limit(i64::from(query.paging.limit) + 1).is_some()
}

/// Counts the rows that pass the filters.
pub(super) fn count<F, C>(shape: &Shape<C>, query: &Query<F, C>, narrow: impl Fn(&mut Sql, &F)) -> Sql {
    let mut sql = Sql::composed("SELECT count(*) FROM ");
    sql.push(shape.from).push(" WHERE TRUE");
    narrow(&mut sql, &query.filters);
    sql
}

/// Adds the order.
fn order<C: Column>(shape: &Shape<C>, sql: &mut Sql, sorted: &[SortColumn<C>], backward: bool) {
    for (number, sorted) in sorted.iter().enumerate() {
        sql.push(if number == 0 { " ORDER BY " } else { ", " }).push((shape.column)(sorted.column));
        let nullable = sorted.column.kind().is_nullable();
        sql.push(match (sorted.descending != backward, nullable) {
            (false, false) => "",
            (true, false) => " DESC",
            // Stated for PostgreSQL, whose default is nulls last. Its indexes are made like this.
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC NULLS LAST",
        });
    }
}

/// Returns the pieces of the list beyond a position; `None` is the whole list.
fn pieces<'a, C: Column>(
    order: &SortOrder<C>,
    start: &'a PageStart,
    backward: bool,
) -> Vec<Option<Piece<'a, C>>> {
    let PageStart::Cursor(CursorPosition { values: Some(values), .. }) = start else { return vec![None] };
    let columns: Vec<_> = order.columns().iter().copied().zip(values).collect();
    let mut pieces = Vec::new();
    for (number, (sorted, value)) in columns.iter().enumerate().rev() {
        let equal = || columns.iter().take(number).copied().collect();
        for beyond in beyond(*sorted, value, backward) {
            pieces.push(Some(Piece { equal: equal(), beyond }));
        }
    }
    pieces
}

/// Returns what comes after a value in one column. Nulls come first, so last in descending order.
fn beyond<C: Column>(sorted: SortColumn<C>, value: &SortValue, backward: bool) -> Vec<Beyond<C>> {
    let (column, kind) = (sorted.column, sorted.column.kind());
    match (sorted.descending != backward, value) {
        // "IS NOT NULL", in a form that makes both databases skip the nulls in the index.
        (false, SortValue::Null) => vec![Beyond::Than(column, " >= ", kind.least())],
        (false, value) => vec![Beyond::Than(column, " > ", value.clone())],
        (true, SortValue::Null) => vec![],
        (true, value) => {
            let smaller = Beyond::Than(column, " < ", value.clone());
            let nulls = kind.is_nullable().then_some(Beyond::Null(column));
            [smaller].into_iter().chain(nulls).collect()
        }
    }
}

impl<C: Column> Piece<'_, C> {
    fn push(&self, shape: &Shape<C>, sql: &mut Sql) {
        for (sorted, value) in &self.equal {
            sql.push(" AND ").push((shape.column)(sorted.column));
            match value {
                SortValue::Null => sql.push(" IS NULL"),
                value => sql.push(" = ").push_arg(*value),
            };
        }
        match &self.beyond {
            Beyond::Than(column, operator, value) => {
                sql.push(" AND ").push((shape.column)(*column)).push(operator).push_arg(value)
            }
            Beyond::Null(column) => sql.push(" AND ").push((shape.column)(*column)).push(" IS NULL"),
        };
    }
}

impl From<&SortValue> for Value {
    fn from(value: &SortValue) -> Self {
        match value {
            SortValue::Null => Self::Null,
            SortValue::Number(number) => Self::Int(*number),
            SortValue::Text(text) => Self::Text(text.clone()),
        }
    }
}

/// Adds the condition that a column is in a range.
pub(super) fn within(sql: &mut Sql, column: &'static str, NumberRange { min, max }: NumberRange) {
    for (operator, bound) in [(" >= ", min), (" <= ", max)] {
        if let Some(bound) = bound {
            sql.push(" AND ").push(column).push(operator).push_arg(bound);
        }
    }
}

/// Adds the condition that a time is in a range. Null is in no range.
pub(super) fn during(sql: &mut Sql, column: &'static str, TimeRange { from, until }: TimeRange) {
    for (operator, bound) in [(" >= ", from), (" < ", until)] {
        if let Some(bound) = bound {
            sql.push(" AND ").push(column).push(operator).push_arg(bound);
        }
    }
}
