//! Whom events are about: customers that are bound to a click, and leads.
#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::prelude::*;

use super::records::Conversion;
use crate::{
    db::schema,
    domain::{
        attribution::{Credit, CreditedClick},
        click_id::{ClickId, Touch},
        country::Country,
        ids::*,
        setup::Status,
        time::Timestamp,
        visitor::ClickClass,
    },
};

/// The click that a customer is bound to, as it was then.
#[derive(Clone, PartialEq, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::customer_bindings)]
pub struct CustomerBinding {
    pub partner_id: PartnerId,
    pub advertiser_id: AdvertiserId,
    pub customer_id: String,
    pub click_id: ClickId,
    pub view_through: bool,
    pub class: Option<ClickClass>,
    pub link_id: LinkId,
    pub campaign_id: CampaignId,
    pub creative_id: Option<CreativeId>,
    pub publisher_id: Option<PublisherId>,
    pub country: Option<Country>,
    pub conversion_id: ConversionId,
    pub bound_at: Timestamp,
}

impl CustomerBinding {
    /// The binding that a conversion makes.
    pub fn new(customer_id: String, click: &CreditedClick, row: &Conversion) -> Self {
        Self {
            partner_id: row.partner_id,
            advertiser_id: row.advertiser_id,
            customer_id,
            click_id: click.id,
            view_through: click.touch == Touch::Impression,
            class: click.row,
            link_id: click.credit.link_id,
            campaign_id: click.credit.campaign_id,
            creative_id: click.credit.creative_id,
            publisher_id: click.credit.publisher_id,
            country: click.country,
            conversion_id: row.id,
            bound_at: row.received_at,
        }
    }

    /// What it is the only one of.
    pub fn key(&self) -> (PartnerId, AdvertiserId, &str) {
        (self.partner_id, self.advertiser_id, &self.customer_id)
    }

    /// The click, with what its campaign does now.
    pub fn click(&self, campaign_status: Status) -> CreditedClick {
        CreditedClick {
            touch: if self.view_through { Touch::Impression } else { Touch::Click },
            id: self.click_id,
            row: self.class,
            credit: Credit {
                advertiser_id: self.advertiser_id,
                campaign_id: self.campaign_id,
                creative_id: self.creative_id,
                link_id: self.link_id,
                publisher_id: self.publisher_id,
            },
            country: self.country,
            campaign_status,
        }
    }
}

/// What is attached to a click or a customer.
#[derive(Clone, PartialEq, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::leads)]
pub struct LeadRow {
    pub partner_id: PartnerId,
    pub advertiser_id: AdvertiserId,
    pub subject: String,
    pub lead_id: Option<String>,
    pub email_sha256: Option<String>,
}
