//! Queries of the recycle bin.

use super::{Column, ColumnType, NumberRange, Parameters, Query, SortValue, TimeRange};
use crate::directory::model::{DeletedGroup, DeletedUser, ValidationErrors, fold};

/// A query of deleted users.
pub type DeletedQuery = Query<DeletedFilters, DeletedColumn>;

/// The filters of the recycle bin. All that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct DeletedFilters {
    /// With these ids.
    pub id: NumberRange,
    /// Deleted in this range.
    pub deleted: TimeRange,
}

/// The columns that deleted users can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the deleted user's fields")]
pub enum DeletedColumn {
    Id,
    Username,
    DeletedAt,
}

impl DeletedQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 5] = ["id_min", "id_max", "deleted_date", "deleted_from", "deleted_to"];

    /// Parses a query from its parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        Self::read("deleted users", pairs, &Self::FILTERS, DeletedFilters::read)
    }
}

impl DeletedFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: NumberRange::read(given, ["id_min", "id_max"]),
            deleted: TimeRange::read(given, "deleted"),
        }
    }
}

impl Column for DeletedColumn {
    type Row = DeletedUser;

    const ALL: &'static [(&'static str, Self)] =
        &[("id", Self::Id), ("username", Self::Username), ("deleted_at", Self::DeletedAt)];
    const ID: Self = Self::Id;

    fn kind(self) -> ColumnType {
        match self {
            Self::Username => ColumnType::Text,
            Self::Id | Self::DeletedAt => ColumnType::Number,
        }
    }

    /// Names are ordered by their folded form, which has a column of its own.
    fn value(self, user: &DeletedUser) -> SortValue {
        match self {
            Self::Id => SortValue::Number(user.id.get()),
            Self::Username => SortValue::Text(fold(&user.username)),
            Self::DeletedAt => SortValue::Number(user.deleted_at.as_micros()),
        }
    }
}

/// A query of deleted groups, with the filters of deleted users.
pub type DeletedGroupQuery = Query<DeletedFilters, DeletedGroupColumn>;

/// The columns that deleted groups can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the deleted group's fields")]
pub enum DeletedGroupColumn {
    Id,
    Name,
    DeletedAt,
}

impl DeletedGroupQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 5] = DeletedQuery::FILTERS;

    /// Parses a query from its parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        Self::read("deleted groups", pairs, &Self::FILTERS, DeletedFilters::read)
    }
}

impl Column for DeletedGroupColumn {
    type Row = DeletedGroup;

    const ALL: &'static [(&'static str, Self)] =
        &[("id", Self::Id), ("name", Self::Name), ("deleted_at", Self::DeletedAt)];
    const ID: Self = Self::Id;

    fn kind(self) -> ColumnType {
        match self {
            Self::Name => ColumnType::Text,
            Self::Id | Self::DeletedAt => ColumnType::Number,
        }
    }

    /// Names are ordered by their folded form, which has a column of its own.
    fn value(self, group: &DeletedGroup) -> SortValue {
        match self {
            Self::Id => SortValue::Number(group.id.get()),
            Self::Name => SortValue::Text(fold(&group.name)),
            Self::DeletedAt => SortValue::Number(group.deleted_at.as_micros()),
        }
    }
}
