//! The types of answers on the wire. They are not rows: each has its own fields, in the contract's order, and a sample
//! that is the example in the OpenAPI document.

mod attempts;
mod audit;
mod calling;
mod deleted;
mod errors;
mod introspection;
mod invitations;
mod permissions;
mod tokens;

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::groups::GroupDetails;
use crate::directory::model::{Group, Timestamp, User};
use crate::directory::users::UserDetails;
use crate::http::site::Site;

pub use self::attempts::{FailedAttempts, FailedAttemptsItem, Unlocked};
pub(super) use self::audit::object_kinds;
pub use self::audit::{AuditItem, AuditListing, AuditVerification};
pub use self::calling::MeDetail;
pub use self::deleted::{DeletedGroupItem, DeletedItem};
pub use self::errors::{Detail, FieldErrors, ItemErrors, Problem};
pub use self::introspection::Introspection;
pub use self::invitations::Invitation;
pub use self::permissions::{PermissionDetail, PermissionItem};
pub use self::tokens::{IssuedToken, OwnedTokenItem, RotatedToken, TokenItem};

/// The currently authenticated user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MeFields)]
pub struct Me {
    /// Unique ID of the user.
    pub id: i64,
    /// Username of the user.
    pub username: String,
    /// Mobile phone number of the user; null if there is none.
    #[schema(required)]
    pub mobile_number: Option<String>,
    /// Email address of the user; null if there is none.
    #[schema(required)]
    pub email: Option<String>,
    /// URL of the user's avatar image; null if there is none.
    #[schema(required, format = "uri")]
    pub avatar: Option<String>,
    /// First name of the user; may be empty.
    pub first_name: String,
    /// Last name of the user; may be empty.
    pub last_name: String,
    /// Full name (first + last name), stripped of outer white space.
    pub full_name: String,
    /// Gender of the user. Only `male`, `female`, `non-binary` and `other` can be written; imported users
    /// keep their value.
    #[schema(required)]
    pub gender: Option<String>,
    /// IDs of the groups the user belongs to, ascending.
    pub groups: Vec<i64>,
    /// Timestamp of the user's last login, UTC, always six digits; null before the first.
    #[schema(required, format = DateTime)]
    pub last_login: Option<String>,
    /// Timestamp when the user was created, UTC, always six digits.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl Me {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] = &[
        "id",
        "username",
        "mobile_number",
        "email",
        "avatar",
        "first_name",
        "last_name",
        "full_name",
        "gender",
        "groups",
        "last_login",
        "created_at",
    ];

    /// Shows a user to themselves.
    pub fn new(user: &User, site: &Site) -> Self {
        Self {
            id: user.id.get(),
            username: user.username.clone(),
            mobile_number: user.mobile_number.clone(),
            email: user.email.clone(),
            avatar: site.media(user.avatar.as_deref()),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            full_name: user.full_name(),
            gender: user.gender.clone(),
            groups: user.groups.iter().map(|group| group.get()).collect(),
            last_login: user.last_login.map(|at| at.to_string()),
            created_at: user.created_at.to_string(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 42,
            username: "alex_thompson".into(),
            mobile_number: Some("+1-555-0123".into()),
            email: Some("alex.thompson@techcorp.com".into()),
            avatar: Some("http://www.example.com/media/avatars/alex_profile.jpg".into()),
            first_name: "Alex".into(),
            last_name: "Thompson".into(),
            full_name: "Alex Thompson".into(),
            gender: Some("non-binary".into()),
            groups: vec![1, 3, 7],
            last_login: Some("2025-08-06T14:23:45.123456Z".into()),
            created_at: "2024-03-15T09:30:00.000000Z".into(),
        }
    }
}

/// A user in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(UserItem::sample()))]
pub struct UserItem {
    /// The fields that users see of themselves.
    #[serde(flatten)]
    pub me: Me,
    /// Can the user authenticate?
    pub is_active: bool,
    /// Can the user enter the back office?
    pub is_staff: bool,
    /// Does the user have all rights?
    pub is_admin: bool,
    /// Was one of the user's tokens used in the last five minutes? Up to a minute late.
    pub is_online: bool,
    /// When the user was last changed, UTC, always six digits.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl UserItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] = &[
        "id",
        "username",
        "mobile_number",
        "email",
        "avatar",
        "first_name",
        "last_name",
        "full_name",
        "gender",
        "groups",
        "last_login",
        "created_at",
        "is_active",
        "is_staff",
        "is_admin",
        "is_online",
        "updated_at",
    ];

    /// Shows a user as of `now`.
    pub fn new(user: &User, site: &Site, now: Timestamp) -> Self {
        Self {
            me: Me::new(user, site),
            is_active: user.is_active,
            is_staff: user.is_staff,
            is_admin: user.is_admin,
            is_online: user.is_online(now),
            updated_at: user.updated_at.to_string(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            me: Me { groups: vec![3], ..Me::sample() },
            is_active: true,
            is_staff: true,
            is_admin: false,
            is_online: false,
            updated_at: "2025-08-06T14:23:45.123456Z".into(),
        }
    }
}

/// A user with groups and permissions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserRecord, example = json!(UserDetail::sample()))]
pub struct UserDetail {
    /// The fields that lists show.
    #[serde(flatten)]
    pub user: UserItem,
    /// The groups the user belongs to.
    pub groups_data: Vec<GroupItem>,
    /// The permissions attached to the user.
    pub permissions_data: Vec<PermissionItem>,
    /// The permissions that the user holds: its own and those of its groups.
    pub effective_permissions_data: Vec<PermissionItem>,
}

impl UserDetail {
    /// The names of the fields that follow those of lists.
    pub const DATA: &'static [&'static str] =
        &["groups_data", "permissions_data", "effective_permissions_data"];

    /// Shows a user with its groups and permissions.
    pub fn new(details: &UserDetails, site: &Site, now: Timestamp) -> Self {
        Self {
            user: UserItem::new(&details.user, site, now),
            groups_data: details.groups.iter().map(GroupItem::new).collect(),
            permissions_data: details.permissions.iter().map(PermissionItem::new).collect(),
            effective_permissions_data: details
                .effective_permissions
                .iter()
                .map(PermissionItem::new)
                .collect(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            user: UserItem::sample(),
            groups_data: vec![GroupItem::sample()],
            permissions_data: vec![],
            effective_permissions_data: vec![PermissionItem::sample()],
        }
    }
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(GroupItem::sample()))]
pub struct GroupItem {
    /// Unique ID of the group.
    pub id: i64,
    /// Unique name of the group.
    pub name: String,
    /// Free text; may be empty, which differs from null.
    #[schema(required)]
    pub notes: Option<String>,
    /// The number of its members.
    pub users_count: i64,
    /// When the group was created, UTC, always six digits.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the group was last changed, UTC, always six digits.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl GroupItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] =
        &["id", "name", "notes", "users_count", "created_at", "updated_at"];

    /// Shows a group in a list.
    pub fn new(group: &Group) -> Self {
        Self {
            id: group.id.get(),
            name: group.name.clone(),
            notes: group.notes.clone(),
            users_count: group.users_count,
            created_at: group.created_at.to_string(),
            updated_at: group.updated_at.to_string(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 3,
            name: "Billing".into(),
            notes: Some("Invoices and dunning".into()),
            users_count: 12,
            created_at: "2024-03-15T09:30:00.000000Z".into(),
            updated_at: "2024-03-15T09:30:00.000000Z".into(),
        }
    }
}

/// A group with its permissions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupRecord, example = json!(GroupDetail::sample()))]
pub struct GroupDetail {
    /// The group.
    #[serde(flatten)]
    pub group: GroupItem,
    /// The permissions attached to the group, which its members inherit.
    pub permissions_data: Vec<PermissionItem>,
}

impl GroupDetail {
    /// The name of the field that follows those of lists.
    pub const DATA: &'static [&'static str] = &["permissions_data"];

    /// Shows a group with its permissions.
    pub fn new(details: &GroupDetails) -> Self {
        Self {
            group: GroupItem::new(&details.group),
            permissions_data: details.permissions.iter().map(PermissionItem::new).collect(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { group: GroupItem::sample(), permissions_data: vec![PermissionItem::sample()] }
    }
}

/// The users of one request, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserItems {
    /// The users.
    pub users: Vec<UserItem>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The number of rows on all pages; null on the pages of a cursor, which are not counted.
    #[schema(required, example = 1)]
    pub count: Option<u64>,
    /// Absolute URL of the next page; null at the end.
    #[schema(required, format = "uri")]
    pub next: Option<String>,
    /// Absolute URL of the previous page; null at the beginning.
    #[schema(required, format = "uri")]
    pub previous: Option<String>,
    /// The rows of this page.
    pub results: Vec<T>,
}

/// A page of those who have a permission.
#[derive(Debug, Serialize, ToSchema)]
pub struct HolderListing<T> {
    /// Absolute URL of the next page; null at the end.
    #[schema(required, format = "uri")]
    pub next: Option<String>,
    /// The rows of this page.
    pub results: Vec<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_fields_is_the_object_s() {
        fn keys(sample: impl Serialize) -> Vec<String> {
            let serde_json::Value::Object(object) = serde_json::to_value(sample).unwrap() else { panic!() };
            object.keys().cloned().collect()
        }
        assert_eq!(keys(Me::sample()), Me::FIELDS);
        assert_eq!(keys(UserItem::sample()), UserItem::FIELDS);
        assert_eq!(keys(GroupItem::sample()), GroupItem::FIELDS);
        assert_eq!(keys(DeletedItem::sample()), DeletedItem::FIELDS);
        assert_eq!(keys(TokenItem::sample()), TokenItem::FIELDS);
        assert_eq!(keys(OwnedTokenItem::sample()), OwnedTokenItem::FIELDS);
        assert_eq!(keys(PermissionItem::sample()), PermissionItem::FIELDS);
    }
}
