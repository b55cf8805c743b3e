//! The bodies that may have a file: the same fields as in JSON, as a multipart form.

use utoipa::ToSchema;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

use super::bodies::{CredentialFields, InvitationField, PersonalFields, RightsFields};

/// The avatar in a form.
fn picture() -> Object {
    let about = "A PNG, JPEG, WebP or GIF file of at most 5 MiB, unless the server is configured otherwise. An empty text \
                 removes the picture.";
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .description(Some(about))
        .build()
}

/// The avatar of a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct FormAvatar {
    /// The picture.
    #[schema(required = false, schema_with = picture)]
    avatar: String,
}

/// The same fields as a form, with a new avatar.
#[derive(ToSchema)]
#[schema(as = MeUpdateForm, example = json!({ "first_name": "Ada" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct MeForm {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    /// The current password; required to change the email or the mobile number if the server's setting
    /// `contact_needs_password` is on.
    #[schema(required = false)]
    old_password: String,
    #[serde(flatten)]
    avatar: FormAvatar,
}

/// A new user as a form, with an avatar.
#[derive(ToSchema)]
#[schema(as = UserCreateForm, example = json!({ "username": "katherine_johnson" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct NewUserForm {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    /// A user without a password can only use tokens.
    #[schema(required = false, min_length = 1, max_length = 1024)]
    password: String,
    #[serde(flatten)]
    invitation: InvitationField,
    #[serde(flatten)]
    rights: RightsFields,
    #[serde(flatten)]
    avatar: FormAvatar,
}

/// The fields of a user to change as a form, with a new avatar.
#[derive(ToSchema)]
#[schema(as = UserUpdateForm, example = json!({ "last_name": "Leeds" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserForm {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    credentials: CredentialFields,
    #[serde(flatten)]
    rights: RightsFields,
    #[serde(flatten)]
    avatar: FormAvatar,
}

/// A user as it becomes, as a form with a new avatar.
#[derive(ToSchema)]
#[schema(as = UserReplaceForm, example = json!({ "username": "sam_lee" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserReplacementForm {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    credentials: CredentialFields,
    #[serde(flatten)]
    rights: RightsFields,
    #[serde(flatten)]
    avatar: FormAvatar,
}
