//! Signatures of webhooks: the specification Standard Webhooks, version 1, with symmetric keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zeroize::Zeroizing;

/// What precedes the base64 of a secret.
const PREFIX: &str = "whsec_";
/// The shortest and the longest secret, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// While a secret is replaced, there are two.
const MOST: usize = 2;

/// The secrets of an endpoint. All of them sign.
pub struct SigningSecrets(Vec<hmac::Key>);

impl SigningSecrets {
    /// Parses the lines of a file. The error quotes nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let key = |line: &str| {
            let decoded = STANDARD.decode(line.strip_prefix(PREFIX)?).ok().map(Zeroizing::new)?;
            LENGTHS.contains(&decoded.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &decoded))
        };
        let keys: Option<Vec<_>> = lines.map(key).collect();
        let allowed = || "one or two lines, each with whsec_ and 24 to 64 bytes in base64".to_owned();
        keys.filter(|keys| (1..=MOST).contains(&keys.len())).map(Self).ok_or_else(allowed)
    }

    /// Returns the value of the header `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signed = [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body].concat();
        let signatures = self.0.iter().map(|key| format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed))));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secrets = SigningSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature =
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both =
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
        let two = SigningSecrets::parse(both).unwrap().sign("a", 1, b"");
        assert_eq!(two.split(' ').count(), 2);
        for wrong in [
            "",
            "hunter2",
            "whsec_",
            "whsec_AAAA",
            &format!("{both}{both}"),
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let error = SigningSecrets::parse(wrong).map(|_| ()).unwrap_err();
            assert!(error.starts_with("one or two lines"), "{error}");
        }
    }
}
