//! Invitations.

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::authentication::InvitationStatus;
use crate::directory::model::Timestamp;
use crate::http::api::bodies::choices;

/// The states of an invitation.
const STATES: [&str; 5] = ["none", "pending", "used", "ended", "expired"];

fn states() -> utoipa::openapi::schema::Object {
    let about = "`none` if there is no invitation, `pending` if it can be used, `ended` if it was revoked, or if the password, the \
                 email or `is_active` of the user was changed.";
    choices(about, STATES)
}

/// The last invitation of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "state": "pending", "sent_at": "2025-08-06T14:23:45.123456Z", "expires_at": "2025-08-13T14:23:45.123456Z",
    "sent_by": "ada_admin"
}))]
pub struct Invitation {
    /// What has become of it.
    #[schema(schema_with = states)]
    pub state: &'static str,
    /// When it was sent; null if there is none.
    #[schema(required, value_type = Option<String>, format = "date-time")]
    pub sent_at: Option<Timestamp>,
    /// When it expires; null if there is none.
    #[schema(required, value_type = Option<String>, format = "date-time")]
    pub expires_at: Option<Timestamp>,
    /// The name of the user or operator who sent it; null if there is none.
    #[schema(required, example = "ada_admin")]
    pub sent_by: Option<String>,
}

impl Invitation {
    /// Shows what is known of an invitation.
    pub fn new(status: &InvitationStatus) -> Self {
        let last = status.last.as_ref();
        Self {
            state: status.state(),
            sent_at: last.map(|link| link.created_at),
            expires_at: last.map(|link| link.expires_at),
            sent_by: last.map(|link| link.made_by.clone()),
        }
    }
}
