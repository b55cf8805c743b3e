//! States in the document which callers an operation is for. That follows from what its handler extracts, so the prose
//! cannot disagree with the check.

use std::fmt;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::handler::Handler;
use utoipa_axum::router::UtoipaMethodRouter;

use super::leaked::CountedReport;
use crate::directory::access::{Introspect, NeedsPermission};
use crate::http::app::App;
use crate::http::body::{Body, FormBody};
use crate::http::caller::{
    Authenticated, EndsItself, Introspects, MayChangePermissions, ReadsMe, ReadsOwn, Require, RequireBoth,
    Staff, WritesOwn,
};
use crate::http::code_ticket::SentTicket;
use crate::http::conditions::IfMatch;
use crate::http::language::ClientLanguage;

/// The placeholder for the callers in the description of an operation.
const PLACEHOLDER: &str = "{callers}";

/// The callers that an operation is for; later ones are fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AllowedCallers {
    Anyone,
    Authenticated,
    Staff,
    /// Admins, and staff who hold the permission of this code.
    Holders(i64),
    /// Admins, and staff who hold the permissions of both codes.
    HoldersOfBoth(i64, i64),
    Admins,
}

impl fmt::Display for AllowedCallers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone | Self::Authenticated => f.write_str("every user"),
            Self::Staff => f.write_str("staff and admins"),
            Self::Admins => f.write_str("admins"),
            Self::HoldersOfBoth(one, other) => {
                write!(f, "admins, and staff with permissions {one} and {other}")
            }
            Self::Holders(code) => write!(f, "admins, and staff with permission {code}"),
        }
    }
}

/// An argument of a handler, and the callers that it lets pass.
pub(super) trait Argument {
    fn callers() -> AllowedCallers {
        AllowedCallers::Anyone
    }
}

impl Argument for State<App> {}
impl<T> Argument for Extension<T> {}
impl<T> Argument for Path<T> {}
impl Argument for RawQuery {}
impl Argument for IfMatch {}
impl Argument for Body {}
impl Argument for FormBody {}
impl Argument for CountedReport {}
impl Argument for ClientLanguage {}
impl Argument for SentTicket {}

macro_rules! lets_pass {
    ($($callers:ident: $($argument:ident)+;)+) => {
        $($(impl Argument for $argument {
            fn callers() -> AllowedCallers {
                AllowedCallers::$callers
            }
        })+)+
    };
}

lets_pass! {
    Authenticated: Authenticated EndsItself ReadsOwn WritesOwn;
    Staff: Staff ReadsMe;
    Admins: MayChangePermissions;
}

impl Argument for Introspects {
    fn callers() -> AllowedCallers {
        AllowedCallers::Holders(Introspect::CODE)
    }
}

impl<A: NeedsPermission> Argument for Require<A> {
    fn callers() -> AllowedCallers {
        AllowedCallers::Holders(A::CODE)
    }
}

impl<A: NeedsPermission, B: NeedsPermission> Argument for RequireBoth<A, B> {
    fn callers() -> AllowedCallers {
        AllowedCallers::HoldersOfBoth(A::CODE, B::CODE)
    }
}

/// All arguments of a handler. The first type of the tuple is axum's own.
pub(super) trait Arguments {
    fn callers() -> AllowedCallers;
}

macro_rules! arguments {
    ($($argument:ident)+) => {
        impl<M, $($argument: Argument),+> Arguments for (M, $($argument,)+) {
            fn callers() -> AllowedCallers {
                [$($argument::callers()),+].into_iter().max().unwrap_or(AllowedCallers::Anyone)
            }
        }
    };
}

arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);

/// Writes the callers of a handler into the descriptions of its operation.
pub(super) fn with_callers<H, T>(
    (schemas, mut paths, router): UtoipaMethodRouter<App>,
    _: H,
) -> UtoipaMethodRouter<App>
where
    H: Handler<T, App>,
    T: Arguments,
{
    let callers = T::callers().to_string();
    for item in paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            if let Some(description) = &mut operation.description {
                *description = description.replace(PLACEHOLDER, &callers);
            }
        }
    }
    (schemas, paths, router)
}

#[cfg(test)]
mod tests {
    use super::super::{document, users};
    use super::*;

    #[test]
    fn the_callers_are_those_that_the_handler_lets_pass() {
        let of = |path: &str, method: &str| {
            let description = &document()["paths"][path][method]["description"];
            description.as_str().unwrap().to_owned()
        };
        assert!(of("/api/users", "post").contains("For admins, and staff with permission 1221, who"));
        assert!(of("/api/users/me/tokens", "post").ends_with("For staff and admins."));
        assert!(of("/api/users/me/tokens", "get").ends_with("For every user."));
        assert!(of("/api/users/permissions", "post").ends_with("For admins."));
        assert!(!document().to_string().contains(PLACEHOLDER));
        fn callers<T: Arguments, H: Handler<T, App>>(_: H) -> AllowedCallers {
            T::callers()
        }
        assert_eq!(callers(users::create), AllowedCallers::Holders(1221));
    }
}
