//! What one body may hold. The same for JSON, forms and multipart forms, and for every route.

use crate::directory::bulk::BULK_MAX;
use crate::directory::model::{ValidationErrors, Violation};

/// Fields of one object; no route knows a quarter of it.
pub(in crate::http) const FIELDS_MAX: usize = 64;
/// Items of one list.
pub(in crate::http) const ITEMS_MAX: usize = BULK_MAX;
/// Values of a body in all: objects, lists, and what they hold.
pub(in crate::http) const VALUES_MAX: usize = 50_000;
/// Pairs of a form, and parts of a multipart form. A list is several of them.
pub(in crate::http) const PAIRS_MAX: usize = 2_000;

pub(super) fn too_many_fields() -> ValidationErrors {
    ValidationErrors::whole(format!("An object may have at most {FIELDS_MAX} fields."))
}

/// `field` holds the list itself.
pub(super) fn too_many_items(field: Option<&str>) -> ValidationErrors {
    match field {
        Some(field) => {
            let told = format!("Ensure this field has no more than {ITEMS_MAX} elements.");
            ValidationErrors::of(field, &Violation::Other(told))
        }
        None => ValidationErrors::whole(format!("A list may have at most {ITEMS_MAX} items.")),
    }
}

pub(super) fn too_many_values() -> ValidationErrors {
    ValidationErrors::whole(format!("A request body may have at most {VALUES_MAX} values."))
}

pub(in crate::http) fn too_many_pairs() -> ValidationErrors {
    ValidationErrors::whole(format!("A form may have at most {PAIRS_MAX} values."))
}
