//! What is known of the customers and leads that a batch names. Reports that name none need none of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    super::{Conn, bulk, customer_bindings, leads},
    goal_of,
};
use crate::{
    db::{
        received::Incoming,
        rows::{
            people::{CustomerBinding, LeadRow},
            records::Conversion,
        },
        scope::PartnerScope,
    },
    domain::{
        attribution::{self, CreditedClick, CustomerFacts, Lead},
        base32,
        click_id::ClickId,
        conversion::{ConversionStatus, MatchMode},
        counted::Counted,
        flags::{EMAIL_MISMATCH, LEAD_ID_MISMATCH},
        ids::{AdvertiserId, ConversionId, GoalId, PartnerId},
        postback::Report,
        setup::Status,
    },
    error::Result,
};

/// An advertiser of a partner.
type Shop = (PartnerId, AdvertiserId);

/// What is known. What a batch adds itself is remembered while it is judged.
#[derive(Default)]
pub struct People {
    bound: HashMap<(Shop, String), CreditedClick>,
    /// Bindings that this round may make: a report by the customer alone has to wait for what becomes of them.
    being_bound: Vec<CustomerBinding>,
    rebills: HashMap<(Shop, GoalId, String), i64>,
    leads: HashMap<(Shop, String), Lead>,
    /// What this round may attach, by which conversion.
    new_leads: Vec<(ConversionId, (Shop, String), Lead)>,
}

impl People {
    /// Loads what a batch asks for. The customers whose return is limited are held.
    pub fn load(conn: &mut Conn, batch: &[&Incoming]) -> Result<Self> {
        let mut people = Self::default();
        people.load_bindings(conn, batch)?;
        people.load_rebills(conn, batch)?;
        people.load_leads(conn, batch)?;
        Ok(people)
    }

    fn load_bindings(&mut self, conn: &mut Conn, batch: &[&Incoming]) -> Result<()> {
        let mut wanted: BTreeMap<Shop, BTreeSet<&str>> = BTreeMap::new();
        let mut held: BTreeSet<(Shop, &str)> = BTreeSet::new();
        for incoming in batch {
            let Some((shop, report, customer)) = customer(incoming) else { continue };
            wanted.entry(shop).or_default().insert(customer);
            if is_limited(incoming, report) {
                held.insert((shop, customer));
            }
        }
        for ((partner, advertiser), customer) in held {
            let scope = PartnerScope::established(partner);
            customer_bindings::hold(conn, &scope, advertiser, customer)?;
        }
        for ((partner, advertiser), customers) in wanted {
            let scope = PartnerScope::established(partner);
            for (row, status) in customer_bindings::named(conn, &scope, advertiser, customers)? {
                let key = ((partner, advertiser), row.customer_id.clone());
                self.bound.insert(key, row.click(status));
            }
        }
        Ok(())
    }

    fn load_rebills(&mut self, conn: &mut Conn, batch: &[&Incoming]) -> Result<()> {
        let mut wanted: BTreeMap<(Shop, GoalId), BTreeSet<&str>> = BTreeMap::new();
        for incoming in batch {
            let Some((shop, report, customer)) = customer(incoming) else { continue };
            if let Some(goal) = goal_of(incoming).filter(|_| is_limited(incoming, report)) {
                wanted.entry((shop, goal.id)).or_default().insert(customer);
            }
        }
        for (((partner, advertiser), goal), customers) in wanted {
            let scope = PartnerScope::established(partner);
            for (customer, count) in customer_bindings::rebills(conn, &scope, (advertiser, goal), customers)?
            {
                self.rebills.insert(((partner, advertiser), goal, customer), count);
            }
        }
        Ok(())
    }

    fn load_leads(&mut self, conn: &mut Conn, batch: &[&Incoming]) -> Result<()> {
        let mut wanted: BTreeMap<Shop, BTreeSet<String>> = BTreeMap::new();
        for incoming in batch {
            if let Some((shop, report)) = shop(incoming).filter(|(_, report)| says_who(report)) {
                let click = self.click(incoming, report);
                wanted.entry(shop).or_default().extend(subjects(click, report));
            }
        }
        for ((partner, advertiser), subjects) in wanted {
            let scope = PartnerScope::established(partner);
            for row in leads::of(conn, &scope, advertiser, subjects)? {
                let LeadRow { subject, lead_id, email_sha256, .. } = row;
                self.leads.insert(((partner, advertiser), subject), Lead { lead_id, email_sha256 });
            }
        }
        Ok(())
    }

    /// The click that a report names, or that its customer is bound to.
    fn click(&self, incoming: &Incoming, report: &Report) -> Option<ClickId> {
        match attribution::mode(report) {
            MatchMode::Transaction => incoming.received.click.as_ref()?.as_ref().ok().copied(),
            MatchMode::Customer => {
                let (shop, _, customer) = customer(incoming)?;
                self.bound.get(&(shop, customer.to_owned())).map(|click| click.id)
            }
            MatchMode::Partner => None,
        }
    }

    /// Whether a report has to wait for a binding that this round makes.
    pub fn has_to_wait(&self, incoming: &Incoming) -> bool {
        customer(incoming).is_some_and(|(shop, report, customer)| {
            attribution::mode(report) == MatchMode::Customer
                && !self.bound.contains_key(&(shop, customer.to_owned()))
                && self.binds(shop, customer).is_some()
        })
    }

    /// The first binding of a customer that this round may make.
    fn binds(&self, shop: Shop, customer: &str) -> Option<&CustomerBinding> {
        self.being_bound.iter().find(|binding| binding.key() == (shop.0, shop.1, customer))
    }

    /// The customer that a report names.
    pub fn customer(&self, incoming: &Incoming) -> CustomerFacts {
        let Some((shop, _, customer)) = customer(incoming) else { return CustomerFacts::default() };
        let bound = self.bound.get(&(shop, customer.to_owned())).cloned();
        let bound = bound.or_else(|| Some(self.binds(shop, customer)?.click(Status::Active)));
        let goal = goal_of(incoming).map(|goal| goal.id);
        let rebills = goal.and_then(|goal| self.rebills.get(&(shop, goal, customer.to_owned())));
        CustomerFacts { bound, rebills: rebills.copied().unwrap_or_default() }
    }

    /// What is attached to the click and the customer of a report that says who they are.
    pub fn leads(&self, incoming: &Incoming) -> Vec<Lead> {
        let Some((shop, report)) = shop(incoming).filter(|(_, report)| says_who(report)) else {
            return Vec::new();
        };
        let subjects = subjects(self.click(incoming, report), report);
        subjects.into_iter().filter_map(|subject| self.leads.get(&(shop, subject)).cloned()).collect()
    }

    /// Takes note of a conversion that is to be written.
    pub fn remember(&mut self, incoming: &Incoming, counted: &Counted, row: &Conversion) {
        let Some((shop, report)) = shop(incoming) else { return };
        if let (Some(customer), Some(click)) = (&counted.customer_id, &counted.click) {
            self.remember_customer((shop, customer), counted, click, row);
        }
        if says_who(report) && counted.status != ConversionStatus::Rejected && !is_contradicted(counted) {
            let said = Lead {
                lead_id: report.extra("lead_id").map(str::to_owned),
                email_sha256: report.extra("email_sha256").map(str::to_ascii_lowercase),
            };
            for subject in subjects(counted.click.as_ref().map(|click| click.id), report) {
                attach(self.leads.entry((shop, subject.clone())).or_default(), &said);
                self.new_leads.push((row.id, (shop, subject), said.clone()));
            }
        }
    }

    fn remember_customer(
        &mut self,
        (shop, customer): (Shop, &String),
        counted: &Counted,
        click: &CreditedClick,
        row: &Conversion,
    ) {
        let key = (shop, customer.clone());
        if counted.match_mode == MatchMode::Customer {
            *self.rebills.entry((shop, counted.goal_id, customer.clone())).or_default() += 1;
        } else if counted.status != ConversionStatus::Rejected && !self.bound.contains_key(&key) {
            self.being_bound.push(CustomerBinding::new(key.1, click, row));
        }
    }

    /// Writes what was remembered of conversions that are written, in the order of its keys.
    pub fn write(self, conn: &mut Conn, is_written: impl Fn(ConversionId) -> bool) -> Result<()> {
        let mut bindings = BTreeMap::new();
        for binding in self.being_bound.into_iter().filter(|binding| is_written(binding.conversion_id)) {
            let (partner, advertiser, customer) = binding.key();
            bindings.entry((partner, advertiser, customer.to_owned())).or_insert(binding);
        }
        let bindings: Vec<CustomerBinding> = bindings.into_values().collect();
        if !bindings.is_empty() {
            bulk::bind_customers(conn, &bindings)?;
        }
        let mut leads: BTreeMap<(Shop, String), Lead> = BTreeMap::new();
        for (_, key, said) in self.new_leads.into_iter().filter(|(conversion, ..)| is_written(*conversion)) {
            attach(leads.entry(key).or_default(), &said);
        }
        let row = |((partner_id, advertiser_id), subject), lead: Lead| LeadRow {
            partner_id,
            advertiser_id,
            subject,
            lead_id: lead.lead_id,
            email_sha256: lead.email_sha256,
        };
        let leads: Vec<LeadRow> = leads.into_iter().map(|(key, lead)| row(key, lead)).collect();
        if !leads.is_empty() {
            bulk::attach_leads(conn, &leads)?;
        }
        Ok(())
    }
}

/// Adds what is not known yet.
fn attach(known: &mut Lead, said: &Lead) {
    known.lead_id = known.lead_id.take().or_else(|| said.lead_id.clone());
    known.email_sha256 = known.email_sha256.take().or_else(|| said.email_sha256.clone());
}

/// Whether a report names a customer or says who somebody is.
pub fn are_named(incoming: &Incoming) -> bool {
    shop(incoming).is_some_and(|(_, report)| report.customer_id.is_some() || says_who(report))
}

fn shop(incoming: &Incoming) -> Option<(Shop, &Report)> {
    let report = incoming.received.report.as_ref().ok()?;
    let advertiser = *incoming.set_up.advertiser.as_ref().ok()?;
    Some(((incoming.received.scope.id(), advertiser), report))
}

fn customer(incoming: &Incoming) -> Option<(Shop, &Report, &str)> {
    let (shop, report) = shop(incoming)?;
    Some((shop, report, report.customer_id.as_deref()?))
}

/// Whether a customer's return is limited by the goal.
fn is_limited(incoming: &Incoming, report: &Report) -> bool {
    attribution::mode(report) == MatchMode::Customer
        && goal_of(incoming).is_some_and(|goal| goal.max_rebills.is_some())
}

fn says_who(report: &Report) -> bool {
    report.extra("lead_id").is_some() || report.extra("email_sha256").is_some()
}

/// Whether something else is attached already.
fn is_contradicted(counted: &Counted) -> bool {
    counted.flags.iter().any(|flag| [LEAD_ID_MISMATCH, EMAIL_MISMATCH].contains(&flag.as_str()))
}

/// Whom leads are attached to.
fn subjects(click: Option<ClickId>, report: &Report) -> Vec<String> {
    let click = click.map(|click| format!("click:{}", base32::encode(click.bytes())));
    let customer = report.customer_id.as_ref().map(|customer| format!("customer:{customer}"));
    click.into_iter().chain(customer).collect()
}
