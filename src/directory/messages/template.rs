//! The messages that exist: their names, the way that they take, and their placeholders.

use super::placeholder::Placeholder;
use crate::directory::model::{Channel, Locale};

/// The texts that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Template {
    /// A code for signing in, by SMS.
    CodeSms,
    /// A code for signing in, by mail.
    CodeMail,
    /// A link for a new user.
    InvitationMail,
    /// A link for a user who has forgotten the password.
    PasswordResetMail,
    /// The password was changed.
    NoticePasswordMail,
    /// The e-mail address was changed.
    NoticeEmailMail,
    /// The mobile number was changed.
    NoticeNumberMail,
    /// A sign-in came from a new network.
    NoticeNetworkMail,
}

impl Template {
    /// Every template.
    pub const ALL: [Self; 8] = [
        Self::CodeSms,
        Self::CodeMail,
        Self::InvitationMail,
        Self::PasswordResetMail,
        Self::NoticePasswordMail,
        Self::NoticeEmailMail,
        Self::NoticeNumberMail,
        Self::NoticeNetworkMail,
    ];

    /// The name of its file, without language and ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeSms => "code_sms",
            Self::CodeMail => "code_mail",
            Self::InvitationMail => "invitation_mail",
            Self::PasswordResetMail => "password_reset_mail",
            Self::NoticePasswordMail => "notice_password_mail",
            Self::NoticeEmailMail => "notice_email_mail",
            Self::NoticeNumberMail => "notice_number_mail",
            Self::NoticeNetworkMail => "notice_network_mail",
        }
    }

    /// The way that its messages take.
    pub fn channel(self) -> Channel {
        if self == Self::CodeSms { Channel::Sms } else { Channel::Mail }
    }

    /// The name of the file with this template in a language.
    pub fn file_name(self, locale: Locale) -> String {
        format!("{}.{}.txt", self.name(), locale.name())
    }

    /// The placeholders that it may have.
    pub(super) fn placeholders(self) -> &'static [Placeholder] {
        use Placeholder::{Code, Days, Host, Link, Minutes, Network, Service, Time, Username};
        match self {
            Self::CodeSms | Self::CodeMail => &[Code, Minutes, Service, Host],
            Self::InvitationMail => &[Link, Days, Username, Service, Host],
            Self::PasswordResetMail => &[Link, Minutes, Username, Service, Host],
            Self::NoticePasswordMail | Self::NoticeEmailMail | Self::NoticeNumberMail => {
                &[Username, Time, Service, Host]
            }
            Self::NoticeNetworkMail => &[Username, Time, Network, Service, Host],
        }
    }

    /// The placeholder without which its messages are useless.
    pub(super) fn required(self) -> Option<Placeholder> {
        match self {
            Self::CodeSms | Self::CodeMail => Some(Placeholder::Code),
            Self::InvitationMail | Self::PasswordResetMail => Some(Placeholder::Link),
            _ => None,
        }
    }
}
