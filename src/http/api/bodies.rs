//! The bodies of requests, for the OpenAPI document: which fields an operation reads, which of them it needs, their
//! lengths, choices and nulls. `body::Fields` reads them; `tests/it/api_document.rs` checks that both agree.

mod links;
mod services;
mod sign_in;

use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

pub(super) use self::links::{ForgottenPassword, InvitationField, PasswordByLink};
pub(super) use self::services::{IntrospectionRequest, LeakedKeys};
pub(super) use self::sign_in::{CodeBody, CodeTargetBody, SignInBody, SignOutBody};
use super::samples;
use crate::directory::model::Gender;

/// A text with a fixed set of values. A schema that is made by a function does not get the field's own documentation.
pub(super) fn choices<'a>(about: &str, values: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about)).enum_values(Some(values)).build()
}

/// A gender that can be written. As in the framework, an empty text is null.
fn gender() -> Object {
    let known = Gender::ALL.into_iter().map(|gender| Some(gender.as_str()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("Null or an empty text removes it."))
        .enum_values(Some(known.chain([Some(""), None])))
        .build()
}

/// The fields that all users have, and that they may write about themselves.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct PersonalFields {
    /// At most 32 characters with 3 to 15 digits, not yet taken; null or an empty text removes it.
    #[schema(max_length = 32)]
    mobile_number: Option<String>,
    /// At most 254 characters, not yet taken; null or an empty text removes it.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// At most 150 characters.
    #[schema(required = false, max_length = 150)]
    first_name: String,
    /// At most 150 characters.
    #[schema(required = false, max_length = 150)]
    last_name: String,
    /// `male`, `female`, `non-binary` or `other`; null or an empty text removes it.
    #[schema(required = false, schema_with = gender)]
    gender: Option<String>,
}

/// The fields that only others may write.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct RightsFields {
    /// Can the user authenticate? True in a new user that does not name it.
    #[schema(required = false)]
    is_active: bool,
    /// Can the user enter the back office? False in a new user that does not name it.
    #[schema(required = false)]
    is_staff: bool,
    /// Does the user have all rights? False in a new user that does not name it; only an admin may set it to true.
    #[schema(required = false)]
    is_admin: bool,
    /// IDs of all groups of the user.
    #[schema(required = false, max_items = 1000)]
    groups: Vec<i64>,
    /// IDs of all permissions that are attached to the user.
    #[schema(required = false, max_items = 1000)]
    permissions: Vec<i64>,
}

/// The avatar in a JSON body: it can only be removed.
fn removal() -> Object {
    let about = "Null or an empty text removes the picture. A new one is sent in a multipart form. The URL of the present \
                 picture is no change.";
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(about))
        .build()
}

/// The avatar of a JSON body.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct AvatarRemoval {
    /// The picture.
    #[schema(required = false, schema_with = removal)]
    avatar: Option<String>,
}

/// The fields of their own record that users may change.
#[derive(ToSchema)]
#[schema(as = MeUpdate, example = json!({ "first_name": "Ada", "last_name": "Lovelace", "gender": "female" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct MeChange {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    avatar: AvatarRemoval,
    /// The current password; required to change the email or the mobile number if the server's setting
    /// `contact_needs_password` is on.
    #[schema(required = false)]
    old_password: String,
}

/// The current password and the new one.
#[derive(ToSchema)]
#[schema(example = json!({
    "old_password": samples::PASSWORD, "new_password": samples::NEW_PASSWORD, "sign_out_others": false
}))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct PasswordChange {
    /// The current password.
    old_password: String,
    /// The new password, which must follow the rules for passwords.
    #[schema(min_length = 1, max_length = 1024)]
    new_password: String,
    /// Whether all my sign-ins end, with the tokens derived from them, except for the calling token; other tokens stay
    /// valid. False by default.
    #[schema(required = false)]
    sign_out_others: bool,
}

/// A new user.
#[derive(ToSchema)]
#[schema(as = UserCreate, example = json!({
    "username": "grace_hopper", "first_name": "Grace", "last_name": "Hopper", "email": "grace.hopper@example.com",
    "password": "seven moths inside the relay", "is_staff": true, "groups": [samples::GROUP],
    "permissions": [samples::PERMISSION]
}))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct NewUser {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    avatar: AvatarRemoval,
    /// A user without a password can only use tokens.
    #[schema(required = false, min_length = 1, max_length = 1024)]
    password: String,
    #[serde(flatten)]
    invitation: InvitationField,
    #[serde(flatten)]
    rights: RightsFields,
}

/// Passwords, and what happens to tokens, when a user is changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct CredentialFields {
    /// The new password.
    #[schema(required = false, min_length = 1, max_length = 1024)]
    password: String,
    /// The current password: required with a new `password` for the caller's own record, and for no other.
    #[schema(required = false)]
    old_password: String,
    /// Whether this change also revokes all tokens of the user, as `POST /api/users/{id}/sign-out` does. False by
    /// default.
    #[schema(required = false)]
    sign_out: bool,
}

/// The fields of a user to change.
#[derive(ToSchema)]
#[schema(as = UserUpdate, example = json!({ "last_name": "Leeds", "is_staff": true }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserChange {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    avatar: AvatarRemoval,
    #[serde(flatten)]
    credentials: CredentialFields,
    #[serde(flatten)]
    rights: RightsFields,
}

/// A user as it becomes. Fields that are left out keep their values.
#[derive(ToSchema)]
#[schema(as = UserReplace, example = json!({ "username": "sam_lee", "first_name": "Sam", "last_name": "Lee" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserReplacement {
    /// 1 to 150 letters, digits and `@ . + - _`, not taken by another user.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    avatar: AvatarRemoval,
    #[serde(flatten)]
    credentials: CredentialFields,
    #[serde(flatten)]
    rights: RightsFields,
}

/// A new user among many: it has no password.
#[derive(ToSchema)]
#[schema(as = UserBulkCreateItem)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct NewUserOfMany {
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    #[serde(flatten)]
    rights: RightsFields,
}

/// Users to create.
#[derive(ToSchema)]
#[schema(as = UserBulkCreate, example = json!({
    "users": [{ "username": "mary_jackson", "first_name": "Mary" }, { "username": "dorothy_vaughan", "is_staff": true }]
}))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct NewUsers {
    /// At most 1000, without passwords.
    #[schema(max_items = 1000)]
    users: Vec<NewUserOfMany>,
}

/// A user with the fields to change.
#[derive(ToSchema)]
#[schema(as = UserBulkUpdateItem)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct ChangedUser {
    /// ID of the user.
    id: i64,
    /// 1 to 150 letters, digits and `@ . + - _`, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
    #[serde(flatten)]
    personal: PersonalFields,
    /// Whether this change also revokes all tokens of the user. False by default.
    #[schema(required = false)]
    sign_out: bool,
    #[serde(flatten)]
    rights: RightsFields,
}

/// Users to change.
#[derive(ToSchema)]
#[schema(as = UserBulkUpdate, example = json!({
    "users": [{ "id": samples::CHANGED_USER, "gender": "other" }, { "id": samples::DELETED_USER, "first_name": "Dana" }]
}))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct ChangedUsers {
    /// At most 1000, each once, without passwords.
    #[schema(max_items = 1000)]
    users: Vec<ChangedUser>,
}

/// Users to delete.
#[derive(ToSchema)]
#[schema(as = UserBulkDelete, example = json!({ "users": samples::DELETED_USERS }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct DeletedUsers {
    /// IDs, at most 1000, each once.
    #[schema(max_items = 1000)]
    users: Vec<i64>,
}

/// What every body of a group may have.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct SharedGroupFields {
    /// At most 2000 characters; null and an empty text differ. Empty in a new group that does not name it.
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// IDs of all permissions of the group; its members inherit them.
    #[schema(required = false, max_items = 1000)]
    permissions: Vec<i64>,
}

/// A new group.
#[derive(ToSchema)]
#[schema(as = GroupCreate, example = json!({
    "name": "Night shift", "notes": "From ten to six", "permissions": [samples::PERMISSION]
}))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct NewGroup {
    /// 1 to 150 characters, not yet taken.
    #[schema(min_length = 1, max_length = 150)]
    name: String,
    #[serde(flatten)]
    fields: SharedGroupFields,
}

/// The fields of a group to change.
#[derive(ToSchema)]
#[schema(as = GroupUpdate, example = json!({ "notes": "Every second Tuesday" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct GroupChange {
    /// 1 to 150 characters, not yet taken.
    #[schema(required = false, min_length = 1, max_length = 150)]
    name: String,
    #[serde(flatten)]
    fields: SharedGroupFields,
}

/// A group as it becomes. Fields that are left out keep their values.
#[derive(ToSchema)]
#[schema(as = GroupReplace, example = json!({ "name": "Reading circle", "notes": "Every Thursday" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct GroupReplacement {
    /// 1 to 150 characters, not taken by another group.
    #[schema(min_length = 1, max_length = 150)]
    name: String,
    #[serde(flatten)]
    fields: SharedGroupFields,
}

/// The users to add or remove.
#[derive(ToSchema)]
#[schema(as = GroupMembers, example = json!({ "users": [samples::CHANGED_USER] }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct MemberList {
    /// IDs of users, at most 1000.
    #[schema(max_items = 1000)]
    users: Vec<i64>,
}

/// A new token.
#[derive(ToSchema)]
#[schema(as = TokenCreate, example = json!({ "name": "laptop", "expires_at": "2099-01-01T00:00:00Z" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct TokenDraft {
    /// The purpose of the token: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// When it expires (RFC 3339). Null is never, which is refused for tokens derived from a sign-in. A token that does
    /// not name it expires when the calling one does.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What its owner may do with it: `me_read`, `me_write`, names of built-in permissions such as `user_read`, and codes
    /// of other permissions; at most 100. Null is everything that its owner may do. A token that names none has those of the calling
    /// one.
    #[schema(min_items = 1, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// Can it only read? By default as the calling one.
    #[schema(required = false)]
    read_only: bool,
    /// The networks that it may be used from, in CIDR notation; at most 20. Null is anywhere. A token that names none
    /// has those of the calling one.
    #[schema(min_items = 1, max_items = 20)]
    allowed_networks: Option<Vec<String>>,
}

/// The fields of a token to change.
#[derive(ToSchema)]
#[schema(as = TokenUpdate, example = json!({ "name": "old laptop" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct TokenChange {
    /// The purpose of the token: 1 to 100 characters.
    #[schema(required = false, min_length = 1, max_length = 100)]
    name: String,
    /// When it expires (RFC 3339). Null is never, which is refused for the token of a sign-in and those derived from it.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What its owner may do with it: `me_read`, `me_write`, names of built-in permissions such as `user_read`, and codes
    /// of other permissions; at most 100. Null is everything that its owner may do.
    #[schema(min_items = 1, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// Can it only read?
    #[schema(required = false)]
    read_only: bool,
    /// The networks that it may be used from, in CIDR notation; at most 20. Null is anywhere.
    #[schema(min_items = 1, max_items = 20)]
    allowed_networks: Option<Vec<String>>,
}

/// The parameters of a rotation.
#[derive(ToSchema)]
#[schema(as = TokenRotate, example = json!({ "overlap_seconds": 3600 }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct Rotation {
    /// For how many seconds the old key stays valid beside the new one: 0 (the default) to 2592000.
    #[schema(required = false, minimum = 0, maximum = 2_592_000)]
    overlap_seconds: i64,
}

/// The longest key, in characters.
pub(super) const KEY_MAX: usize = 256;

/// A key whose token is wanted.
#[derive(ToSchema)]
#[schema(as = TokenFind, example = json!({ "key": samples::EXAMPLE_KEY }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct FoundKey {
    /// The whole key; blanks around it are ignored.
    #[schema(min_length = 1, max_length = 256)]
    key: String,
}

/// A new permission.
#[derive(ToSchema)]
#[schema(as = PermissionCreate, example = json!({ "name": "order_read" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct PermissionDraft {
    /// 1 to 100 lower-case letters, digits and underscores, not yet taken.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The code, not yet taken: 10000 to 999999. By default one more than the highest so far.
    #[schema(required = false, minimum = 10_000, maximum = 999_999)]
    code: i64,
}

/// The new name of a permission.
#[derive(ToSchema)]
#[schema(as = PermissionUpdate, example = json!({ "name": "invoice_view" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct PermissionChange {
    /// 1 to 100 lower-case letters, digits and underscores, not yet taken.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}
