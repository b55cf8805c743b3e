//! The bounds of one body, the same for JSON, forms and multipart forms, and for every route.

use crate::directory::bulk::BULK_MAX;
use crate::directory::model::{ValidationErrors, Violation};

/// The most fields of one object; no route has a quarter as many.
pub(super) const FIELDS_MAX: usize = 64;
/// The most items of one list.
pub(super) const ITEMS_MAX: usize = BULK_MAX;
/// The most values of a body in all: objects, lists, and what is in them.
pub(super) const VALUES_MAX: usize = 50_000;
/// The most pairs of a form, and parts of a multipart form. A list is several of them.
pub(super) const PAIRS_MAX: usize = 2_000;

pub(super) fn too_many_fields() -> ValidationErrors {
    ValidationErrors::whole(format!("An object may have at most {FIELDS_MAX} fields."))
}

/// `field` is the one that holds the list itself.
pub(super) fn too_many_items(field: Option<&str>) -> ValidationErrors {
    match field {
        Some(field) => {
            let message = format!("Ensure this field has no more than {ITEMS_MAX} elements.");
            ValidationErrors::of(field, &Violation::Other(message))
        }
        None => ValidationErrors::whole(format!("A list may have at most {ITEMS_MAX} items.")),
    }
}

pub(super) fn too_many_values() -> ValidationErrors {
    ValidationErrors::whole(format!("A request body may have at most {VALUES_MAX} values."))
}

pub(super) fn too_many_pairs() -> ValidationErrors {
    ValidationErrors::whole(format!("A form may have at most {PAIRS_MAX} values."))
}
