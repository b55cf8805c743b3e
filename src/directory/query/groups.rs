//! What may be asked of the list of groups.

use super::{Bounds, Column, Kind, Mark, Parameters, Query, Span};
use crate::directory::model::{Faults, Group, fold};

/// A query of groups.
pub type GroupQuery = Query<GroupFilters, GroupColumn>;

/// Which groups. Whatever is given must hold.
#[derive(Clone, Debug, Default)]
pub struct GroupFilters {
    /// Of their ids.
    pub id: Bounds,
    /// Of the numbers of their members.
    pub users_count: Bounds,
    /// When they were created.
    pub created: Span,
    /// When they were last changed.
    pub updated: Span,
}

/// What groups can be ordered by.
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
        "created_date_from",
        "created_date_to",
        "updated_date",
        "updated_date_from",
        "updated_date_to",
    ];

    /// Reads a query from its parameters; tells every fault.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Faults> {
        Self::read("groups", pairs, &Self::FILTERS, GroupFilters::read)
    }
}

impl GroupFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: Bounds::read(given, ["id_min", "id_max"]),
            users_count: Bounds::read(given, ["users_count_min", "users_count_max"]),
            created: Span::read(given, ["created_date", "created_date_from", "created_date_to"]),
            updated: Span::read(given, ["updated_date", "updated_date_from", "updated_date_to"]),
        }
    }
}

impl Column for GroupColumn {
    type Row = Group;

    const ALL: &'static [(&'static str, Self)] = &[
        ("id", Self::Id),
        ("name", Self::Name),
        ("users_count", Self::UsersCount),
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
    ];
    const ID: Self = Self::Id;

    fn kind(self) -> Kind {
        match self {
            Self::Name => Kind::Text,
            Self::Id | Self::UsersCount | Self::CreatedAt | Self::UpdatedAt => Kind::Number,
        }
    }

    /// Names are ordered by their folded form, which the database keeps beside them.
    fn mark(self, group: &Group) -> Mark {
        match self {
            Self::Id => Mark::Number(group.id.get()),
            Self::Name => Mark::Text(fold(&group.name)),
            Self::UsersCount => Mark::Number(group.users_count),
            Self::CreatedAt => Mark::Number(group.created_at.as_micros()),
            Self::UpdatedAt => Mark::Number(group.updated_at.as_micros()),
        }
    }
}
