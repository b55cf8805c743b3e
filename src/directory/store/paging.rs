//! One page of any list: the order, and where the page begins.
//!
//! A page beyond a cursor is found by *pieces*: rows alike in the first column and beyond in the second,
//! then rows beyond in the first. Each piece is one stretch of an index, so a late page costs what the
//! first one does. A single condition with `OR` would say the same, but both databases would then walk the
//! list from its beginning; a comparison of row values cannot mix directions and stumbles over null.

use super::Sql;
use super::sql::Value;
use crate::directory::query::{Bounds, Column, Direction, Mark, Order, Position, Query, Sorted, Span, Start};

/// How a list is written in SQL.
pub(super) struct Shape<C> {
    /// The columns of a row, as its `FromRow` reads them.
    pub(super) row: &'static str,
    /// The table, and the one letter it goes by.
    pub(super) from: &'static str,
    /// The id, and its comparison with the ids of a page.
    pub(super) id: &'static str,
    pub(super) on_page: &'static str,
    /// The text of a column.
    pub(super) column: fn(C) -> &'static str,
}

/// A step towards the rows beyond a position.
struct Step<'a, C> {
    /// Columns in which a row is like the position.
    alike: Vec<(Sorted<C>, &'a Mark)>,
    /// The column in which it lies beyond.
    beyond: Beyond<C>,
}

enum Beyond<C> {
    Than(C, &'static str, Mark),
    Null(C),
}

/// The rows of a page, and one more if there is one; nearest to the page's beginning first.
///
/// Ids are found first, and their rows read then: what an offset skips is not put together for nothing.
pub(super) fn page<F, C: Column>(
    shape: &Shape<C>,
    query: &Query<F, C>,
    narrow: impl Fn(&mut Sql, &F),
) -> Sql {
    let sorted = query.order.columns();
    let (backward, offset) = match &query.paging.start {
        Start::Offset(offset) => (false, Some(*offset)),
        Start::Cursor(position) => (position.direction == Direction::Backward, None),
    };
    let limit = i64::from(query.paging.limit) + 1;
    let mut sql = Sql::composed("SELECT ");
    sql.push(shape.row).push(" FROM (");
    for (number, step) in steps(&query.order, &query.paging.start, backward).iter().enumerate() {
        sql.push(if number == 0 { "SELECT id FROM (SELECT " } else { " UNION ALL SELECT id FROM (SELECT " });
        sql.push(shape.id).push(" AS id FROM ").push(shape.from).push(" WHERE TRUE");
        narrow(&mut sql, &query.filters);
        if let Some(step) = step {
            step.push(shape, &mut sql);
        }
        order(shape, &mut sql, sorted, backward);
        sql.push(" LIMIT ").push_arg(limit);
        if let Some(offset) = offset.filter(|offset| *offset > 0) {
            sql.push(" OFFSET ").push_arg(i64::try_from(offset).unwrap_or(i64::MAX));
        }
        sql.push(") piece");
    }
    // On SQLite a CROSS JOIN is done from left to right: the ids come first, whatever the planner thinks.
    sql.push(") page CROSS JOIN ").push(shape.from).push(" WHERE ").push(shape.on_page);
    order(shape, &mut sql, sorted, backward);
    sql.push(" LIMIT ").push_arg(limit);
    sql
}

/// How many rows the filters leave.
pub(super) fn count<F, C>(shape: &Shape<C>, query: &Query<F, C>, narrow: impl Fn(&mut Sql, &F)) -> Sql {
    let mut sql = Sql::composed("SELECT count(*) FROM ");
    sql.push(shape.from).push(" WHERE TRUE");
    narrow(&mut sql, &query.filters);
    sql
}

fn order<C: Column>(shape: &Shape<C>, sql: &mut Sql, sorted: &[Sorted<C>], backward: bool) {
    for (number, sorted) in sorted.iter().enumerate() {
        sql.push(if number == 0 { " ORDER BY " } else { ", " }).push((shape.column)(sorted.column));
        let nullable = sorted.column.kind().is_nullable();
        sql.push(match (sorted.descending != backward, nullable) {
            (false, false) => "",
            (true, false) => " DESC",
            // Spelled out for PostgreSQL, which by itself has nulls last; its indexes are made so.
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC NULLS LAST",
        });
    }
}

/// The pieces of the list beyond a position; `None` is the whole list.
fn steps<'a, C: Column>(order: &Order<C>, start: &'a Start, backward: bool) -> Vec<Option<Step<'a, C>>> {
    let Start::Cursor(Position { marks: Some(marks), .. }) = start else { return vec![None] };
    let places: Vec<_> = order.columns().iter().copied().zip(marks).collect();
    let mut steps = Vec::new();
    for (number, (sorted, mark)) in places.iter().enumerate().rev() {
        let alike = || places.iter().take(number).copied().collect();
        for beyond in beyond(*sorted, mark, backward) {
            steps.push(Some(Step { alike: alike(), beyond }));
        }
    }
    steps
}

/// What comes after a mark in one column. Nulls come before all else, so last when descending.
fn beyond<C: Column>(sorted: Sorted<C>, mark: &Mark, backward: bool) -> Vec<Beyond<C>> {
    let (column, kind) = (sorted.column, sorted.column.kind());
    match (sorted.descending != backward, mark) {
        // "IS NOT NULL" in words that make both databases skip the nulls in the index.
        (false, Mark::Null) => vec![Beyond::Than(column, " >= ", kind.least())],
        (false, mark) => vec![Beyond::Than(column, " > ", mark.clone())],
        (true, Mark::Null) => vec![],
        (true, mark) => {
            let smaller = Beyond::Than(column, " < ", mark.clone());
            let nulls = kind.is_nullable().then_some(Beyond::Null(column));
            [smaller].into_iter().chain(nulls).collect()
        }
    }
}

impl<C: Column> Step<'_, C> {
    fn push(&self, shape: &Shape<C>, sql: &mut Sql) {
        for (sorted, mark) in &self.alike {
            sql.push(" AND ").push((shape.column)(sorted.column));
            match mark {
                Mark::Null => sql.push(" IS NULL"),
                mark => sql.push(" = ").push_arg(*mark),
            };
        }
        match &self.beyond {
            Beyond::Than(column, operator, mark) => {
                sql.push(" AND ").push((shape.column)(*column)).push(operator).push_arg(mark)
            }
            Beyond::Null(column) => sql.push(" AND ").push((shape.column)(*column)).push(" IS NULL"),
        };
    }
}

impl From<&Mark> for Value {
    fn from(mark: &Mark) -> Self {
        match mark {
            Mark::Null => Self::Null,
            Mark::Number(number) => Self::Int(*number),
            Mark::Text(text) => Self::Text(text.clone()),
        }
    }
}

/// Keeps a column within bounds.
pub(super) fn within(sql: &mut Sql, column: &'static str, Bounds { min, max }: Bounds) {
    for (operator, bound) in [(" >= ", min), (" <= ", max)] {
        if let Some(bound) = bound {
            sql.push(" AND ").push(column).push(operator).push_arg(bound);
        }
    }
}

/// Keeps a time within a span; no time at all is in no span.
pub(super) fn during(sql: &mut Sql, column: &'static str, Span { from, until }: Span) {
    for (operator, bound) in [(" >= ", from), (" < ", until)] {
        if let Some(bound) = bound {
            sql.push(" AND ").push(column).push(operator).push_arg(bound);
        }
    }
}
