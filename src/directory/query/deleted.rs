//! What may be asked of the recycle bin.

use super::{Bounds, Column, Kind, Mark, Parameters, Query, Span};
use crate::directory::model::{DeletedUser, Faults, fold};

/// A query of deleted users.
pub type DeletedQuery = Query<DeletedFilters, DeletedColumn>;

/// Which of them. Whatever is given must hold.
#[derive(Clone, Debug, Default)]
pub struct DeletedFilters {
    /// Of their ids.
    pub id: Bounds,
    /// When they were deleted.
    pub deleted: Span,
}

/// What they can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the deleted user's fields")]
pub enum DeletedColumn {
    Id,
    Username,
    DeletedAt,
}

impl DeletedQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 5] =
        ["id_min", "id_max", "deleted_date", "deleted_date_from", "deleted_date_to"];

    /// Reads a query from its parameters; tells every fault.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Faults> {
        Self::read("deleted users", pairs, &Self::FILTERS, DeletedFilters::read)
    }
}

impl DeletedFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: Bounds::read(given, ["id_min", "id_max"]),
            deleted: Span::read(given, ["deleted_date", "deleted_date_from", "deleted_date_to"]),
        }
    }
}

impl Column for DeletedColumn {
    type Row = DeletedUser;

    const ALL: &'static [(&'static str, Self)] =
        &[("id", Self::Id), ("username", Self::Username), ("deleted_at", Self::DeletedAt)];
    const ID: Self = Self::Id;

    fn kind(self) -> Kind {
        match self {
            Self::Username => Kind::Text,
            Self::Id | Self::DeletedAt => Kind::Number,
        }
    }

    /// Names are ordered by their folded form, which the database keeps beside them.
    fn mark(self, user: &DeletedUser) -> Mark {
        match self {
            Self::Id => Mark::Number(user.id.get()),
            Self::Username => Mark::Text(fold(&user.username)),
            Self::DeletedAt => Mark::Number(user.deleted_at.as_micros()),
        }
    }
}
