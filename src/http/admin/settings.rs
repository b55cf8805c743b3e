//! `/admin/settings`: the settings in force and where each came from, without secrets. For admins.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::page::SiteFrame;
use super::places::SETTINGS;
use super::responses::page;
use super::visit::Visit;
use crate::config::{self, SettingOrigin, ShownSetting};
use crate::directory::error::Denial;
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct SettingsPage {
    page: SiteFrame,
    rows: Vec<SettingRow>,
}

/// A setting in force.
struct SettingRow {
    key: &'static str,
    value: String,
    origin: String,
    is_set: bool,
    summary: String,
}

impl SettingRow {
    fn new(shown: &ShownSetting) -> Self {
        let known = config::SETTINGS.iter().find(|setting| setting.key == shown.key);
        let summary = known.and_then(|setting| setting.paragraphs().next()).unwrap_or_default();
        Self {
            key: shown.key,
            value: shown.value.clone(),
            origin: match &shown.origin {
                SettingOrigin::Default => String::new(),
                origin => origin.to_string(),
            },
            is_set: shown.origin != SettingOrigin::Default,
            summary: summary.replace('`', ""),
        }
    }
}

/// `GET /admin/settings`.
pub(super) async fn show(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    if !visit.identity.user.is_admin {
        return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
    }
    let rows = app.shown_settings().iter().map(SettingRow::new).collect();
    page(StatusCode::OK, &SettingsPage { page: SiteFrame::new("Settings", SETTINGS, &visit), rows })
}
