//! Owns the second factor: six digits that change every half minute.
//!
//! Source: RFC 6238 (TOTP) with SHA-1, 6 digits and 30 s, which every app takes.

use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::Algorithm;
use totp_rs::Builder;
use totp_rs::Secret;
use totp_rs::Totp;
use zeroize::Zeroizing;

use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::entropy::random_bytes;
use crate::secret::SecretBytes;

/// The key of a new second factor, in the shapes that an app takes it.
#[derive(Debug, Clone)]
pub struct NewFactor {
    /// In base 32, for typing.
    pub secret: SecretBytes,
    /// As a link.
    ///
    /// Shape: `otpauth://totp/…`. Source: Google Authenticator, Key Uri Format.
    pub uri: SecretBytes,
    /// The link as a QR code, an SVG picture.
    pub qr_svg: SecretBytes,
}

/// Makes a key. Units: 160 bits, as RFC 4226 advises.
pub(super) fn make(entropy: &dyn Entropy) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(random_bytes::<20>(entropy).to_vec())
}

/// Shows a key to its owner.
pub(super) fn show(key: &[u8], name: &str) -> NewFactor {
    let totp = totp(key, name);
    // The link carries a colon between issuer and name, so neither holds one; a name has no control characters.
    let uri = totp.to_url().unwrap_or_default();
    let picture = QrCode::new(uri.as_bytes())
        .map(|code| {
            code.render::<svg::Color<'_>>()
                .min_dimensions(200, 200)
                .build()
        })
        .unwrap_or_default();
    NewFactor {
        secret: SecretBytes::from(Secret::from(key.to_vec()).to_base32()),
        uri: SecretBytes::from(uri),
        qr_svg: SecretBytes::from(picture),
    }
}

/// Returns the time step of `code`, where it is one of now or of a step before or after it.
pub(super) fn step(key: &[u8], code: &str, at: UnixMillis) -> Option<u64> {
    totp(key, "").check(code, at.0 / 1000)
}

fn totp(key: &[u8], name: &str) -> Totp {
    let name: String = name.chars().filter(|letter| *letter != ':').collect();
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(key.to_vec())
        .with_account_name(name)
        .with_issuer(Some("Flash Node"))
        .build_noncompliant()
}

/// Returns the code of a moment, as an app shows it.
#[cfg(any(test, feature = "test-util"))]
#[must_use]
pub fn code_at(secret_base32: &str, at: UnixMillis) -> String {
    let key = Secret::try_from_base32(secret_base32).expect("base 32");
    let key: &[u8] = key.as_ref();
    totp(key, "").generate(at.0 / 1000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // Source: RFC 6238, appendix B, SHA-1, cut to the last 6 digits.
        let key = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let at = UnixMillis(seconds * 1000);
            assert_eq!(step(key, code, at), Some(seconds / 30), "{seconds}");
            assert_eq!(step(key, "000000", at), None);
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_no_more() {
        let key = b"12345678901234567890";
        let code = "081804";
        let step_of = 1_111_111_109 / 30;
        for (step_now, good) in [
            (step_of - 2, false),
            (step_of - 1, true),
            (step_of + 1, true),
            (step_of + 2, false),
        ] {
            let at = UnixMillis(step_now * 30 * 1000);
            assert_eq!(step(key, code, at).is_some(), good, "{step_now}");
        }
    }

    #[test]
    fn link_names_the_node_and_the_account() {
        let shown = show(b"12345678901234567890", "Front: till");
        let uri = shown.uri.expose_text().unwrap();
        assert!(
            uri.starts_with(
                "otpauth://totp/Flash%20Node:Front%20till?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            ),
            "{uri}"
        );
        assert!(shown.qr_svg.expose_text().unwrap().contains("<svg"));
    }
}
