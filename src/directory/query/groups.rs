//! Queries of the list of groups.

use super::{Column, ColumnType, NumberRange, Parameters, Query, SortValue, TimeRange};
use crate::directory::model::{Group, ValidationErrors, fold};

/// A query of groups.
pub type GroupQuery = Query<GroupFilters, GroupColumn>;

/// The filters of groups. All that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct GroupFilters {
    /// With these ids.
    pub id: NumberRange,
    /// With this number of members.
    pub users_count: NumberRange,
    /// Created in this range.
    pub created: TimeRange,
    /// Last changed in this range.
    pub updated: TimeRange,
}

/// The columns that groups can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the group's fields")]
pub enum GroupColumn {
    Id,
    Name,
    UsersCount,
    CreatedAt,
    UpdatedAt,
}

impl GroupQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 10] = [
        "id_min",
        "id_max",
        "users_count_min",
        "users_count_max",
        "created_date",
        "created_from",
        "created_to",
        "updated_date",
        "updated_from",
        "updated_to",
    ];

    /// Parses a query from its parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        Self::read("groups", pairs, &Self::FILTERS, GroupFilters::read)
    }
}

impl GroupFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: NumberRange::read(given, ["id_min", "id_max"]),
            users_count: NumberRange::read(given, ["users_count_min", "users_count_max"]),
            created: TimeRange::read(given, "created"),
            updated: TimeRange::read(given, "updated"),
        }
    }
}

impl Column for GroupColumn {
    type Row = Group;

    const ALL: &'static [(&'static str, Self)] = &[
        ("id", Self::Id),
        ("name", Self::Name),
        ("users_count", Self::UsersCount),
        ("_users_count", Self::UsersCount),
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
    ];
    const ID: Self = Self::Id;

    fn kind(self) -> ColumnType {
        match self {
            Self::Name => ColumnType::Text,
            Self::Id | Self::UsersCount | Self::CreatedAt | Self::UpdatedAt => ColumnType::Number,
        }
    }

    /// Names are ordered by their folded form, which has a column of its own.
    fn value(self, group: &Group) -> SortValue {
        match self {
            Self::Id => SortValue::Number(group.id.get()),
            Self::Name => SortValue::Text(fold(&group.name)),
            Self::UsersCount => SortValue::Number(group.users_count),
            Self::CreatedAt => SortValue::Number(group.created_at.as_micros()),
            Self::UpdatedAt => SortValue::Number(group.updated_at.as_micros()),
        }
    }
}
