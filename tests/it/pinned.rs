//! Files that are generated from the code must match it: `openapi.json` and `docs/settings.md`.
//!
//! If one of these fails after an intended change, generate the file again with the command in the message.

use wardroom::config::settings_markdown;
use wardroom::http::api;

const OPENAPI: &str = include_str!("../../openapi.json");
const SETTINGS: &str = include_str!("../../docs/settings.md");

#[test]
fn openapi_json_is_the_document_that_is_served() {
    let document = format!("{:#}\n", api::document());
    assert!(document == OPENAPI, "run: cargo run -- openapi > openapi.json");
}

#[test]
fn the_settings_reference_is_the_settings() {
    assert!(settings_markdown() == SETTINGS, "run: cargo run -- config reference > docs/settings.md");
}
