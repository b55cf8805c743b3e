//! The bodies of calls that services make: keys that they were sent, and keys that they found.

use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use super::KEY_MAX;
use crate::directory::leaked_keys::LEAKED_MAX;
use crate::http::api::samples;

/// A key that a service was sent. Other fields of a form are ignored.
#[derive(ToSchema)]
#[schema(as = TokenIntrospect, example = json!({ "token": samples::EXAMPLE_KEY }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct IntrospectionRequest {
    /// The whole key.
    #[schema(min_length = 1, example = json!(samples::EXAMPLE_KEY))]
    token: String,
    /// What kind of token it is; it is not needed, and ignored.
    #[schema(required = false)]
    token_type_hint: String,
    /// The IP address of the client that sent the key to the service. A token that is limited to networks is active only
    /// with an address in one of them.
    #[schema(required = false, example = json!("192.0.2.7"))]
    client_address: String,
}

/// Keys that were found where they do not belong.
#[derive(ToSchema)]
#[schema(as = LeakReport, example = json!({ "tokens": [samples::KEY] }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct LeakedKeys {
    #[schema(schema_with = leaked_keys)]
    tokens: Vec<String>,
}

fn leaked_keys() -> Array {
    let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_MAX));
    let about = "The whole keys; blanks around them are ignored. What is no key of this server is ignored.";
    ArrayBuilder::new()
        .items(key)
        .description(Some(about))
        .min_items(Some(1))
        .max_items(Some(LEAKED_MAX))
        .build()
}
