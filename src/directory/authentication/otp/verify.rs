//! Checking a code.
//!
//! A bare code is bound to a request: by the ticket of the browser that asked, or by the network of the client if exactly one
//! code was asked for from there. Otherwise a guess would be tried against every code that is out.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::rules::{FAILURES_MAX, check_person, is_in_time, is_open, open_span};
use super::{CODE_PROOF, client_of, code_text, id_of, is_off};
use crate::directory::Directory;
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::authentication::attempts::{Attempt, ClaimedAccount};
use crate::directory::authentication::notices;
use crate::directory::authentication::sign_in::{RefusedSignIn, SignInKind, issue};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{
    Channel, CodeSettings, CodeTarget, CodeTicket, Token, TokenKey, TypedCode, User, UserId, UserKey,
    Violation, masked,
};
use crate::directory::secrets_key::{Purpose, SecretsKeys};
use crate::directory::store::codes::{StoredCode, of_client, of_id, of_target};
use crate::directory::tokens::TokenWithKey;

/// What binds a code to its request.
#[derive(Clone, Debug)]
pub enum CodeBinding {
    /// The number or address that it was asked for with.
    Target(CodeTarget),
    /// The ticket of a form.
    Ticket(CodeTicket),
    /// Nothing, or the ticket of a cookie, which may be an old one.
    Bare(Option<CodeTicket>),
}

/// A value of the form of an HMAC that no code has.
const NO_CODE: [u8; 37] = {
    let mut mac = [0; 37];
    mac[0] = 1;
    mac
};

/// What a code is checked against, besides its request.
struct Check {
    settings: Arc<CodeSettings>,
    keys: Arc<SecretsKeys>,
    id: Option<i64>,
    typed: TypedCode,
    kind: SignInKind,
    key: TokenKey,
    lifetime: Duration,
    attempt: Attempt,
}

/// The request that a code was found for, and the user it was sent to.
type Bound = Option<StoredCode>;

impl Directory {
    /// Signs a user in with a code, and returns a token with an expiry.
    pub async fn sign_in_with_code(
        &self,
        origin: &Origin,
        binding: CodeBinding,
        typed: TypedCode,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        self.sign_in_by_code(origin, binding, typed, SignInKind::Api).await
    }

    /// Does the same for a session of the admin site in a browser of this name.
    pub async fn sign_in_browser_with_code(
        &self,
        origin: &Origin,
        binding: CodeBinding,
        typed: TypedCode,
        browser: &str,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        self.sign_in_by_code(origin, binding, typed, SignInKind::Browser(browser.to_owned())).await
    }

    async fn sign_in_by_code(
        &self,
        origin: &Origin,
        binding: CodeBinding,
        typed: TypedCode,
        kind: SignInKind,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        let [accepted, failed, limited] = kind.activity();
        let bound = self.bound_code(origin, &binding).await?;
        let account = bound.as_ref().and_then(|code| code.user);
        let channel = bound.as_ref().map(|code| code.channel);
        let signed_in = self.check_code(origin, bound, typed, kind).await;
        let result = match &signed_in {
            Ok(_) => Some((accepted, "verified")),
            Err(RefusedSignIn { error: Error::Invalid(_), .. }) => Some((failed, "refused")),
            Err(RefusedSignIn { error: Error::Busy { .. }, .. }) => Some((limited, "limited")),
            Err(_) => None,
        };
        if let Some((kind, result)) = result {
            self.activity.note(kind);
            self.count_code(channel, result);
        }
        signed_in.map_err(|refused| RefusedSignIn { account, ..refused })
    }

    /// Finds the request that a code belongs to.
    async fn bound_code(&self, origin: &Origin, binding: &CodeBinding) -> Result<Bound, Error> {
        let (Some(settings), Some(keys)) = (&self.codes, self.code_keys()) else { return Err(is_off()) };
        let open = open_span(settings, self.clock.now());
        let ticket = match binding {
            CodeBinding::Target(target) => return self.store.first(of_target(&target.digest(), open)).await,
            CodeBinding::Ticket(ticket) => {
                let id = id_of(&keys, ticket).unwrap_or_default();
                return self.store.first(of_id(id)).await;
            }
            CodeBinding::Bare(ticket) => ticket.as_ref().and_then(|ticket| id_of(&keys, ticket)),
        };
        if let Some(id) = ticket {
            return self.store.first(of_id(id)).await;
        }
        // Clients behind a proxy that does not name them are many.
        let Some(_) = origin.client() else { return Err(target_required()) };
        let mut asked: Vec<StoredCode> = self.store.all(of_client(&client_of(origin), open)).await?;
        match (asked.pop(), asked.len()) {
            (_, 1..) => Err(target_required()),
            (only, _) => Ok(only),
        }
    }

    /// Counts the attempt, and checks the code.
    async fn check_code(
        &self,
        origin: &Origin,
        bound: Bound,
        typed: TypedCode,
        kind: SignInKind,
    ) -> Result<TokenWithKey, RefusedSignIn> {
        let (Some(settings), Some(keys)) = (&self.codes, self.code_keys()) else {
            return Err(is_off().into());
        };
        let user = bound.as_ref().and_then(|code| code.user);
        let claimed = match &bound {
            Some(code) => code.target.iter().map(|byte| format!("{byte:02x}")).collect(),
            None => format!("of {}", client_of(origin)),
        };
        let attempt = self.attempt_without_hash(origin, ClaimedAccount::Code(user, &claimed)).await?;
        let key = self.clock.token_key()?;
        let check = Check {
            settings: settings.clone(),
            keys,
            id: bound.as_ref().map(|code| code.id),
            typed,
            kind,
            key: key.clone(),
            lifetime: self.sign_in_lifetime,
            attempt,
        };
        let actor = Actor { who: Who::Anonymous, origin: origin.clone() };
        match self.change(&actor, move |change| verify(change, &check)).await? {
            Ok(token) => Ok(TokenWithKey { token, key }),
            Err(why) => Err(self.refuse_code(&actor, user, bound, why).await),
        }
    }

    /// Records a code that was refused under the user that it was sent to, limited like refused sign-ins.
    async fn refuse_code(
        &self,
        actor: &Actor,
        user: Option<UserId>,
        bound: Bound,
        why: &'static str,
    ) -> RefusedSignIn {
        let client = actor.origin.network();
        let taken = self.refused_sign_ins.take(self.clock.now(), client, user);
        let Some(left_out) = taken else { return wrong_code(why) };
        let channel = bound.map(|code| code.channel.name());
        let recorded = self.change(actor, move |change| {
            // A request without an account costs the same look-up, of an id that no user gets.
            let id = user.or_else(|| UserId::try_from(i64::MAX).ok());
            let user = id.map(|id| change.tx.user(&UserKey::Id(id))).transpose()?.flatten();
            let object = user.as_ref().map_or(AuditObject::Directory, AuditObject::User);
            let to = channel.zip(user.as_ref()).and_then(|(channel, user)| shown(channel, user));
            let details = json!({ "channel": channel, "to": to });
            audit::record(change, "code.refused", &object, left_out.add_to(details))
        });
        recorded.await.err().map_or_else(|| wrong_code(why), RefusedSignIn::from)
    }
}

/// Returns the stored number or address of a user, of which a few characters are shown.
fn shown(channel: &str, user: &User) -> Option<String> {
    let contact = if channel == Channel::Sms.name() { &user.mobile_number } else { &user.email };
    contact.as_deref().map(masked)
}

/// Checks a code, and makes the token if it is right. Otherwise counts the try, and returns why for the log.
fn verify(change: &Change<'_, '_>, check: &Check) -> Result<Result<Token, &'static str>, Error> {
    let (tx, span) = (change.tx, open_span(&check.settings, change.now));
    let code = check.id.map(|id| tx.code(id)).transpose()?.flatten();
    let user = code.as_ref().and_then(|code| code.user);
    let failures = tx.code_failures(user)?;
    let id = code.as_ref().map_or(0, |code| code.id);
    let expected = code.as_ref().and_then(|code| code.code.as_deref()).unwrap_or(&NO_CODE);
    // Computed and compared for every code, so that the time says nothing about it.
    let is_right =
        check.keys.has_mac(Purpose::Code, code_text(id, check.typed.as_str()).as_bytes(), expected);
    let Some(code) = code else {
        return Ok(Err("no open code was asked for with this number, address or from here"));
    };
    let why = match user {
        _ if code.ended_at.is_some() => "the code was used before",
        _ if !is_in_time(&code, span) => "the code has expired",
        _ if !is_open(&code, span) => "the code was tried too often",
        None => "no code was sent for this request",
        Some(_) if failures >= FAILURES_MAX => "the account gave too many wrong codes in a row",
        Some(user) if is_right => match accepted(change, check, (&code, user))? {
            Ok(user) => return sign_in(change, check, &code, &user).map(Ok),
            Err(why) => why,
        },
        Some(_) => "the code is wrong",
    };
    tx.count_try(code.id)?;
    tx.count_code_failure(user.filter(|_| !is_right && is_open(&code, span)))?;
    Ok(Err(why))
}

/// Checks that the user of a code may sign in, and still has the number or address.
fn accepted(
    change: &Change<'_, '_>,
    check: &Check,
    (code, user): (&StoredCode, UserId),
) -> Result<Result<User, &'static str>, Error> {
    let Some(user) = change.tx.user(&UserKey::Id(user))? else { return Ok(Err("the user was deleted")) };
    let contact = match code.channel {
        Channel::Sms => user.mobile_number.as_deref(),
        Channel::Mail => user.email.as_deref(),
    };
    let home = check.settings.home.as_ref();
    let target = contact.and_then(|contact| CodeTarget::of_stored(code.channel, contact, home));
    let is_same = target.is_some_and(|target| target.digest() == code.target);
    let may_enter = matches!(check.kind, SignInKind::Api) || user.is_staff || user.is_admin;
    Ok(match check_person(&check.settings, &user) {
        Err(_) => Err("the user is not active, or may not sign in with a code"),
        Ok(()) if !is_same => Err("the user has another number or address now"),
        Ok(()) if !may_enter => Err("the user is neither staff nor admin"),
        Ok(()) => Ok(user),
    })
}

/// Ends the codes of a user, and makes the token.
fn sign_in(change: &Change<'_, '_>, check: &Check, code: &StoredCode, user: &User) -> Result<Token, Error> {
    let (tx, now) = (change.tx, change.now);
    tx.end_codes(user.id, now)?;
    tx.signed_in(user.id, now, None)?;
    notices::of_network(change, user.id, check.attempt.network())?;
    check.attempt.succeeded(tx, user.id, now)?;
    let channel = code.channel.name();
    let details = json!({ "channel": channel, "to": shown(channel, user) });
    audit::record(change, "code.verify", &AuditObject::User(user), details)?;
    issue(change, user, (&check.key, &check.kind), check.lifetime, CODE_PROOF)
}

/// The one error for every code that is not good. `why` is for the log.
fn wrong_code(why: &'static str) -> RefusedSignIn {
    let error = Error::invalid("code", &Violation::Other("Invalid code.".to_owned()));
    RefusedSignIn { error, account: None, why: Some(why) }
}

/// The error for a code that belongs to no request in particular.
fn target_required() -> Error {
    Error::invalid("mobile_number", &Violation::Required)
}
