//! ISO 4217 currency codes and their minor units.
//! Only the table and its look-up; amounts live in `money`.

use std::{collections::HashMap, fmt, sync::LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The active codes of ISO 4217 by number of minor units.
///
/// Left out is what has no minor units because nobody is paid in it: metals, units of account, `XXX`, `XTS`.
const CODES: [(u8, &str); 4] = [
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE \
         CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD \
         HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK \
         MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD \
         RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH \
         USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// A currency by its ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    minor_units: u8,
}

/// The currencies by their codes.
static CURRENCIES: LazyLock<HashMap<&str, Currency, foldhash::fast::RandomState>> = LazyLock::new(|| {
    let of_units = |(minor_units, codes): (u8, &'static str)| {
        codes.split(' ').map(move |code| (code, Currency { code, minor_units }))
    };
    CODES.into_iter().flat_map(of_units).collect()
});

impl Currency {
    /// Reads an active alphabetic code, upper case only.
    pub fn parse(text: &str) -> Option<Self> {
        CURRENCIES.get(text).copied()
    }

    /// Returns the code, such as `EUR`.
    pub fn as_str(self) -> &'static str {
        self.code
    }

    /// Returns the number of decimals in which the currency is usually written: 2 for EUR, 0 for JPY.
    pub fn minor_units(self) -> u8 {
        self.minor_units
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom("not a currency; write its ISO 4217 code, such as EUR"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_follow_iso_4217() {
        for (code, units) in
            [("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3), ("CLF", 4), ("XOF", 0)]
        {
            let currency = Currency::parse(code).unwrap();
            assert_eq!((currency.as_str(), currency.minor_units()), (code, units));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "eur", "Eur", "EU", "EURO", "XXX", "XTS", "XAU", "DEM", "AED AFN", "ZZZ", " EUR", "€"]
        {
            assert_eq!(Currency::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_table_lists_each_code_once() {
        let mut codes: Vec<_> = CODES.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(
            codes.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        );
    }

    #[test]
    fn json_is_the_code() {
        let euro = Currency::parse("EUR").unwrap();
        assert_eq!(serde_json::to_string(&euro).unwrap(), "\"EUR\"");
        assert_eq!(serde_json::from_str::<Currency>("\"EUR\"").unwrap(), euro);
        assert!(serde_json::from_str::<Currency>("\"eur\"").is_err());
    }
}
