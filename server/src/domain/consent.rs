//! Whether a visitor has consented to being tracked, from the signals in the URL: IAB TCF v2, also inside of GPP.
//! Whether a link asks for consent is its own matter.

use base64::{Engine, alphabet, engine::GeneralPurpose, engine::general_purpose::NO_PAD};

use super::{click_parameters::ClickParameters, words::words};

words! {
    /// What a link does about consent.
    Consent {
        /// Tracks every click.
        Ignore = "ignore",
        /// Where the GDPR applies, tracks only those who have consented.
        Restrictive = "restrictive",
    }
}

/// The section of GPP that holds a TC string, as `gpp_sid` names it.
const GPP_SECTION_TCF: &str = "2";
const VERSION_BITS: usize = 6;
const VERSION: u8 = 2;
/// Where `PurposesConsent` begins in the core segment; its first bit is purpose 1, "store and/or access information
/// on a device". Source: IAB Tech Lab, Consent string and vendor list formats v2.
const PURPOSE_1_BIT: usize = 152;
/// Strings in the wild come with bits beyond the last whole byte.
const BASE64_URL: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

impl Consent {
    /// Whether a visit with these signals may be recorded.
    pub fn permits(self, parameters: &ClickParameters) -> bool {
        match self {
            Self::Ignore => true,
            Self::Restrictive => !applies(parameters) || is_granted(parameters),
        }
    }
}

/// Whether the URL says that the GDPR applies.
fn applies(parameters: &ClickParameters) -> bool {
    parameters.get("gdpr") == Some("1")
        || parameters.get("gpp_sid").is_some_and(|ids| ids.split([',', '_']).any(|id| id == GPP_SECTION_TCF))
}

fn is_granted(parameters: &ClickParameters) -> bool {
    // Sections come in the order of their numbers, after the header: a TC string is the first one.
    let in_gpp = || parameters.get("gpp").and_then(|text| text.split('~').nth(1));
    parameters.get("gdpr_consent").or_else(in_gpp).is_some_and(has_purpose_1)
}

/// Whether a TC string grants purpose 1. What cannot be read grants nothing.
fn has_purpose_1(text: &str) -> bool {
    let core = text.split('.').next().unwrap_or_default();
    let Ok(bytes) = BASE64_URL.decode(core.trim_end_matches('=')) else { return false };
    let is_read = bytes.first().is_some_and(|first| first >> (8 - VERSION_BITS) == VERSION);
    let purpose_1 = bytes.get(PURPOSE_1_BIT / 8).is_some_and(|byte| byte >> (7 - PURPOSE_1_BIT % 8) & 1 == 1);
    is_read && purpose_1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A TC string of version 2 with these bits for purposes 1 to 8.
    fn tc_string(version: u8, purposes: u8) -> String {
        let mut core = [0; 30];
        core[0] = version << 2;
        core[19] = purposes;
        BASE64_URL.encode(core)
    }

    fn permits(query: &str) -> bool {
        Consent::Restrictive.permits(&ClickParameters::parse(query))
    }

    #[test]
    fn purpose_1_decides() {
        for (version, purposes, granted) in [
            (2, 0b1000_0000, true),
            (2, 0b0111_1111, false),
            (2, 0xff, true),
            (2, 0, false),
            (1, 0xff, false),
        ] {
            assert_eq!(has_purpose_1(&tc_string(version, purposes)), granted, "{version} {purposes:b}");
            assert_eq!(has_purpose_1(&format!("{}.YAAAAAAAAAAA", tc_string(version, purposes))), granted);
        }
    }

    #[test]
    fn a_string_of_a_real_consent_platform_is_read() {
        // The example of the specification: all of purposes 1 to 10 are consented.
        assert!(has_purpose_1("CPXxRfAPXxRfAAfKABENB-CgAP_AAAAAAAYgAAAAAAAA"));
        assert!(!has_purpose_1("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"));
    }

    #[test]
    fn what_does_not_apply_needs_no_consent() {
        for query in ["", "gdpr=0", "gdpr=0&gdpr_consent=", "gdpr=yes", "gdpr_consent=x", "gpp_sid=7,22"] {
            assert!(permits(query), "{query}");
        }
        assert!(Consent::Ignore.permits(&ClickParameters::parse("gdpr=1")));
    }

    #[test]
    fn where_it_applies_consent_must_be_granted() {
        let (yes, no) = (tc_string(2, 0x80), tc_string(2, 0));
        for refused in ["gdpr=1", "gdpr=1&gdpr_consent=", "gdpr=1&gdpr_consent=1", "gpp_sid=2", "gpp_sid=7_2"]
        {
            assert!(!permits(refused), "{refused}");
        }
        assert!(!permits(&format!("gdpr=1&gdpr_consent={no}")));
        assert!(permits(&format!("gdpr=1&gdpr_consent={yes}")));
        assert!(permits(&format!("gpp_sid=2&gpp=DBABMA~{yes}")));
        assert!(!permits(&format!("gpp_sid=2&gpp=DBABMA~{no}")));
        assert!(!permits(&format!("gdpr=1&gdpr_consent={no}&gpp=DBABMA~{yes}")), "its own parameter wins");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,80}") {
            let _ = has_purpose_1(&text);
        }
    }
}
