//! The settings of signing in with a one-time code, as a part of the list in `config`.
//!
//! Never in here: code, or another setting.

/// Adds the settings of codes to a list, and passes it to the macro that is named first.
macro_rules! code_settings {
    ($then:ident! $($others:tt)*) => {
        $then! {
            $($others)*

            /// Whether people can sign in with a one-time code that is sent to their mobile number or e-mail address.
            ///
            /// If not, the paths below `/api/users/auth/otp` do not exist. It needs `secrets_key_file`, and `sms_provider` or
            /// `mail_provider`: without them a server does not start. A code proves less than a password, because a telephone number
            /// can be taken over, and a mailbox read. docs/messages.md has the rules.
            Serve otp_sign_in: bool = "false";

            /// Whether admins can sign in with a code as well. Their passwords would protect less then.
            Serve otp_for_admins: bool = "false";

            /// How many digits a code has. With fewer than 6, `wardroom doctor` warns: NIST SP 800-63B asks for 20 random bits.
            Serve otp_digits: Number<5, 8> = "6";

            /// How long a code is valid. There is no new one before.
            Serve otp_lifetime: TimeSpan<60_000, 600_000> = "5m";

            /// The countries that codes are sent to by SMS: the beginnings of numbers, such as `+49,+43`. If empty, all.
            ///
            /// Codes go only to numbers that users have. Users who may change their own number could choose an expensive one.
            Serve otp_countries: CallingCodes = "";

            /// The calling code of numbers that begin with one zero, such as `+49`. Without it, codes go only to numbers with `+` or `00`.
            Serve otp_home_country: Option<CallingCode> = "";

            /// How many codes an account gets in an hour.
            Serve otp_per_account_hour: Number<1, 1_000_000> = "5";

            /// How many codes an account gets in a day.
            Serve otp_per_account_day: Number<1, 1_000_000> = "10";

            /// How many codes are sent in an hour because one client asked: an IPv4 address, or an IPv6 /64 network.
            Serve otp_per_client_hour: Number<1, 1_000_000> = "10";

            /// For how many numbers and addresses one client may ask in an hour. Beyond that it gets status 429.
            ///
            /// They count whether or not an account has them.
            Serve otp_targets_per_client_hour: Number<1, 1_000_000> = "20";

            /// How many codes are sent in an hour in total. Beyond that, no code is sent, and the audit trail has an event.
            Serve otp_per_hour: Number<1, 10_000_000> = "500";
        }
    };
}
