//! The rules of one-time codes: who gets one, and which one is good. Nothing here reads a database.

use std::time::Duration;

use crate::directory::model::{Channel, CodeSettings, Timestamp, User};
use crate::directory::store::codes::{OpenSpan, SentCodes, StoredCode};

/// Tries of one code. After that it is dead.
pub(super) const TRIES_MAX: i64 = 5;
/// Wrong codes in a row after which an account gets and takes no code, until another way of signing in succeeds.
pub(super) const FAILURES_MAX: i64 = 100;

/// Why a request gets no code. A client never learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// No account has the number or address.
    Unknown,
    /// Several accounts have it.
    Shared,
    /// The number does not say which country it belongs to.
    Incomplete,
    /// The account is not active.
    Inactive,
    /// Admins may not sign in with a code.
    Admin,
    /// Someone else changed the number or address a short time ago.
    Changed,
    /// Codes are not sent to this country.
    Country,
    /// There were too many wrong codes in a row.
    Failures,
    /// The account had too many codes.
    Account,
    /// The client asked for too many codes.
    Client,
    /// All accounts together had too many codes.
    All,
    /// The request was decided too late.
    TooLate,
}

impl Withheld {
    /// The reason, for the audit trail and the metrics.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Shared => "shared",
            Self::Incomplete => "incomplete",
            Self::Inactive => "inactive",
            Self::Admin => "admin",
            Self::Changed => "changed",
            Self::Country => "country",
            Self::Failures => "failures",
            Self::Account => "account_limit",
            Self::Client => "client_limit",
            Self::All => "house_limit",
            Self::TooLate => "too_late",
        }
    }
}

/// What the decision about an account depends on, besides the account.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountFacts {
    /// When someone else changed the number or address.
    pub(super) changed_at: Option<Timestamp>,
    /// Wrong codes in a row.
    pub(super) failures: i64,
    /// The codes that were sent before.
    pub(super) sent: SentCodes,
}

/// Decides whether an account gets a code at a number in the form of E.164, or at an address.
pub(super) fn check_account(
    settings: &CodeSettings,
    user: &User,
    (channel, contact): (Channel, &str),
    facts: AccountFacts,
    now: Timestamp,
) -> Result<(), Withheld> {
    check_person(settings, user)?;
    if facts.changed_at.is_some_and(|at| at > now.saturating_sub(settings.contact_settle)) {
        return Err(Withheld::Changed);
    }
    if channel == Channel::Sms && !is_allowed_country(settings, contact) {
        return Err(Withheld::Country);
    }
    if facts.failures >= FAILURES_MAX {
        return Err(Withheld::Failures);
    }
    check_limits(settings, facts.sent)
}

/// Decides whether a person may sign in with a code at all.
pub(super) fn check_person(settings: &CodeSettings, user: &User) -> Result<(), Withheld> {
    match user {
        User { is_active: false, .. } => Err(Withheld::Inactive),
        User { is_admin: true, .. } if !settings.for_admins => Err(Withheld::Admin),
        _ => Ok(()),
    }
}

fn is_allowed_country(settings: &CodeSettings, number: &str) -> bool {
    settings.countries.is_empty() || settings.countries.iter().any(|country| country.begins(number))
}

fn check_limits(settings: &CodeSettings, sent: SentCodes) -> Result<(), Withheld> {
    for (count, most, withheld) in [
        (sent.of_account_hour, settings.per_account_hour, Withheld::Account),
        (sent.of_account_day, settings.per_account_day, Withheld::Account),
        (sent.of_client, settings.per_client_hour, Withheld::Client),
        (sent.of_all, settings.per_hour, Withheld::All),
    ] {
        if count >= i64::from(most) {
            return Err(withheld);
        }
    }
    Ok(())
}

/// The clocks of replicas may differ by this much.
const TOLERANCE: Duration = Duration::from_mins(1);

/// Returns the latest time that something can have been noted at. A later one was noted before the clock went back.
pub(super) fn latest(now: Timestamp) -> Timestamp {
    now.plus(TOLERANCE).unwrap_or(Timestamp::LAST)
}

/// Returns when an open code ends.
pub(super) fn open_span(settings: &CodeSettings, now: Timestamp) -> OpenSpan {
    OpenSpan { after: now, until: latest(now).plus(settings.lifetime).unwrap_or(Timestamp::LAST) }
}

/// Whether a code is still valid.
pub(super) fn is_in_time(code: &StoredCode, span: OpenSpan) -> bool {
    code.expires_at > span.after && code.expires_at <= span.until
}

/// Whether a code may still be tried.
pub(super) fn is_open(code: &StoredCode, span: OpenSpan) -> bool {
    code.ended_at.is_none() && is_in_time(code, span) && code.tries < TRIES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::CallingCode;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    const NONE: SentCodes = SentCodes { of_account_hour: 0, of_account_day: 0, of_client: 0, of_all: 0 };
    const FACTS: AccountFacts = AccountFacts { changed_at: None, failures: 0, sent: NONE };

    #[test]
    fn who_gets_a_code() {
        let ada = User::new("ada".to_owned(), at(0));
        let number = (Channel::Sms, "+4971112345");
        let check = |change: &dyn Fn(&mut CodeSettings, &mut User, &mut AccountFacts)| {
            let (mut settings, mut user, mut facts) = (CodeSettings::default(), ada.clone(), FACTS);
            change(&mut settings, &mut user, &mut facts);
            check_account(&settings, &user, number, facts, at(0))
        };
        assert_eq!(check(&|_, _, _| {}), Ok(()));
        assert_eq!(check(&|_, user, _| user.is_active = false), Err(Withheld::Inactive));
        assert_eq!(check(&|_, user, _| user.is_admin = true), Err(Withheld::Admin));
        assert_eq!(check(&|settings, user, _| (settings.for_admins, user.is_admin) = (true, true)), Ok(()));
        assert_eq!(check(&|_, user, _| user.is_staff = true), Ok(()));
        for (seconds, expected) in
            [(-86_399, Err(Withheld::Changed)), (-86_400, Ok(())), (60, Err(Withheld::Changed))]
        {
            assert_eq!(check(&|_, _, facts| facts.changed_at = Some(at(seconds))), expected, "{seconds}");
        }
        assert_eq!(
            check(&|settings, _, facts| {
                settings.contact_settle = Duration::ZERO;
                facts.changed_at = Some(at(0));
            }),
            Ok(())
        );
        let country = |code: &str| vec![CallingCode::parse(code).unwrap()];
        assert_eq!(check(&|settings, _, _| settings.countries = country("+98")), Err(Withheld::Country));
        assert_eq!(check(&|settings, _, _| settings.countries = country("+49")), Ok(()));
        assert_eq!(check(&|_, _, facts| facts.failures = 99), Ok(()));
        assert_eq!(check(&|_, _, facts| facts.failures = 100), Err(Withheld::Failures));
        for (sent, expected) in [
            (SentCodes { of_account_hour: 4, of_account_day: 9, of_client: 9, of_all: 499 }, Ok(())),
            (SentCodes { of_account_hour: 5, ..NONE }, Err(Withheld::Account)),
            (SentCodes { of_account_day: 10, ..NONE }, Err(Withheld::Account)),
            (SentCodes { of_client: 10, ..NONE }, Err(Withheld::Client)),
            (SentCodes { of_all: 500, ..NONE }, Err(Withheld::All)),
        ] {
            assert_eq!(check(&|_, _, facts| facts.sent = sent), expected, "{sent:?}");
        }
        let mail = check_account(
            &CodeSettings { countries: country("+98"), ..CodeSettings::default() },
            &ada,
            (Channel::Mail, "ada@example.com"),
            FACTS,
            at(0),
        );
        assert_eq!(mail, Ok(()), "countries are those of numbers");
    }

    #[test]
    fn a_code_is_open_until_its_end_its_use_or_its_fifth_try() {
        let code = |tries, ended_at| StoredCode {
            id: 1,
            channel: Channel::Sms,
            target: vec![],
            expires_at: at(300),
            user: None,
            code: None,
            tries,
            ended_at,
        };
        let open =
            |code: &StoredCode, seconds| is_open(code, open_span(&CodeSettings::default(), at(seconds)));
        assert!(open(&code(0, None), 0) && open(&code(4, None), 299));
        assert!(!open(&code(5, None), 0) && !open(&code(0, None), 300));
        assert!(!open(&code(0, Some(at(1))), 2));
        // The clock went back.
        assert!(open(&code(0, None), -60) && !open(&code(0, None), -61));
    }
}
