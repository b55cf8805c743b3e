//! Statements of the list of groups. Groups are few: a search reads them all.

use super::groups::columns;
use super::paging::{self, Shape, during, within};
use super::user_list::like;
use crate::database::Sql;
use crate::directory::query::{GroupColumn, GroupFilters, GroupQuery, Terms};

const SHAPE: Shape<GroupColumn> =
    Shape { row: columns!(), from: "groups g", id: "g.id", on_page: "g.id = page.id", column };

fn column(column: GroupColumn) -> &'static str {
    match column {
        GroupColumn::Id => "g.id",
        GroupColumn::Name => "g.name_key",
        GroupColumn::UsersCount => "g.users_count",
        GroupColumn::CreatedAt => "g.created_at",
        GroupColumn::UpdatedAt => "g.updated_at",
    }
}

/// Selects the groups of a page, and one more if there is one.
pub(in crate::directory) fn page(query: &GroupQuery) -> Sql {
    paging::page(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms))
}

/// Counts the groups that pass the filters.
pub(in crate::directory) fn count(query: &GroupQuery) -> Sql {
    paging::count(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms))
}

fn narrow(sql: &mut Sql, filters: &GroupFilters, terms: &Terms) {
    within(sql, "g.id", filters.id);
    within(sql, "g.users_count", filters.users_count);
    during(sql, "g.created_at", filters.created);
    during(sql, "g.updated_at", filters.updated);
    like(sql, "g.search_key", terms);
}
