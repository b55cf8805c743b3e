//! What may be asked of the list of users.

use super::parameters::{integer, other};
use super::{Bounds, Column, Kind, Mark, Parameters, Query, Span};
use crate::directory::model::{Faults, Gender, GroupId, Rule, User, fold};

/// The most groups that one filter names.
const GROUPS_MAX: usize = 100;

/// The longest text that is looked up whole, in characters: no name or address is longer.
const EXACT_MAX: usize = 254;

/// A query of users.
pub type UserQuery = Query<UserFilters, UserColumn>;

/// Which users. Whatever is given must hold.
#[derive(Clone, Debug, Default)]
pub struct UserFilters {
    /// Of their ids.
    pub id: Bounds,
    /// When they were created.
    pub created: Span,
    /// When they were last changed.
    pub updated: Span,
    /// When they last signed in; who never did is in no such span.
    pub last_login: Span,
    /// Having an email address, or not.
    pub has_email: Option<bool>,
    /// Having an image, or not.
    pub has_avatar: Option<bool>,
    /// Having a mobile number, or not.
    pub has_phone: Option<bool>,
    /// Having a token that works now, or not.
    pub has_token: Option<bool>,
    /// Having a first name, or not.
    pub has_first_name: Option<bool>,
    /// Having a last name, or not.
    pub has_last_name: Option<bool>,
    /// Belonging to some group, or to none.
    pub has_groups: Option<bool>,
    /// Able to authenticate, or not.
    pub is_active: Option<bool>,
    /// Staff, or not.
    pub is_staff: Option<bool>,
    /// Admins, or not.
    pub is_admin: Option<bool>,
    /// Seen in the last minutes, or not; see [`User::is_online`].
    pub is_online: Option<bool>,
    /// With exactly this name.
    pub username: Option<String>,
    /// With this email address, without regard to case.
    pub email: Option<String>,
    /// With exactly this mobile number.
    pub mobile_number: Option<String>,
    /// Of this gender.
    pub gender: Option<Gender>,
    /// Belonging to this group.
    pub group: Option<GroupId>,
    /// Belonging to one of these groups.
    pub groups_in: Option<Vec<GroupId>>,
}

/// What users can be ordered by.
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
        "created_date_from",
        "created_date_to",
        "updated_date",
        "updated_date_from",
        "updated_date_to",
        "last_login_date",
        "last_login_date_from",
        "last_login_date_to",
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

    /// Reads a query from its parameters; tells every fault.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Faults> {
        Self::read("users", pairs, &Self::FILTERS, UserFilters::read)
    }
}

impl UserFilters {
    fn read(given: &mut Parameters<'_>) -> Self {
        Self {
            id: Bounds::read(given, ["id_min", "id_max"]),
            created: Span::read(given, ["created_date", "created_date_from", "created_date_to"]),
            updated: Span::read(given, ["updated_date", "updated_date_from", "updated_date_to"]),
            last_login: Span::read(given, ["last_login_date", "last_login_date_from", "last_login_date_to"]),
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

/// What is looked up whole. Anything may stand in an imported row, but nothing finds nobody in particular.
fn exact(raw: &str) -> Result<String, Rule> {
    match raw {
        "" => Err(Rule::Blank),
        raw if raw.contains('\0') => Err(Rule::NullCharacter),
        raw if raw.chars().count() > EXACT_MAX => Err(Rule::TooLong(EXACT_MAX)),
        raw => Ok(raw.to_owned()),
    }
}

fn group(raw: &str) -> Result<GroupId, Rule> {
    integer(raw).and_then(GroupId::try_from)
}

/// Ids with commas between, each taken once.
fn groups(raw: &str) -> Result<Vec<GroupId>, Rule> {
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

    fn kind(self) -> Kind {
        match self {
            Self::Id | Self::CreatedAt | Self::UpdatedAt => Kind::Number,
            Self::Username | Self::Email => Kind::Text,
            Self::Gender => Kind::NullableText,
            Self::LastLogin => Kind::NullableNumber,
        }
    }

    /// Names and addresses are ordered by their folded form, which the database keeps beside them.
    fn mark(self, user: &User) -> Mark {
        match self {
            Self::Id => Mark::Number(user.id.get()),
            Self::Username => Mark::Text(fold(&user.username)),
            Self::Email => Mark::Text(fold(user.email.as_deref().unwrap_or_default())),
            Self::Gender => user.gender.clone().map_or(Mark::Null, Mark::Text),
            Self::LastLogin => user.last_login.map_or(Mark::Null, |at| Mark::Number(at.as_micros())),
            Self::CreatedAt => Mark::Number(user.created_at.as_micros()),
            Self::UpdatedAt => Mark::Number(user.updated_at.as_micros()),
        }
    }
}
