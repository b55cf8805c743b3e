//! The express lane of forward authentication: a subrequest in the usual form, of a user who is let through. Everything else
//! goes the common way.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;

use super::answer::{AnswerHead, Prepared};
use super::head::Head;
use super::{FastPathMiss, catch_panic, text};
use crate::config::AccessLog;
use crate::directory::model::ActivityKind;
use crate::http::app::App;
use crate::http::forward_auth::{ClientAddress, ROUTE, Rule, RuleKinds, credentials, decide};
use crate::http::pipeline::Rejection;
use crate::http::request_log::{InFlight, given_id, note_unreadable_client};
use crate::http::site::nearest;
use crate::server::{Express, Peer};
use crate::telemetry::{ForwardAuthLabels, Metrics};

/// What is the same for every answer, made once.
pub(in crate::http) struct PreparedForwardAuth {
    answer: Prepared,
    /// Counts of users who were let through, by the kinds of conditions; made when they are needed.
    allowed: [OnceLock<Counter>; RuleKinds::COUNT],
}

impl PreparedForwardAuth {
    pub(in crate::http) fn new(metrics: &Metrics, settings: &crate::http::settings::HttpSettings) -> Self {
        let answer = Prepared::of_route(metrics, ROUTE, "", super::super::headers::VARIES, settings);
        Self { answer, allowed: [const { OnceLock::new() }; RuleKinds::COUNT] }
    }

    /// Answers the message that `bytes` begin with, if it has the usual form, into `out`.
    pub(in crate::http) async fn serve(
        &self,
        app: &App,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Express<FastPathMiss> {
        let Some((rule, head)) = Head::forward_auth(bytes) else { return Express::NotMine };
        if app.settings().access_log == AccessLog::All {
            return Express::NotMine;
        }
        let started = Instant::now();
        let _in_flight = InFlight::new(&app.metrics().in_flight);
        let work = pin!(self.answer(app, peer, (rule, &head), last, out));
        match catch_panic(work).await {
            Ok(Some(last)) => {
                app.metrics().durations.0.observe(started.elapsed().as_secs_f64());
                Express::Answered { length: head.length, last }
            }
            Ok(None) => Express::HandedOn(FastPathMiss { started, rejection: None }),
            Err(rejection) => Express::HandedOn(FastPathMiss { started, rejection: Some(rejection) }),
        }
    }

    /// Writes the answer and returns whether the connection closes with it; `None` leaves the answer to the common way.
    async fn answer(
        &self,
        app: &App,
        peer: Peer,
        (rule, head): (&[u8], &Head<'_>),
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<bool>, Box<Rejection>> {
        let Some(rule) = text(Some(rule)).and_then(Rule::parse) else { return Ok(None) };
        // The common way logs a scheme that it cannot read.
        if !matches!(head.forwarded_proto, None | Some(b"http" | b"https")) {
            return Ok(None);
        }
        let Ok(key) = credentials(head.authorization, &app.settings().token_keywords) else {
            return Ok(None);
        };
        let client = || nearest(head.forwarded_for.unwrap_or_default(), &app.settings().site, peer.address);
        let address = || {
            let client = client();
            ClientAddress { address: client.address, known: client.known() }
        };
        let accepted = || _ = self.answer.accepted.inc();
        let decided = pin!(decide(app, &rule, &key, accepted, address));
        let allowed = decided.await?;
        self.answer.answered.inc();
        app.directory().note_activity(ActivityKind::RequestAnswered);
        self.count(app, rule.kinds());
        let last = last || head.close;
        let (now, end, status) = (allowed.now, allowed.end(), allowed.status);
        let lines = allowed.lines();
        let parts = AnswerHead { now, end, status, last, origin: None, tls: peer.tls, lines, length: 0 };
        let id = |out: &mut Vec<u8>| match given_id(app, peer, text(head.request_id)) {
            Some(id) => out.extend_from_slice(id.as_bytes()),
            None => app.directory().clock().write_request_id(out),
        };
        self.answer.write_head(&parts, id, out);
        // The common way logs this too, of what is answered there.
        if allowed.is_noted {
            note_unreadable_client(app, client());
        }
        Ok(Some(last))
    }

    fn count(&self, app: &App, kinds: RuleKinds) {
        let Some(slot) = self.allowed.get(kinds.index()) else { return };
        let labels = || ForwardAuthLabels { rule: kinds.label(), result: "allowed" };
        slot.get_or_init(|| app.metrics().forward_auth.get_or_create_owned(&labels())).inc();
    }
}
