//! What needs a person, for the overview: the most urgent first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::charts::{Charts, grouped};
use super::visit::Visit;
use super::words::{When, bytes_in_words};
use crate::directory::Directory;
use crate::directory::access::{ReadAudit, ReadTokens, holds_permission};
use crate::directory::activity::{ENDS_SOON, NOTED_MAX, TokensOfNote};
use crate::directory::model::{AuditFilter, ListedToken, RecordedEvent, Timestamp};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Tokens of each sort that are shown.
const TOKENS: usize = NOTED_MAX - 1;
/// Failed sign-ins that are looked at.
const REFUSED_MAX: usize = 100;
/// Users whose failed sign-ins are shown.
const USERS: usize = 3;
/// Fewer failed sign-ins for one user are everyday life.
const MANY: usize = 5;
/// More failed sign-ins than this need someone to look at them together.
const ALARMING: u64 = 20;
/// How long failed sign-ins are news.
const NEWS: Duration = Duration::from_hours(24);

/// What was read of it.
pub(super) struct Attention {
    tokens: TokensOfNote,
    refused: Vec<RecordedEvent>,
    /// Failed sign-ins of a day, if the charts are of a day.
    failed: Option<(u64, &'static str)>,
}

/// One thing that needs attention.
pub(super) struct ShownAttention {
    /// `is-bad` or `is-warn`.
    pub(super) tone: &'static str,
    /// The icon.
    pub(super) icon: &'static str,
    /// The words before the name.
    pub(super) before: String,
    /// The name of what it is about; may be empty.
    pub(super) name: String,
    /// The words after the name.
    pub(super) after: &'static str,
    /// More about it.
    pub(super) about: String,
    /// Where one can do something; may be empty.
    pub(super) path: String,
    /// When.
    pub(super) at: Option<When>,
}

impl Attention {
    /// Reads what the person may see, with two statements.
    pub(super) async fn read(
        directory: &Directory,
        visit: &Visit,
        charts: Option<&Charts>,
    ) -> Result<Self, ApiError> {
        let tokens = match holds_permission::<ReadTokens>(&visit.identity) {
            true => directory.tokens_of_note(&visit.actor).await?,
            false => TokensOfNote::default(),
        };
        let mut refused = Vec::new();
        if holds_permission::<ReadAudit>(&visit.identity) {
            let filter = AuditFilter { action: Some("sign_in.refused".to_owned()), ..AuditFilter::default() };
            let limit = u32::try_from(REFUSED_MAX).unwrap_or(u32::MAX);
            refused = directory.audit_events(&visit.actor, &filter, limit).await?;
            let since = visit.request.now.saturating_sub(NEWS);
            refused.retain(|event| event.at >= since);
        }
        let day = charts.filter(|charts| charts.span.is_a_day());
        let failed = day.map(|charts| (charts.failed_sign_ins, charts.span.words));
        Ok(Self { tokens, refused, failed })
    }

    /// Shows it.
    pub(super) fn shown(&self, app: &App, visit: &Visit) -> Vec<ShownAttention> {
        let now = visit.request.now;
        let mut shown = Vec::new();
        if visit.identity.user.is_admin {
            shown.extend(disk(app));
            shown.extend(versions(app));
        }
        shown.extend(self.failed_sign_ins(now));
        let ending = &self.tokens.ending;
        shown.extend(ending.iter().take(TOKENS).filter_map(|listed| ends(listed, now)));
        if ending.len() > TOKENS {
            let until = now.plus(ENDS_SOON).unwrap_or(now).to_string();
            let path = "/admin/tokens?kind=api&state=active&expires_to=";
            shown
                .push(more("More tokens end soon", format!("{path}{}", until.get(..10).unwrap_or_default())));
        }
        let unused = &self.tokens.unused;
        // What ends soon is there already.
        let ends_soon = |listed: &&ListedToken| ending.iter().any(|one| one.token.id == listed.token.id);
        let rest = unused.iter().take(TOKENS).filter(|listed| !ends_soon(listed));
        shown.extend(rest.map(|listed| never_used(listed, now)));
        if unused.len() > TOKENS {
            let path = "/admin/tokens?kind=api&state=active&is_used=false".to_owned();
            shown.push(more("More tokens were never used", path));
        }
        shown
    }

    /// Sums up the failed sign-ins of each user.
    fn failed_sign_ins(&self, now: Timestamp) -> Vec<ShownAttention> {
        let mut by_user: BTreeMap<(&str, Option<i64>), (usize, &RecordedEvent)> = BTreeMap::new();
        for event in self.refused.iter().filter(|event| !event.event.object_name.is_empty()) {
            let user = (event.event.object_name.as_str(), event.event.object_id);
            by_user.entry(user).or_insert((0, event)).0 += 1;
        }
        let mut users: Vec<_> = by_user.into_values().collect();
        users.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let users = users.into_iter().take(USERS).map(|(count, last)| failed(count, last, now));
        self.many_failed().into_iter().chain(users).collect()
    }

    /// Many failed sign-ins, of whatever user: the events are limited when there are many, the counters are not.
    fn many_failed(&self) -> Option<ShownAttention> {
        let (count, words) = self.failed.filter(|(count, _)| *count >= ALARMING)?;
        Some(ShownAttention {
            tone: "is-bad",
            icon: "stop",
            before: format!("{} sign-ins failed in {words}", grouped(count)),
            about: "Failed attempts make the next one wait, for the user and for the network.".to_owned(),
            path: "/admin/audit?action=sign_in.refused".to_owned(),
            ..ShownAttention::default()
        })
    }
}

/// Failed sign-ins for a user, the last of which is this event.
fn failed(count: usize, last: &RecordedEvent, now: Timestamp) -> ShownAttention {
    let before = match count {
        1 => "A sign-in failed for".to_owned(),
        many => format!("{many} sign-ins failed for"),
    };
    let from = last.event.address.as_ref();
    ShownAttention {
        tone: if count >= MANY { "is-bad" } else { "is-warn" },
        icon: "stop",
        before,
        name: last.event.object_name.clone(),
        about: from.map(|from| format!("The last one came from {from}.")).unwrap_or_default(),
        path: last.event.object_id.map(|id| format!("/admin/users/{id}")).unwrap_or_default(),
        at: Some(When::of(last.at, now)),
        ..ShownAttention::default()
    }
}

impl Default for ShownAttention {
    fn default() -> Self {
        Self {
            tone: "is-warn",
            icon: "warn",
            before: String::new(),
            name: String::new(),
            after: "",
            about: String::new(),
            path: String::new(),
            at: None,
        }
    }
}

fn of_owner(listed: &ListedToken, text: &str) -> String {
    listed
        .username
        .as_ref()
        .map_or_else(|| text.to_owned(), |owner| format!("It is of {owner}. {text}").trim_end().to_owned())
}

fn ends(listed: &ListedToken, now: Timestamp) -> Option<ShownAttention> {
    Some(ShownAttention {
        icon: "clock",
        before: "The token".to_owned(),
        name: listed.token.name.clone(),
        after: "ends soon",
        about: of_owner(listed, ""),
        path: format!("/admin/tokens/{}", listed.token.id.get()),
        at: Some(When::of(listed.token.expires_at?, now)),
        ..ShownAttention::default()
    })
}

fn never_used(listed: &ListedToken, now: Timestamp) -> ShownAttention {
    ShownAttention {
        icon: "token",
        before: "The token".to_owned(),
        name: listed.token.name.clone(),
        after: "was never used",
        about: of_owner(listed, "A key that no one uses is only a risk."),
        path: format!("/admin/tokens/{}", listed.token.id.get()),
        at: Some(When::of(listed.token.created_at, now)),
        ..ShownAttention::default()
    }
}

fn more(text: &str, path: String) -> ShownAttention {
    ShownAttention { icon: "token", before: text.to_owned(), path, ..ShownAttention::default() }
}

/// A disk that is nearly full.
fn disk(app: &App) -> Option<ShownAttention> {
    let (free, whole) = app.directory().disk_space()?;
    let percent = free.saturating_mul(100) / whole.max(1);
    (percent < 10).then(|| ShownAttention {
        tone: if percent < 5 { "is-bad" } else { "is-warn" },
        before: format!("The disk of the database is nearly full: {percent} % is free"),
        about: format!("{} of {}.", bytes_in_words(free), bytes_in_words(whole)),
        ..ShownAttention::default()
    })
}

/// Servers of several versions, as during an upgrade.
fn versions(app: &App) -> Option<ShownAttention> {
    let counted = app.metrics().statistics.last()?;
    (counted.servers.len() > 1).then(|| ShownAttention {
        before: "The servers have different versions".to_owned(),
        about: "During an upgrade that is usual; afterwards one of them was forgotten.".to_owned(),
        ..ShownAttention::default()
    })
}
