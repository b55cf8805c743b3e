//! `/admin/audit`: the audit trail, newest first, with filters by name; and the check of its chain.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::event_words::groups_in;
use super::events::ShownEvent;
use super::filters::{FilterField, FilterKind, FilterNames, FilterPanel, FilterWords};
use super::form::Problems;
use super::listing::ListAddress;
use super::page::SiteFrame;
use super::places::AUDIT;
use super::responses::page;
use super::safe_path::without;
use super::views;
use super::visit::{Visit, VisitWith};
use super::words::date_in_words;
use crate::directory::access::ReadAudit;
use crate::directory::error::Error;
use crate::directory::model::{RecordedEvent, ValidationErrors};
use crate::directory::query::{AuditQuery, audit_head};
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// Events on a page.
const EVENTS: usize = 50;

const FILTERS: &[FilterField] = &[
    FilterField::typed("actor_name", "Done by", "done by"),
    FilterField::typed("object_name", "Done to (name of a user, group, token or permission)", "done to"),
    FilterField { name: "action", label: "What happened", kind: FilterKind::Named("about", ACTION_WORDS) },
    FilterField { name: "object_kind", label: "Done to a", kind: FilterKind::Named("done to", OBJECT_WORDS) },
    FilterField::typed("address", "From the address", "from the address"),
    FilterField::day("from", "Since", "since"),
    FilterField::day("to", "Before", "before"),
    FilterField::typed("actor_id", "Done by the user with the number", "done by user"),
    FilterField::typed("object_id", "Done to the object with the number", "done to number"),
];

const WORDS: FilterWords =
    FilterWords { search: "", searched: "", submit: "Show these events", sentence: "Only those" };

const OBJECT_WORDS: &[(&str, &str)] = &[
    ("user", "User"),
    ("group", "Group"),
    ("permission", "Permission"),
    ("token", "Token"),
    ("directory", "All data together"),
];

/// The actions, in words.
const ACTION_WORDS: &[(&str, &str)] = &[
    ("sign_in", "Signed in"),
    ("sign_in.refused", "A sign-in failed"),
    ("sign_in.confirm", "Confirmed who they are"),
    ("sign_in.idle", "Unused sign-ins ended"),
    ("sign_out", "Signed out"),
    ("user.create", "User created"),
    ("user.update", "User changed"),
    ("user.delete", "User deleted"),
    ("user.restore", "User restored"),
    ("user.purge", "User removed permanently"),
    ("user.set_password", "Password set"),
    ("user.set_password.refused", "Wrong current password"),
    ("user.unlock", "User unlocked"),
    ("code.request", "One-time code asked for"),
    ("code.verify", "One-time code was right"),
    ("code.refused", "One-time code refused"),
    ("code.limit", "Too many one-time codes"),
    ("invitation.send", "Invitation sent"),
    ("invitation.revoke", "Invitation revoked"),
    ("password_reset.request", "Link for a forgotten password sent"),
    ("password_reset.refused", "No link for a forgotten password"),
    ("notice.left_out", "Notice left out"),
    ("group.create", "Group created"),
    ("group.update", "Group changed"),
    ("group.add_members", "Members added"),
    ("group.remove_members", "Members removed"),
    ("group.delete", "Group deleted"),
    ("group.restore", "Group restored"),
    ("group.purge", "Group removed permanently"),
    ("permission.create", "Permission created"),
    ("permission.rename", "Permission renamed"),
    ("permission.remove", "Permission removed"),
    ("token.issue", "Token issued"),
    ("token.update", "Token changed"),
    ("token.rotate", "Token got a new key"),
    ("token.revoke", "Token revoked"),
    ("token.refused", "Ended token refused"),
    ("token.leaked", "Token reported as leaked"),
    ("token.find", "Key looked up"),
    ("token.prune", "Ended tokens deleted"),
    ("request.refused", "Request refused"),
    ("refusals.left_out", "Refusals counted only"),
    ("value.taken", "Taken names met"),
    ("view.remove", "View removed"),
    ("view.save", "View saved"),
    ("message.queue", "Message queued by an operator"),
    ("message.sent", "Message sent"),
    ("message.failed", "Message given up"),
    ("message.retry", "Message tried again"),
    ("message.drop", "Message withdrawn"),
    ("secrets.rotate", "Secrets key replaced"),
    ("directory.import", "Rows imported"),
    ("directory.restore", "Backup restored"),
];

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct AuditPage {
    page: SiteFrame,
    filters: FilterPanel,
    days: Vec<AuditDay>,
    count: usize,
    next: Option<String>,
    previous: Option<String>,
}

/// The events of a day.
struct AuditDay {
    /// As `2026-03-01`.
    date: String,
    /// As `1 Mar 2026`.
    words: String,
    events: Vec<ShownEvent>,
}

/// `GET /admin/audit`.
pub(super) async fn list(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    let address = ListAddress::new(AUDIT, &visit.request.query, "");
    let query = match AuditQuery::parse(address.parameters(), &["before"]) {
        Ok(query) => query,
        Err(faults) => {
            let mut view = view(&visit, &address, Some(&faults));
            view.page.title = "Problem: audit trail".to_owned();
            return page(StatusCode::BAD_REQUEST, &view);
        }
    };
    let limit = u32::try_from(EVENTS + 1).unwrap_or(u32::MAX);
    let mut found = app.directory().audit_events(&visit.actor, &query.filter, limit).await?;
    let more = found.len() > EVENTS;
    found.truncate(EVENTS);
    let names = app.directory().group_names(&visit.actor, &groups_in(&found)).await?;
    let mut view = view(&visit, &address, None);
    view.filters = view.filters.with_saved(views::of_list(&app, &visit, &address).await?);
    view.count = found.len();
    view.next = found.last().filter(|_| more).map(|last| address.with("before", &last.id.to_string()));
    view.previous = query.filter.before.map(|_| address.without("before"));
    view.days = days(&found, |event| ShownEvent::with_names(event, visit.request.now, &names));
    page(StatusCode::OK, &view)
}

fn view(visit: &Visit, address: &ListAddress, faults: Option<&ValidationErrors>) -> AuditPage {
    let mut filters = FilterPanel::new(address, FILTERS, &WORDS, &FilterNames::default());
    if let Some(faults) = faults {
        filters = filters.refused(faults);
    }
    filters.csv = without_before(&address.at("/admin/audit.csv"));
    // A new filter begins with the newest event.
    filters.hidden.retain(|(name, _)| name != "before");
    for one in &mut filters.in_force {
        one.path = without_before(&one.path);
    }
    AuditPage {
        page: SiteFrame::new("Audit trail", AUDIT, visit),
        filters,
        days: Vec::new(),
        count: 0,
        next: None,
        previous: None,
    }
}

/// Takes the position in the list from an address.
fn without_before(path: &str) -> String {
    without(path, &["before"])
}

/// Sorts events, newest first, by their days.
fn days(events: &[RecordedEvent], show: impl Fn(&RecordedEvent) -> ShownEvent) -> Vec<AuditDay> {
    let mut days: Vec<AuditDay> = Vec::new();
    for event in events {
        let at = event.at.to_string();
        let date = at.split('T').next().unwrap_or_default().to_owned();
        match days.last_mut() {
            Some(day) if day.date == date => day.events.push(show(event)),
            _ => days.push(AuditDay {
                words: date_in_words(&date).unwrap_or_else(|| date.clone()),
                date,
                events: vec![show(event)],
            }),
        }
    }
    days
}

#[derive(Template)]
#[template(path = "admin/audit_verify.html")]
struct VerifyAuditPage {
    page: SiteFrame,
    expected: String,
    problems: Problems,
    result: Option<ChainCheck>,
}

/// What a check of the chain has found.
struct ChainCheck {
    good: u64,
    head: String,
    /// Why the trail is not complete; empty if it is.
    why: &'static str,
    /// The first event that breaks the chain.
    broken: Option<i64>,
    was_expected: bool,
}

impl VerifyAuditPage {
    fn new(visit: &Visit) -> Self {
        Self {
            page: SiteFrame::new("Check the audit trail", AUDIT, visit),
            expected: String::new(),
            problems: Problems::default(),
            result: None,
        }
    }
}

/// `GET /admin/audit/verify`.
pub(super) async fn ask_verify(visit: VisitWith<ReadAudit>) -> Result<Response, ApiError> {
    page(StatusCode::OK, &VerifyAuditPage::new(&visit))
}

/// `POST /admin/audit/verify`: reads the whole chain. It changes nothing, but is too much work for a link.
pub(super) async fn verify(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let expected = fields.text("expect_head").unwrap_or_default().trim().to_owned();
    fields.end()?;
    let mut view = VerifyAuditPage { expected: expected.clone(), ..VerifyAuditPage::new(&visit) };
    let head = match expected.as_str() {
        "" => None,
        text => match audit_head(text) {
            Ok(head) => Some(head),
            Err(violation) => {
                let faults = ValidationErrors::of("expect_head", &violation);
                view.problems = Problems::of(&faults, &[("expect_head", "Head")]);
                view.page.title = format!("Problem: {}", view.page.title);
                return page(StatusCode::BAD_REQUEST, &view);
            }
        },
    };
    match app.directory().verify_audit(&visit.actor, head.as_deref()).await {
        Ok(found) => {
            view.result = Some(ChainCheck {
                good: found.good,
                why: found.why().unwrap_or_default(),
                broken: found.broken.map(|(id, _)| id),
                was_expected: found.expected_seen == Some(true),
                head: found.head,
            });
            page(StatusCode::OK, &view)
        }
        Err(error @ Error::Unavailable(_)) => {
            tracing::warn!(%error, "the audit trail was not checked");
            let text = "The check did not end in time. The person who runs this server can check the whole \
                        trail with “wardroom audit verify”.";
            view.problems = Problems::whole(text);
            page(StatusCode::SERVICE_UNAVAILABLE, &view)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::audit::ACTIONS;

    /// The choice of actions is the list of actions that are recorded.
    #[test]
    fn every_action_can_be_chosen() {
        let mut words: Vec<_> = ACTION_WORDS.iter().map(|(action, _)| *action).collect();
        words.sort_unstable();
        let mut actions: Vec<_> = ACTIONS.iter().map(|(action, _)| *action).collect();
        actions.sort_unstable();
        assert_eq!(words, actions);
    }

    #[test]
    fn a_filter_that_is_taken_away_begins_at_the_newest_event() {
        for (path, expected) in [
            ("/admin/audit", "/admin/audit"),
            ("/admin/audit?before=7", "/admin/audit"),
            ("/admin/audit?action=sign%5Fin&before=7&to=x", "/admin/audit?action=sign%5Fin&to=x"),
        ] {
            assert_eq!(without_before(path), expected);
        }
    }
}
