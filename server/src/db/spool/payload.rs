//! How clicks, impressions and postbacks are written into the spool: JSON with a name for each field, under a kind that carries
//! the version of its form. Rows and scopes stay without serialisation of their own: the forms below mirror them,
//! and the compiler says when one has a field that the other lacks.
//!
//! A later version reads what an earlier one wrote: fields that it does not know are passed over, and a new field
//! must be optional here (`Option`, or `#[serde(default)]`). Any other change is a new version beside the old one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Entry;
use crate::{
    db::{
        received::Received,
        rows::{
            document::Document,
            records::{Click, Impression},
        },
        scope::PartnerScope,
    },
    domain::{
        attribution::{KeyPowers, Proof},
        click_id::{ClickId, ClickIdError, Touch},
        code::Code,
        conversion::ConversionStatus,
        currency::Currency,
        ids::*,
        money::Micros,
        postback::{Form, Intent, Report},
        refusal::{FieldError, Refusal},
        time::Timestamp,
        trace::Origin,
        visitor::ClickClass,
    },
};

const CLICK: &str = "click/1";
/// An impression has the fields of a click.
const IMPRESSION: &str = "impression/1";
const POSTBACK: &str = "postback/1";

/// Writes an entry: its kind, and its bytes.
pub(super) fn write(entry: &Entry) -> serde_json::Result<(&'static str, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut json = serde_json::Serializer::new(&mut bytes);
    let kind = match entry {
        Entry::Click(click) => ClickForm::serialize(click, &mut json).map(|()| CLICK),
        Entry::Impression(impression) => {
            ClickForm::serialize(&Impression::clone(impression).into(), &mut json).map(|()| IMPRESSION)
        }
        Entry::Postback(received) => PostbackForm::serialize(received, &mut json).map(|()| POSTBACK),
    };
    Ok((kind?, bytes))
}

/// Reads an entry; none for a kind, a version or a form that this version does not know.
pub(super) fn read(kind: &str, bytes: &[u8]) -> Option<Entry> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // A report may be nested as deeply as its parser takes, and stands a few levels deeper here.
    json.disable_recursion_limit();
    let entry = match kind {
        CLICK => Entry::Click(Box::new(ClickForm::deserialize(&mut json).ok()?)),
        IMPRESSION => Entry::Impression(Box::new(ClickForm::deserialize(&mut json).ok()?.into())),
        POSTBACK => Entry::Postback(Box::new(PostbackForm::deserialize(&mut json).ok()?)),
        _ => return None,
    };
    json.end().is_ok().then_some(entry)
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Click")]
struct ClickForm {
    partner_id: PartnerId,
    #[serde(with = "bare_click_id")]
    id: ClickId,
    link_id: LinkId,
    advertiser_id: AdvertiserId,
    campaign_id: CampaignId,
    creative_id: Option<CreativeId>,
    publisher_id: Option<PublisherId>,
    clicked_at: Timestamp,
    class: ClickClass,
    reason: Option<String>,
    country: Option<String>,
    details: Document,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Received")]
struct PostbackForm {
    #[serde(rename = "partner_id", with = "owner")]
    scope: PartnerScope,
    postback_id: PostbackId,
    conversion_id: ConversionId,
    delta_id: RowId,
    received_at: Timestamp,
    form: Form,
    key_id: Option<KeyId>,
    #[serde(with = "KeyPowersForm")]
    powers: KeyPowers,
    message_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_index: Option<i32>,
    #[serde(default, skip_serializing_if = "is_false")]
    is_test: bool,
    #[serde(default)]
    origin: Origin,
    request: Document,
    #[serde(default, with = "click_read")]
    click: Option<Result<ClickId, ClickIdError>>,
    #[serde(default = "Touch::click", skip_serializing_if = "Touch::is_click")]
    touch: Touch,
    #[serde(with = "outcome")]
    report: Result<Report, Refusal>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "KeyPowers")]
struct KeyPowersForm {
    advertisers: Vec<AdvertiserId>,
    may_decide_status: bool,
    #[serde(default, with = "ProofForm", skip_serializing_if = "is_signature")]
    proof: Proof,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_signature(proof: &Proof) -> bool {
    *proof == Proof::Signature
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Proof", rename_all = "snake_case")]
enum ProofForm {
    Signature,
    Token,
    WeakToken,
    NotEnforced(#[serde(with = "code_word")] Code),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Report")]
struct ReportForm {
    advertiser: Option<Reference<AdvertiserId>>,
    goal: String,
    click_id: Option<String>,
    customer_id: Option<String>,
    publisher: Option<Reference<PublisherId>>,
    order_id: Option<String>,
    amount: Option<Micros>,
    currency: Option<Currency>,
    status: Option<ConversionStatus>,
    event_time: Timestamp,
    extras: Map<String, Value>,
    #[serde(with = "IntentForm")]
    intent: Intent,
    unknown: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Intent", rename_all = "snake_case")]
enum IntentForm {
    Count,
    Validate,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Refusal")]
struct RefusalForm {
    #[serde(with = "code_word")]
    code: Code,
    detail: String,
    hint: Option<String>,
    errors: Vec<FieldError>,
    facts: Map<String, Value>,
}

/// The bytes of a click id without the MAC, in base32.
#[derive(Serialize, Deserialize)]
struct BareClickId(#[serde(with = "bare_click_id")] ClickId);

mod bare_click_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::{base32, click_id::ClickId};

    pub(super) fn serialize<S: Serializer>(id: &ClickId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base32::encode(id.bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClickId, D::Error> {
        let bytes = base32::decode(&String::deserialize(deserializer)?).map(ClickId::from_bytes);
        bytes.ok_or_else(|| D::Error::custom("not 16 bytes in base32"))
    }
}

mod code_word {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::code::Code;

    pub(super) fn serialize<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let word = String::deserialize(deserializer)?;
        let code = Code::ALL.iter().find(|code| code.as_str() == word).copied();
        code.ok_or_else(|| D::Error::custom("no such code"))
    }
}

/// A scope is written as its partner. It was established when the message was authenticated, before it had to wait;
/// only this file makes it from stored bytes, and only from bytes whose checksum fits.
mod owner {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{db::scope::PartnerScope, domain::ids::PartnerId};

    pub(super) fn serialize<S: Serializer>(scope: &PartnerScope, serializer: S) -> Result<S::Ok, S::Error> {
        scope.id().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartnerScope, D::Error> {
        PartnerId::deserialize(deserializer).map(PartnerScope::established)
    }
}

mod click_read {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::BareClickId;
    use crate::domain::click_id::{ClickId, ClickIdError};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum ClickReadForm {
        Genuine(BareClickId),
        Malformed { received: usize },
        NotGenuine,
    }

    type ClickRead = Option<Result<ClickId, ClickIdError>>;

    pub(super) fn serialize<S: Serializer>(click: &ClickRead, serializer: S) -> Result<S::Ok, S::Error> {
        let form = click.map(|read| match read {
            Ok(id) => ClickReadForm::Genuine(BareClickId(id)),
            Err(ClickIdError::Malformed { received }) => ClickReadForm::Malformed { received },
            Err(ClickIdError::NotGenuine) => ClickReadForm::NotGenuine,
        });
        form.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClickRead, D::Error> {
        let form: Option<ClickReadForm> = Deserialize::deserialize(deserializer)?;
        Ok(form.map(|form| match form {
            ClickReadForm::Genuine(BareClickId(id)) => Ok(id),
            ClickReadForm::Malformed { received } => Err(ClickIdError::Malformed { received }),
            ClickReadForm::NotGenuine => Err(ClickIdError::NotGenuine),
        }))
    }
}

mod outcome {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{RefusalForm, ReportForm};
    use crate::domain::{postback::Report, refusal::Refusal};

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Written<'a> {
        Read(#[serde(with = "ReportForm")] &'a Report),
        Refused(#[serde(with = "RefusalForm")] &'a Refusal),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Stored {
        Read(#[serde(with = "ReportForm")] Report),
        Refused(#[serde(with = "RefusalForm")] Refusal),
    }

    pub(super) fn serialize<S: Serializer>(
        report: &Result<Report, Refusal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match report {
            Ok(report) => Written::Read(report).serialize(serializer),
            Err(refusal) => Written::Refused(refusal).serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Report, Refusal>, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Read(report) => Ok(report),
            Stored::Refused(refusal) => Err(refusal),
        })
    }
}

#[cfg(test)]
pub(super) fn scope(partner: PartnerId) -> PartnerScope {
    PartnerScope::established(partner)
}
