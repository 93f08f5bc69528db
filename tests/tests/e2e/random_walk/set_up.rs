//! What a walk starts with: two advertisers, three publishers, campaigns and links, rates, and goals of all kinds.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tallyback_server::{clock::Clock, domain::time::Timestamp};
use tallyback_tests::{Agency, TestApp, signer};

use super::{
    Walk,
    chance::Chance,
    figures::date,
    model::{DAY, Goal, Link, Shop, World},
    money::{Parts, Rule, Unit, decimal},
    sender::Sender,
};

const MILLION: Parts = 1_000_000;

/// 1 September 2026, 0:00 UTC. Days and months bound caps, rates and windows, so that a seed has to say when a walk starts.
const SOME_AUTUMN: i64 = 1_788_220_800;

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

impl Walk {
    pub async fn start(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let started = SOME_AUTUMN + chance.between(0, 60 * DAY);
        let app = TestApp::with(Clock::fixed(Timestamp::from_seconds(started)), |_| {}).await;
        let agency = app.agency().await;
        let mut world = World::default();
        world.pass(started);
        for currency in [None, Some("EUR")] {
            let made = agency.make("/v1/advertisers", json!({"name": "Shop", "currency": currency})).await;
            world.shops.push(Shop { id: id(&made), currency });
        }
        for _ in 0..3 {
            world.publishers.push(id(&agency.make("/v1/publishers", json!({"name": "Blog"})).await));
        }
        for shop in [0, 0, 1, 1] {
            campaign(&agency, &mut world, shop).await;
        }
        set_rates(&agency, &mut world, &mut chance).await;
        for goal in goals() {
            let made = agency.make("/v1/goals", on_the_wire(&goal, &world.publishers)).await;
            world.goals.push(Goal { id: id(&made), ..goal });
        }
        let scopes = json!(["conversions:write", "adjustments:write", "status:write"]);
        let key = agency.make("/v1/signing-keys", json!({"name": "All", "scopes": scopes})).await;
        let sender = Sender::new(app, agency, signer(&key));
        let (counted, adjusted) = (Vec::new(), Vec::new());
        let codes = BTreeMap::new();
        Self { sender, world, chance, started, counted, adjusted, orders: 0, steps: 0, codes }
    }
}

/// A campaign with links for two publishers and for nobody, one of them with a creative.
async fn campaign(agency: &Agency, world: &mut World, shop: usize) {
    let campaign = json!({"advertiser_id": world.shops[shop].id, "name": "Autumn",
        "landing_url": "https://shop.example/sale"});
    let campaign = id(&agency.make("/v1/campaigns", campaign).await);
    let creative = json!({"advertiser_id": world.shops[shop].id, "name": "Banner"});
    let creative = id(&agency.make("/v1/creatives", creative).await);
    let number = world.links.len();
    for (creative, publisher) in
        [(Some(creative), Some(number % 3)), (None, Some((number + 1) % 3)), (None, None)]
    {
        let body = json!({"campaign_id": campaign, "creative_id": creative, "name": "Link",
            "publisher_id": publisher.map(|publisher| &world.publishers[publisher])});
        let made = agency.make("/v1/links", body).await;
        let (_, code) = made["click_url"].as_str().unwrap().rsplit_once('/').unwrap();
        let (id, campaign, code) = (id(&made), campaign.clone(), code.to_owned());
        world.links.push(Link { id, shop, campaign, creative, publisher, code });
    }
}

/// Rates of most days, but none for yen.
async fn set_rates(agency: &Agency, world: &mut World, chance: &mut Chance) {
    let today = world.now.div_euclid(DAY);
    let mut sent = Vec::new();
    for base in ["USD", "GBP"] {
        for day in today - 2..today + 60 {
            if chance.percent(80) {
                let rate = Parts::from(chance.between(500_000_000_000, 1_500_000_000_000));
                let text = format!("{}.{:012}", rate / 1_000_000_000_000, rate % 1_000_000_000_000);
                sent.push(json!({"base": base, "quote": "EUR", "date": date(day * DAY), "rate": text}));
                world.rates.entry(base as Unit).or_default().push((day, rate));
            }
        }
    }
    agency.send(Method::PUT, "/v1/currency-rates", Some(json!({"rates": sent}))).await.expect(200);
}

fn goals() -> Vec<Goal> {
    let usual =
        || Goal { hold_end: "approved", modes: [true, true, false], window: 30 * DAY, ..Goal::default() };
    vec![
        Goal {
            name: "sale",
            per_order: true,
            payout: Some(Rule::Share(10 * MILLION)),
            revenue: Some(Rule::Share(12_500_000)),
            special: Some((1, Rule::Share(33_333_300))),
            modes: [true; 3],
            ..usual()
        },
        Goal {
            name: "lead",
            payout: Some(Rule::Fixed(5_250_100)),
            revenue: Some(Rule::Fixed(8 * MILLION)),
            special: Some((2, Rule::Fixed(7_777_700))),
            currency: Some("USD"),
            window: 5 * DAY,
            ..usual()
        },
        Goal {
            name: "order",
            per_order: true,
            payout: Some(Rule::Share(7_777_700)),
            revenue: Some(Rule::Same),
            hold: 2 * DAY,
            modes: [true, true, true],
            ..usual()
        },
        Goal { name: "trial", hold: DAY, hold_end: "rejected", ..usual() },
        Goal {
            name: "call",
            per_order: true,
            payout: Some(Rule::Fixed(3 * MILLION)),
            currency: Some("EUR"),
            needs_approval: true,
            modes: [true, false, true],
            ..usual()
        },
        Goal {
            name: "capped",
            per_order: true,
            payout: Some(Rule::Share(10 * MILLION)),
            currency: Some("EUR"),
            hold: DAY / 2,
            most_a_day: Some(2),
            most_payout: Some(400 * MILLION),
            ..usual()
        },
    ]
}

fn on_the_wire(goal: &Goal, publishers: &[String]) -> Value {
    let money = |rule: Rule| match rule {
        Rule::Fixed(sum) => json!({"type": "fixed", "amount": decimal(sum, 2)}),
        Rule::Share(share) => json!({"type": "percent", "percent": decimal(share, 2)}),
        Rule::Same => json!({"type": "dynamic"}),
    };
    let names = ["transaction", "customer", "partner"];
    let modes: Vec<&str> =
        names.into_iter().zip(goal.modes).filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect();
    let mut body = json!({
        "event_name": goal.name, "count": if goal.per_order { "per_order" } else { "once" },
        "default_status": if goal.needs_approval { "pending" } else { "approved" },
        "currency": goal.currency, "hold_seconds": goal.hold, "modes": modes,
        "hold_end": if goal.hold_end == "rejected" { "reject" } else { "approve" },
        "click_window_seconds": goal.window,
        "caps": {"conversions_per_day": goal.most_a_day,
            "payout_total": goal.most_payout.map(|most| decimal(most, 2))},
    });
    for (name, rule) in [("payout", goal.payout), ("revenue", goal.revenue)] {
        if let Some(rule) = rule {
            body[name] = money(rule);
        }
    }
    if let Some((publisher, rule)) = goal.special {
        body["overrides"] = json!([{"publisher_id": publishers[publisher], "payout": money(rule)}]);
    }
    body
}
