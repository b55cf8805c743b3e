//! Queries of the list of users.

use super::parameters::{integer, other};
use super::{Column, ColumnType, NumberRange, PageStart, Parameters, Query, SortOrder, SortValue, TimeRange};
use crate::directory::model::{Gender, GroupId, User, ValidationErrors, Violation, fold};

/// The most groups that one filter names.
const GROUPS_MAX: usize = 100;

/// The longest text of an exact filter, in characters: no name or address is longer.
const EXACT_MAX: usize = 254;

/// A query of users.
pub type UserQuery = Query<UserFilters, UserColumn>;

/// The filters of users. All that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilters {
    /// With these ids.
    pub id: NumberRange,
    /// Created in this range.
    pub created: TimeRange,
    /// Last changed in this range.
    pub updated: TimeRange,
    /// Last signed in in this range. A user who never did is in no range.
    pub last_login: TimeRange,
    /// With an email address, or without.
    pub has_email: Option<bool>,
    /// With an image, or without.
    pub has_avatar: Option<bool>,
    /// With a mobile number, or without.
    pub has_phone: Option<bool>,
    /// With a valid token, or without.
    pub has_token: Option<bool>,
    /// With a first name, or without.
    pub has_first_name: Option<bool>,
    /// With a last name, or without.
    pub has_last_name: Option<bool>,
    /// In some group, or in none.
    pub has_groups: Option<bool>,
    /// Able to authenticate, or not.
    pub is_active: Option<bool>,
    /// Staff, or not.
    pub is_staff: Option<bool>,
    /// Admins, or not.
    pub is_admin: Option<bool>,
    /// Online, or not; see [`User::is_online`].
    pub is_online: Option<bool>,
    /// With exactly this username.
    pub username: Option<String>,
    /// With this email address, in any case.
    pub email: Option<String>,
    /// With exactly this mobile number.
    pub mobile_number: Option<String>,
    /// With this gender.
    pub gender: Option<Gender>,
    /// In this group.
    pub group: Option<GroupId>,
    /// In one of these groups.
    pub groups_in: Option<Vec<GroupId>>,
}

/// The columns that users can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the user's fields")]
pub enum UserColumn {
    Id,
    Username,
    Email,
    Gender,
    LastLogin,
    CreatedAt,
    UpdatedAt,
}

impl UserQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 28] = [
        "id_min",
        "id_max",
        "created_date",
        "created_from",
        "created_to",
        "updated_date",
        "updated_from",
        "updated_to",
        "last_login_date",
        "last_login_from",
        "last_login_to",
        "has_email",
        "has_avatar",
        "has_phone",
        "has_token",
        "has_first_name",
        "has_last_name",
        "has_groups",
        "is_active",
        "is_staff",
        "is_admin",
        "is_online",
        "username",
        "email",
        "mobile_number",
        "gender",
        "group_id",
        "groups_in",
    ];

    /// Parses a query from its parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        Self::read("users", pairs, &Self::FILTERS, UserFilters::read)
    }

    /// The same query with another offset, if it has one.
    pub(in crate::directory) fn at_offset(&self, offset: u64) -> Self {
        let mut query = self.clone();
        if let PageStart::Offset(start) = &mut query.paging.start {
            *start = offset;
        }
        query
    }

    /// Names what a list is narrowed and ordered by, so that a message can say what took the time.
    pub(in crate::directory) fn named_filters(&self) -> Vec<&'static str> {
        let given = &self.filters;
        let range = |range: TimeRange| range.from.is_some() || range.until.is_some();
        let deep = matches!(self.paging.start, PageStart::Offset(offset) if offset > 0);
        let named = [
            ("search", self.terms.iter().next().is_some()),
            ("username", given.username.is_some()),
            ("email", given.email.is_some()),
            ("mobile_number", given.mobile_number.is_some()),
            ("is_online", given.is_online.is_some()),
            ("id", given.id != NumberRange::default()),
            ("created", range(given.created)),
            ("updated", range(given.updated)),
            ("last_login", range(given.last_login)),
            ("has_email", given.has_email.is_some()),
            ("has_avatar", given.has_avatar.is_some()),
            ("has_phone", given.has_phone.is_some()),
            ("has_token", given.has_token.is_some()),
            ("has_first_name", given.has_first_name.is_some()),
            ("has_last_name", given.has_last_name.is_some()),
            ("has_groups", given.has_groups.is_some()),
            ("is_active", given.is_active.is_some()),
            ("is_staff", given.is_staff.is_some()),
            ("is_admin", given.is_admin.is_some()),
            ("gender", given.gender.is_some()),
            ("group_id", given.group.is_some()),
            ("groups_in", given.groups_in.is_some()),
            ("ordering", self.order != SortOrder::default()),
            ("offset", deep),
        ];
        named.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect()
    }
}

impl UserFilters {
    /// Whether a filter names at most a few users.
    pub(in crate::directory) fn is_exact(&self) -> bool {
        self.username.is_some() || self.email.is_some() || self.mobile_number.is_some()
    }

    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: NumberRange::read(given, ["id_min", "id_max"]),
            created: TimeRange::read(given, "created"),
            updated: TimeRange::read(given, "updated"),
            last_login: TimeRange::read(given, "last_login"),
            has_email: given.flag("has_email"),
            has_avatar: given.flag("has_avatar"),
            has_phone: given.flag("has_phone"),
            has_token: given.flag("has_token"),
            has_first_name: given.flag("has_first_name"),
            has_last_name: given.flag("has_last_name"),
            has_groups: given.flag("has_groups"),
            is_active: given.flag("is_active"),
            is_staff: given.flag("is_staff"),
            is_admin: given.flag("is_admin"),
            is_online: given.flag("is_online"),
            username: given.parsed("username", exact),
            email: given.parsed("email", exact),
            mobile_number: given.parsed("mobile_number", exact),
            gender: given.parsed("gender", str::parse),
            group: given.parsed("group_id", group),
            groups_in: given.parsed("groups_in", groups),
        }
    }
}

/// Parses the value of an exact filter. Imported rows may hold any text.
fn exact(raw: &str) -> Result<String, Violation> {
    match raw {
        raw if raw.contains('\0') => Err(Violation::NullCharacter),
        raw if raw.chars().count() > EXACT_MAX => Err(Violation::TooLong(EXACT_MAX)),
        raw => Ok(raw.to_owned()),
    }
}

fn group(raw: &str) -> Result<GroupId, Violation> {
    integer(raw).and_then(GroupId::try_from)
}

/// Parses ids separated by commas, each once.
fn groups(raw: &str) -> Result<Vec<GroupId>, Violation> {
    let mut ids = raw.split(',').map(group).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > GROUPS_MAX {
        return Err(other(format!("Ensure this field has no more than {GROUPS_MAX} elements.")));
    }
    Ok(ids)
}

impl Column for UserColumn {
    type Row = User;

    const ALL: &'static [(&'static str, Self)] = &[
        ("id", Self::Id),
        ("username", Self::Username),
        ("email", Self::Email),
        ("gender", Self::Gender),
        ("last_login", Self::LastLogin),
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
    ];
    const ID: Self = Self::Id;

    fn kind(self) -> ColumnType {
        match self {
            Self::Id | Self::CreatedAt | Self::UpdatedAt => ColumnType::Number,
            Self::Username | Self::Email => ColumnType::Text,
            Self::Gender => ColumnType::NullableText,
            Self::LastLogin => ColumnType::NullableNumber,
        }
    }

    /// Names and addresses are ordered by their folded form, which has a column of its own.
    fn value(self, user: &User) -> SortValue {
        match self {
            Self::Id => SortValue::Number(user.id.get()),
            Self::Username => SortValue::Text(fold(&user.username)),
            Self::Email => SortValue::Text(fold(user.email.as_deref().unwrap_or_default())),
            Self::Gender => user.gender.clone().map_or(SortValue::Null, SortValue::Text),
            Self::LastLogin => {
                user.last_login.map_or(SortValue::Null, |at| SortValue::Number(at.as_micros()))
            }
            Self::CreatedAt => SortValue::Number(user.created_at.as_micros()),
            Self::UpdatedAt => SortValue::Number(user.updated_at.as_micros()),
        }
    }
}
