//! Who is calling: tokens, sign-ins and passwords.
//!
//! `callers` authenticates the token of a request. `sign_in` signs users in with a password, and out. `own_password`
//! checks a person's present password and replaces it. `browser` has what only sessions of the admin site need. `attempts` limits how often a password may be tried; `clients`
//! reports the networks that people sign in from, `otp` signs users in with a one-time code, `links` sets passwords by links
//! that are mailed for `invitations` and a `password_reset`, `notices` are mails about changes, `open_attempts` forgets failed
//! attempts, and `decoys` makes unknown names take as long as users.

mod attempts;
mod browser;
mod callers;
mod clients;
mod decoys;
mod invitations;
mod links;
mod mails;
pub(super) mod notices;
mod open_attempts;
mod otp;
mod own_password;
mod password_reset;
mod sign_in;

pub use self::clients::ClientsSeen;
pub use self::invitations::InvitationStatus;
pub(super) use self::invitations::invite;
pub use self::links::{FoundLink, LINK_PATH};
pub use self::open_attempts::OpenAttempts;
pub(super) use self::open_attempts::forget as forget_attempts;
pub use self::otp::CodeBinding;
pub(super) use self::own_password::{PasswordProof, password_required, write_password};
pub use self::password_reset::ForgottenLogin;
pub use self::sign_in::RefusedSignIn;
