//! Wire types: what answers look like. They are not rows; each says what it shows, in the contract's
//! order of keys, and brings the sample that becomes the example in the OpenAPI document.

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::model::User;
use crate::http::site::Site;

/// The currently authenticated user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(Me::sample()))]
pub struct Me {
    /// Unique ID of the user.
    pub id: i64,
    /// Username of the user.
    pub username: String,
    /// Mobile phone number of the user; null when none.
    #[schema(required)]
    pub mobile_number: Option<String>,
    /// Email address of the user; null when none.
    #[schema(required)]
    pub email: Option<String>,
    /// URL to the user's avatar image; null when none.
    #[schema(required, format = "uri")]
    pub avatar: Option<String>,
    /// First name of the user; may be empty.
    pub first_name: String,
    /// Last name of the user; may be empty.
    pub last_name: String,
    /// Full name (first + last name), stripped of outer white space.
    pub full_name: String,
    /// Gender of the user. Only `male`, `female`, `non-binary` and `other` can be written; imported rows
    /// keep what they hold.
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
    pub const FIELDS: [&'static str; 12] = [
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

    /// A user as they see themselves.
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

/// Any error that does not concern a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "detail": "Invalid token." }))]
pub struct Detail {
    /// What is wrong, in one sentence.
    pub detail: String,
}

/// Errors of input: each field with its messages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "fields": ["\"nickname\" is not a valid choice."] }))]
pub struct FieldErrors(pub std::collections::BTreeMap<String, Vec<String>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_fields_is_the_object_s() {
        let serde_json::Value::Object(object) = serde_json::to_value(Me::sample()).unwrap() else { panic!() };
        assert_eq!(object.keys().collect::<Vec<_>>(), Me::FIELDS);
    }
}
