//! Deciding about requests: who gets a code.
//!
//! A request is decided by whichever server comes first, in one transaction with the message in the outbox. A server that stops
//! in between leaves it to another one, or to its successor.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::HOUR;
use super::code_text;
use super::rules::{AccountFacts, Withheld, check_account, latest};
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::clock::Clock;
use crate::directory::error::Error;
use crate::directory::limiter::LeftOut;
use crate::directory::messages::{Template, render};
use crate::directory::model::{
    Channel, CodeSettings, CodeTarget, Locale, MessageKind, NewMessage, User, e164, masked, spellings,
};
use crate::directory::secrets_key::{Purpose, SecretsKeys};
use crate::directory::store::codes::{UndecidedCode, undecided};
use crate::directory::{Directory, MessageSettings};

/// Requests that one call decides.
const BATCH: usize = 100;
const DAY: Duration = Duration::from_hours(24);
/// How long [`Directory::wait_for_codes`] waits. Another server may have stopped before it decided.
const WAIT: Duration = Duration::from_secs(5);

/// A request that was decided.
struct Decided {
    channel: Channel,
    /// The number or address, of which a few characters are shown.
    shown: String,
    /// The account, if there is one.
    user: Option<User>,
    /// Why no code is sent.
    withheld: Option<Withheld>,
}

impl Decided {
    fn details(&self) -> Value {
        match self.withheld {
            None => json!({ "channel": self.channel.name(), "to": self.shown, "sent": true }),
            Some(withheld) => json!({
                "channel": self.channel.name(), "to": self.shown, "sent": false, "why": withheld.why(),
            }),
        }
    }
}

/// What a decision needs besides the request.
#[derive(Clone)]
struct Means {
    settings: Arc<CodeSettings>,
    messages: MessageSettings,
    keys: Arc<SecretsKeys>,
    clock: Clock,
}

impl Directory {
    /// Waits until a code was asked for here, at most a few seconds.
    pub async fn wait_for_codes(&self) {
        // It is the same whether it was woken or not.
        let _ = tokio::time::timeout(WAIT, self.codes_asked.notified()).await;
    }

    /// Decides about all requests for codes, and returns their number.
    pub async fn decide_codes(&self) -> Result<usize, Error> {
        let mut decided = 0;
        loop {
            let batch = self.decide_some_codes().await?;
            decided += batch;
            if batch < BATCH {
                return Ok(decided);
            }
        }
    }

    /// Decides about the oldest requests, and returns their number. A request that fails does not stop the others.
    async fn decide_some_codes(&self) -> Result<usize, Error> {
        let (Some(settings), Some(keys)) = (&self.codes, self.code_keys()) else { return Ok(0) };
        let means = Means {
            settings: settings.clone(),
            messages: self.message_settings(),
            keys,
            clock: self.clock.clone(),
        };
        let waiting: Vec<UndecidedCode> =
            self.store.all(undecided(i64::try_from(BATCH).unwrap_or(1))).await?;
        let mut failed = None;
        let mut decided = 0;
        for asked in waiting {
            match self.decide_code(asked, means.clone()).await {
                Ok(()) => decided += 1,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(decided), Err)
    }

    async fn decide_code(&self, asked: UndecidedCode, means: Means) -> Result<(), Error> {
        let origin = Origin { address: asked.address, is_proxy: false, request_id: asked.request_id };
        let actor = Actor { who: Who::Anonymous, origin };
        let id = asked.id;
        let decided = self.change(&actor, move |change| decide(change, &means, id)).await?;
        let Some(decided) = decided else { return Ok(()) };
        self.count_code(Some(decided.channel), decided.withheld.map_or("sent", Withheld::why));
        match decided.withheld {
            Some(_) => self.record_withheld(&actor, decided).await,
            None => Ok(()),
        }
    }

    /// Records a request that got no code, limited like refused sign-ins.
    async fn record_withheld(&self, actor: &Actor, decided: Decided) -> Result<(), Error> {
        let account = decided.user.as_ref().map(|user| user.id);
        let taken = self.refused_sign_ins.take(self.clock.now(), actor.origin.network(), account);
        let Some(left_out) = taken else { return Ok(()) };
        self.change(actor, move |change| record(change, &decided, left_out)).await
    }
}

fn record(change: &Change<'_, '_>, decided: &Decided, left_out: LeftOut) -> Result<(), Error> {
    let object = decided.user.as_ref().map_or(AuditObject::Directory, AuditObject::User);
    audit::record(change, "code.request", &object, left_out.add_to(decided.details()))
}

/// Decides about a request. `None` if another server has done so.
fn decide(change: &Change<'_, '_>, means: &Means, id: i64) -> Result<Option<Decided>, Error> {
    let Some(asked) = change.tx.undecided_code(id)? else { return Ok(None) };
    let target = CodeTarget::from_stored(asked.channel, asked.asked_for.clone());
    let found = find(change, means, &target)?;
    let (user, verdict) = match found {
        Err(withheld) => (None, Err(withheld)),
        Ok((user, to)) => {
            let verdict = check(change, means, (&user, &to), &asked)?;
            (Some(user), verdict.map(|()| to))
        }
    };
    let shown = masked(verdict.as_deref().unwrap_or(target.text()));
    let (channel, withheld) = (asked.channel, verdict.as_ref().err().copied());
    let decided = Decided { channel, shown, user, withheld };
    if let (Some(user), Ok(to)) = (&decided.user, verdict) {
        send(change, means, (user, to), &asked)?;
        record(change, &decided, LeftOut::default())?;
    }
    if withheld == Some(Withheld::All) {
        record_limit(change, means)?;
    }
    change.tx.decide_code(id, withheld == Some(Withheld::All))?;
    Ok(Some(decided))
}

/// Finds the only account with the number or address, and where its messages go: to what is stored, not to what was typed.
fn find(
    change: &Change<'_, '_>,
    means: &Means,
    target: &CodeTarget,
) -> Result<Result<(User, String), Withheld>, Error> {
    let home = means.settings.home.as_ref();
    let mut users = match target.channel() {
        Channel::Sms if e164(target.text(), home).is_none() => return Ok(Err(Withheld::Incomplete)),
        Channel::Sms => change.tx.users_of_number(&spellings(target.text(), home))?,
        Channel::Mail => change.tx.users_of_mail(target.text())?,
    };
    let (Some(user), others) = (users.pop(), users.len()) else { return Ok(Err(Withheld::Unknown)) };
    let to = match target.channel() {
        Channel::Sms => user.mobile_number.as_deref().and_then(|number| e164(number, home)),
        Channel::Mail => user.email.clone(),
    };
    Ok(match to {
        _ if others > 0 => Err(Withheld::Shared),
        Some(to) => Ok((user, to)),
        None => Err(Withheld::Unknown),
    })
}

/// Checks the rules for an account.
fn check(
    change: &Change<'_, '_>,
    means: &Means,
    (user, to): (&User, &str),
    asked: &UndecidedCode,
) -> Result<Result<(), Withheld>, Error> {
    let (tx, now) = (change.tx, change.now);
    if asked.expires_at <= now {
        return Ok(Err(Withheld::TooLate));
    }
    let facts = AccountFacts {
        changed_at: tx.contact_changed_at(user.id, asked.channel)?,
        failures: tx.code_failures(Some(user.id))?,
        sent: tx.sent_codes(
            user.id,
            &asked.client,
            [now.saturating_sub(HOUR), now.saturating_sub(DAY), latest(now)],
        )?,
    };
    Ok(check_account(&means.settings, user, (asked.channel, to), facts, now))
}

/// Makes a code, and puts it into the outbox.
fn send(
    change: &Change<'_, '_>,
    means: &Means,
    (user, to): (&User, String),
    asked: &UndecidedCode,
) -> Result<(), Error> {
    let code = means.clock.code(means.settings.digits)?;
    let mac = means.keys.mac(Purpose::Code, code_text(asked.id, &code).as_bytes())?;
    change.tx.send_code(asked.id, user.id, mac, change.now)?;
    let template = match asked.channel {
        Channel::Sms => Template::CodeSms,
        Channel::Mail => Template::CodeMail,
    };
    let locale = Locale::from_name(&asked.locale).unwrap_or(means.messages.locale);
    let minutes = asked.expires_at.since(change.now).as_secs().div_ceil(60).to_string();
    let values = [("code", code.as_str()), ("minutes", minutes.as_str())];
    let rendered = render(&means.messages.templates, template, locale, &values);
    let message = NewMessage {
        kind: MessageKind::Code,
        channel: asked.channel,
        to,
        user: Some(user.id),
        subject: rendered.subject,
        text: rendered.text,
        code: Some(code),
        locale,
        expires_at: asked.expires_at,
    };
    change.enqueue(&message).map(drop)
}

/// Records once an hour that the limit of all accounts together is reached.
fn record_limit(change: &Change<'_, '_>, means: &Means) -> Result<(), Error> {
    if change.tx.was_over_limit(change.now.saturating_sub(HOUR))? {
        return Ok(());
    }
    let details = json!({ "per_hour": means.settings.per_hour });
    audit::record(change, "code.limit", &AuditObject::Directory, details)
}
