//! The settings of messages to people, as a part of the list in `config`.
//!
//! They are last in the documentation. Never in here: code, or another setting.

/// Adds the settings of messages to a list, and passes it to the macro that is named first.
macro_rules! message_settings {
    ($then:ident! $($others:tt)*) => {
        $then! {
            $($others)*

            /// The file with the secrets key, which encrypts what must be readable again, such as messages that wait.
            ///
            /// `wardroom secrets generate` makes one. Without it, no message is sent, and features that need messages are off. The
            /// file must not be accessible to every user of the machine, and belongs in no backup of the database. Without this
            /// setting, Wardroom uses the service manager's credential `secrets_key` if it exists (systemd: `LoadCredential=`).
            Common secrets_key_file: Option<PathBuf> = "";

            /// What sends text messages: `none`, `webhook` or `twilio`.
            Common sms_provider: SmsProvider = "none";

            /// What sends mails: `none`, `webhook` or `smtp`.
            Common mail_provider: MailProvider = "none";

            /// The URL of the provider `webhook`. Each message is sent there as signed JSON; docs/messages.md describes it.
            Common message_webhook_url: Option<EndpointUrl> = "";

            /// A file with the secret that signs messages to `message_webhook_url`: `whsec_` and 32 bytes in base64.
            ///
            /// While the secret is replaced, the file may have two lines; then each message has two signatures. The file must not be
            /// accessible to every user of the machine. Without this setting, Wardroom uses the service manager's credential
            /// `message_webhook_secret` if it exists.
            Common message_webhook_secret_file: Option<PathBuf> = "";

            /// The URL of the provider `twilio`, in front of `/2010-04-01/Accounts`. Other services have the same API.
            Common twilio_url: EndpointUrl = "https://api.twilio.com";

            /// The account of the provider `twilio`: its SID, which is also the name in HTTP Basic authentication.
            Common twilio_account: Option<MessageWord> = "";

            /// A file that holds only the auth token of `twilio_account`.
            ///
            /// The file must not be accessible to every user of the machine. Without this setting, Wardroom uses the service
            /// manager's credential `twilio_token` if it exists.
            Common twilio_token_file: Option<PathBuf> = "";

            /// The number or name that text messages of the provider `twilio` come from, such as `+15005550006`.
            Common twilio_from: Option<MessageWord> = "";

            /// The mail server of the provider `smtp`.
            Common smtp_host: Option<MailHost> = "";

            /// The port of the mail server.
            Common smtp_port: Number<1, 65_535> = "587";

            /// How the connection to the mail server is protected.
            ///
            /// `starttls` begins in clear text and refuses a server that does not offer TLS; `tls` begins with TLS (port 465). `none` is
            /// for a server on the same machine only: 127.0.0.1, ::1 or localhost, without a password.
            Common smtp_security: SmtpSecurity = "starttls";

            /// A PEM file with the certificates of the authorities that may vouch for the mail server. Without it, those of the
            /// system count.
            Common smtp_ca_file: Option<PathBuf> = "";

            /// The name for signing in to the mail server. Without it, Wardroom does not sign in.
            Common smtp_user: Option<MessageWord> = "";

            /// A file that holds only the password of `smtp_user`.
            ///
            /// The file must not be accessible to every user of the machine. Without this setting, Wardroom uses the service
            /// manager's credential `smtp_password` if it exists.
            Common smtp_password_file: Option<PathBuf> = "";

            /// The sender of mails, such as `Accounts <accounts@example.com>`.
            Common mail_from: Option<MailSender> = "";

            /// The networks that HTTP calls may reach in addition, although they are closed by default.
            ///
            /// Without it, calls of `message_webhook_url` and `twilio_url` reach every address except those of this machine
            /// (loopback), link-local ones (where clouds serve credentials), multicast and unspecified ones, and never this server's
            /// own listeners. A name is looked up once for each connection, and the address that was checked is the one that is used.
            /// The same holds for `s3_endpoint`, except that an address that is written there, or `localhost`, is open.
            Common outbound_networks: NetworkList = "";

            /// A PEM file with the certificates of the authorities that may vouch for the endpoints of HTTP calls. Without it,
            /// those of the system count.
            Common outbound_ca_file: Option<PathBuf> = "";

            /// The language of messages: `en` (English) or `fa` (Persian).
            Common messages_locale: MessageLocale = "en";

            /// The name of your service in messages, at most 30 characters.
            Common messages_service: ServiceName = "Wardroom";

            /// A directory with texts of messages that replace the built-in ones.
            ///
            /// Its files are named like the built-in ones, such as `code_sms.en.txt`. A server checks them when it starts, and refuses
            /// unknown names and placeholders, and texts that can become too long. docs/messages.md lists all of them.
            Common messages_dir: Option<PathBuf> = "";

            /// How long an invitation can be used.
            Common invitation_lifetime: TimeSpan<86_400_000, 7_776_000_000> = "7days";

            /// Whether people may ask for a link when they have forgotten their password.
            ///
            /// It needs a provider of mails, the secrets key, `public_url` and the admin site, which has the page of the link. Without
            /// one of them there are no such links.
            Serve password_reset: bool = "true";

            /// How long a link for a forgotten password can be used.
            Serve password_reset_lifetime: TimeSpan<300_000, 86_400_000> = "30m";

            /// How many links for a forgotten password one account gets in an hour. Requests beyond that get the same response, and
            /// no link.
            ///
            /// Requests from each network that the user has signed in from count by themselves, so strangers cannot use up
            /// the links of a user.
            Serve password_resets_per_account: Number<1, 1000> = "5";

            /// How many links for a forgotten password one client (an IPv4 address, or an IPv6 /64) gets in an hour, for all accounts.
            Serve password_resets_per_client: Number<1, 100_000> = "20";

            /// How long an e-mail address must have been the same before it gets a link for a forgotten password, and how long a number
            /// or address that someone else than its user has set gets no one-time code.
            ///
            /// The user learns of the change before it can be used. Otherwise, who can change the address of an account, as with a stolen
            /// token, could also change its password. Numbers and addresses that users set themselves get codes at once. A user who is
            /// restored from the recycle bin waits as well; an import does not count.
            Serve contact_settle: TimeSpan<0, 2_592_000_000> = "1day";

            /// Whether people get a mail when their password, e-mail address or mobile number was changed, at the e-mail address that
            /// they had before.
            Common change_notices: bool = "true";

            /// Whether people get a mail after a sign-in from a network (an IPv4 /24, or an IPv6 /64) that they did not use before.
            ///
            /// The first sign-in of a user causes no mail. Of each user, the last 20 addresses are remembered.
            Serve network_notices: bool = "true";

            /// How many messages may wait in the outbox. Beyond that, requests that need a message get status 429.
            Common outbox_limit: Number<1, 1_000_000> = "10000";

            /// How long the outcome of a message stays listed, without its text.
            ///
            /// At most ten times `outbox_limit` outcomes are kept.
            Common outbox_keep: TimeSpan<60_000, 315_360_000_000> = "7days";
        }
    };
}
