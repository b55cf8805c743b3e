//! How permissions are shown.

use serde_json::{Value, json};

use crate::directory::access::built_in;
use crate::directory::model::Permission;

/// What a permission allows.
pub(super) fn allows(permission: &Permission) -> &'static str {
    built_in(permission.code).map_or("(decided by your own services)", |known| known.allows)
}

/// A permission as JSON.
pub(super) fn json(permission: &Permission) -> Value {
    let known = built_in(permission.code);
    json!({
        "id": permission.id.get(),
        "code": permission.code,
        "name": permission.name,
        "is_built_in": known.is_some(),
        "allows": known.map(|known| known.allows),
    })
}
