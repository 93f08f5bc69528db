//! Entries for tests: numbered ones, and any at all.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Entry, payload};
use crate::{
    db::{
        received::Received,
        rows::{document::Document, records::Click},
    },
    domain::{
        attribution::{KeyPowers, Proof},
        click_id::{ClickId, ClickIdError, LinkNumber, Touch},
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

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

/// The click with a number.
pub(super) fn click(number: u32) -> Click {
    Click {
        partner_id: PartnerId::from_bytes([1; 16]),
        id: ClickId::mint(NOW, LinkNumber(number), [7; 6]),
        link_id: LinkId::from_bytes([2; 16]),
        advertiser_id: AdvertiserId::from_bytes([3; 16]),
        campaign_id: CampaignId::from_bytes([4; 16]),
        creative_id: Some(CreativeId::from_bytes([5; 16])),
        publisher_id: None,
        clicked_at: NOW,
        class: ClickClass::Human,
        reason: None,
        country: Some("CH".into()),
        details: Document::of([("sub1", &*"x".repeat(number as usize % 700))].into_iter()),
    }
}

/// The postback with a number.
pub(super) fn postback(number: u32) -> Received {
    let id = ClickId::mint(NOW, LinkNumber(number), [7; 6]);
    Received {
        scope: payload::scope(PartnerId::from_bytes([1; 16])),
        postback_id: PostbackId::from_bytes([2; 16]),
        conversion_id: ConversionId::from_bytes([3; 16]),
        delta_id: RowId::from_bytes([4; 16]),
        received_at: NOW,
        form: Form::Json,
        key_id: Some(KeyId::from_bytes([5; 16])),
        powers: KeyPowers {
            advertisers: vec![AdvertiserId::from_bytes([6; 16])],
            may_decide_status: true,
            proof: Proof::Signature,
        },
        message_id: Some(format!("msg_{number}")),
        batch_index: None,
        is_test: false,
        origin: Origin { ip: Some([192, 0, 2, 1].into()), bytes: 312, ..Origin::default() },
        request: Document::of([("goal", "sale")].into_iter()),
        click: Some(Ok(id)),
        touch: Touch::Click,
        report: Ok(Report {
            advertiser: Some(Reference::External("Shop 7".into())),
            goal: "sale".into(),
            click_id: Some("106h05cp5fffavfqf041061050s5rt3gzsr".into()),
            customer_id: None,
            publisher: Some(Reference::Id(PublisherId::from_bytes([7; 16]))),
            order_id: Some(format!("A-{number}")),
            amount: Some(Micros(49_900_000)),
            currency: Currency::parse("EUR"),
            status: Some(ConversionStatus::Pending),
            event_time: NOW.plus_seconds(-60),
            extras: Map::from_iter([("metadata".to_owned(), json!({ "weight": 0.1, "lines": [1, null] }))]),
            intent: Intent::Count,
            unknown: vec!["colour".into()],
        }),
    }
}

/// Entries with numbers; each third is a postback.
pub(super) fn entries(numbers: std::ops::Range<u32>) -> Vec<Entry> {
    let entry = |number| match number % 3 {
        0 => Entry::Postback(Box::new(postback(number))),
        _ => Entry::Click(Box::new(click(number))),
    };
    numbers.map(entry).collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO)
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((any::<String>(), any_json()), 0..4)
        .prop_map(|members| members.into_iter().collect())
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn maybe<I: Id + std::fmt::Debug>() -> impl Strategy<Value = Option<I>> {
    any::<Option<[u8; 16]>>().prop_map(|bytes| bytes.map(I::from_bytes))
}

pub(super) fn any_click() -> impl Strategy<Value = Click> {
    type Texts = [Option<String>; 2];
    let ids = (any::<[[u8; 16]; 5]>(), maybe(), maybe());
    let class = prop::sample::select(ClickClass::ALL);
    let details = any::<std::collections::BTreeMap<String, String>>();
    (ids, any_time(), class, details, any::<Texts>()).prop_map(
        |((ids, creative_id, publisher_id), clicked_at, class, details, texts)| {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            Click {
                partner_id: PartnerId::from_bytes(ids[0]),
                id: ClickId::from_bytes(ids[1]),
                link_id: LinkId::from_bytes(ids[2]),
                advertiser_id: AdvertiserId::from_bytes(ids[3]),
                campaign_id: CampaignId::from_bytes(ids[4]),
                creative_id,
                publisher_id,
                clicked_at,
                class,
                reason: text(),
                country: text(),
                details: Document::of(details.iter().map(|(name, value)| (&**name, &**value))),
            }
        },
    )
}

fn any_reference<I: Id + std::fmt::Debug>() -> impl Strategy<Value = Option<Reference<I>>> {
    let external = "[a-zA-Z0-9 é.-]{1,60}"
        .prop_filter_map("not a reference", |text| Reference::parse(&format!("ext:{text}")).ok());
    let id = any::<[u8; 16]>().prop_map(|bytes| Reference::Id(I::from_bytes(bytes)));
    prop::option::of(prop_oneof![id, external])
}

fn any_report() -> impl Strategy<Value = Report> {
    let names = (any_reference(), any_reference(), any::<String>(), any::<Vec<String>>());
    let currency = prop::option::of(prop::sample::select(vec!["EUR", "JPY", "KWD"]));
    let money = (any::<Option<i64>>(), currency);
    let status = prop::option::of(prop::sample::select(ConversionStatus::ALL));
    let intent = prop::sample::select(vec![Intent::Count, Intent::Validate]);
    (names, any::<[Option<String>; 3]>(), money, status, any_time(), any_object(), intent).prop_map(
        |((advertiser, publisher, goal, unknown), texts, money, status, event_time, extras, intent)| {
            let [click_id, customer_id, order_id] = texts;
            Report {
                advertiser,
                goal,
                click_id,
                customer_id,
                publisher,
                order_id,
                amount: money.0.map(Micros),
                currency: money.1.and_then(Currency::parse),
                status,
                event_time,
                extras,
                intent,
                unknown,
            }
        },
    )
}

fn any_refusal() -> impl Strategy<Value = Refusal> {
    let errors = any::<Vec<(String, String)>>().prop_map(|errors| {
        errors.into_iter().map(|(pointer, detail)| FieldError { pointer, detail }).collect()
    });
    (prop::sample::select(Code::ALL), any::<String>(), any::<Option<String>>(), errors, any_object())
        .prop_map(|(code, detail, hint, errors, facts)| Refusal { code, detail, hint, errors, facts })
}

pub(super) fn any_postback() -> impl Strategy<Value = Received> {
    let click = prop::option::of(prop_oneof![
        any::<[u8; 16]>().prop_map(|bytes| Ok(ClickId::from_bytes(bytes))),
        any::<usize>().prop_map(|received| Err(ClickIdError::Malformed { received })),
        Just(Err(ClickIdError::NotGenuine)),
    ]);
    let report = prop_oneof![any_report().prop_map(Ok), any_refusal().prop_map(Err)];
    let click = (prop::sample::select(Touch::ALL), click);
    let key = (maybe(), any::<Vec<[u8; 16]>>(), any::<bool>(), any::<Option<String>>());
    let form = prop::sample::select(Form::ALL);
    let proof = prop::sample::select(vec![
        Proof::Signature,
        Proof::Token,
        Proof::WeakToken,
        Proof::NotEnforced(Code::SignatureMissing),
    ]);
    let beside = (any::<Option<i32>>(), proof);
    (any::<[[u8; 16]; 4]>(), any_time(), form, key, any_object(), click, report, beside).prop_map(
        |(
            ids,
            received_at,
            form,
            (key_id, advertisers, may_decide_status, message_id),
            request,
            (touch, click),
            report,
            (batch_index, proof),
        )| {
            let advertisers = advertisers.into_iter().map(AdvertiserId::from_bytes).collect();
            Received {
                scope: payload::scope(PartnerId::from_bytes(ids[0])),
                postback_id: PostbackId::from_bytes(ids[1]),
                conversion_id: ConversionId::from_bytes(ids[2]),
                delta_id: RowId::from_bytes(ids[3]),
                received_at,
                form,
                key_id,
                powers: KeyPowers { advertisers, may_decide_status, proof },
                message_id,
                batch_index,
                is_test: batch_index.is_some(),
                origin: Origin { timestamp: batch_index.map(|index| index.to_string()), ..Origin::default() },
                request: Document::written(&request),
                click,
                touch,
                report,
            }
        },
    )
}
