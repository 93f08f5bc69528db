//! The tables that are written in bulk, with their columns: each database has its own way of inserting many rows.

/// Calls a backend's macro for clicks or for impressions, which are the same but for the name of their time.
macro_rules! bulk_visits {
    ($insert_new:ident, $function:ident, $table:literal, $row:ident, $time:ident) => {
        $insert_new!(
            /// Inserts visits of any partners; returns the new ones.
            $function,
            $table,
            $row,
            ClickId,
            [
                partner_id: Uid = PartnerId,
                id: Uid = ClickId,
                link_id: Uid = LinkId,
                advertiser_id: Uid = AdvertiserId,
                campaign_id: Uid = CampaignId,
                creative_id: Nullable<Uid> = Option<CreativeId>,
                publisher_id: Nullable<Uid> = Option<PublisherId>,
                $time: Utc = Timestamp,
                class: Text = ClickClass,
                country: Nullable<Text> = Option<String>,
                details: Text = Document,
            ],
            [reason: Nullable<Text> = Option<String>]
        );
    };
}
pub(in crate::db) use bulk_visits;

/// Calls a backend's macro once per table: function, table, row, columns with their types in SQL and in Rust; for rows
/// that may be there already, the type of their id before the columns and behind them those that seldom hold anything, or
/// else the clause that says what becomes of them.
macro_rules! bulk_tables {
    ($insert_new:ident) => {
        bulk_visits!($insert_new, insert_clicks, "clicks", Click, clicked_at);
        bulk_visits!($insert_new, insert_impressions, "impressions", Impression, shown_at);
        $insert_new!(
            /// Inserts lines of the log; returns the new ones.
            insert_postbacks,
            "postbacks",
            Postback,
            PostbackId,
            [
                partner_id: Uid = PartnerId,
                id: Uid = PostbackId,
                received_at: Utc = Timestamp,
                form: Text = Form,
                key_id: Nullable<Uid> = Option<KeyId>,
                advertiser_id: Nullable<Uid> = Option<AdvertiserId>,
                goal_id: Nullable<Uid> = Option<GoalId>,
                click_id: Nullable<Uid> = Option<ClickId>,
                conversion_id: Nullable<Uid> = Option<ConversionId>,
                message_id: Nullable<Text> = Option<String>,
                code: Text = String,
                http_status: Integer = i32,
                request: Text = Document,
                answer: Text = Document,
                batch_index: Nullable<Integer> = Option<i32>,
                test: Bool = bool,
                about: Text = About,
                order_id: Nullable<Text> = Option<String>,
                trace: Nullable<Text> = Option<Document>,
                rerunnable: Bool = bool,
            ],
            [not_enforced: Nullable<Text> = Option<String>]
        );

        $insert_new!(
            /// Inserts conversions whose click or order is not counted yet; returns those.
            insert_conversions,
            "conversions",
            Conversion,
            ConversionId,
            [
                partner_id: Uid = PartnerId,
                id: Uid = ConversionId,
                advertiser_id: Uid = AdvertiserId,
                goal_id: Uid = GoalId,
                count_key: Text = String,
                match_mode: Text = MatchMode,
                click_id: Nullable<Uid> = Option<ClickId>,
                link_id: Nullable<Uid> = Option<LinkId>,
                campaign_id: Nullable<Uid> = Option<CampaignId>,
                publisher_id: Nullable<Uid> = Option<PublisherId>,
                order_id: Nullable<Text> = Option<String>,
                status: Text = ConversionStatus,
                flags: JsonDoc = Json<Vec<String>>,
                amount_micros: Nullable<BigInt> = Option<Micros>,
                currency: Nullable<Text> = Option<Currency>,
                payout_micros: BigInt = Micros,
                revenue_micros: BigInt = Micros,
                clicked_at: Nullable<Utc> = Option<Timestamp>,
                event_time: Utc = Timestamp,
                received_at: Utc = Timestamp,
                hold_end: Text = HoldEnd,
                postback_id: Uid = PostbackId,
                parameters: Text = Json<Map<String, Value>>,
                updated_at: Utc = Timestamp,
                view_through: Bool = bool,
                payout_kind: Text = MoneyKind,
                payout_number: BigInt = Micros,
                revenue_kind: Text = MoneyKind,
                revenue_number: BigInt = Micros,
            ],
            [
                creative_id: Nullable<Uid> = Option<CreativeId>,
                customer_id: Nullable<Text> = Option<String>,
                hold_until: Nullable<Utc> = Option<Timestamp>,
                payout_rule: Nullable<Text> = Option<String>,
                revenue_rule: Nullable<Text> = Option<String>,
                original_amount_micros: Nullable<BigInt> = Option<Micros>,
                original_currency: Nullable<Text> = Option<Currency>,
                exchange_rate: Nullable<BigInt> = Option<Rate>,
                capped_payout_micros: Nullable<BigInt> = Option<Micros>,
            ]
        );

        $insert_new!(
            /// Inserts what commits add to the totals.
            insert_deltas,
            "total_deltas",
            TotalDelta,
            [
                partner_id: Uid = PartnerId,
                id: Uid = RowId,
                changes: Binary = Packed,
            ],
            ""
        );

        $insert_new!(
            /// Binds customers to clicks; who is bound stays so. Each customer stands in `rows` once.
            bind_customers,
            "customer_bindings",
            CustomerBinding,
            [
                partner_id: Uid = PartnerId,
                advertiser_id: Uid = AdvertiserId,
                customer_id: Text = String,
                click_id: Uid = ClickId,
                view_through: Bool = bool,
                class: Nullable<Text> = Option<ClickClass>,
                link_id: Uid = LinkId,
                campaign_id: Uid = CampaignId,
                creative_id: Nullable<Uid> = Option<CreativeId>,
                publisher_id: Nullable<Uid> = Option<PublisherId>,
                country: Nullable<Text> = Option<Country>,
                conversion_id: Uid = ConversionId,
                bound_at: Utc = Timestamp,
            ],
            "ON CONFLICT DO NOTHING"
        );

        $insert_new!(
            /// Attaches leads to clicks and customers; what is attached stays so. Each subject stands in `rows` once.
            attach_leads,
            "leads",
            LeadRow,
            [
                partner_id: Uid = PartnerId,
                advertiser_id: Uid = AdvertiserId,
                subject: Text = String,
                lead_id: Nullable<Text> = Option<String>,
                email_sha256: Nullable<Text> = Option<String>,
            ],
            "ON CONFLICT (partner_id, advertiser_id, subject) DO UPDATE SET \
             lead_id = COALESCE(leads.lead_id, excluded.lead_id), \
             email_sha256 = COALESCE(leads.email_sha256, excluded.email_sha256)"
        );

        $insert_new!(
            /// Writes exchange rates, in place of those of the same day. Each day of a pair stands in `rows` once.
            put_currency_rates,
            "currency_rates",
            CurrencyRate,
            [
                partner_id: Uid = PartnerId,
                base: Text = Currency,
                quote: Text = Currency,
                day: Utc = Timestamp,
                rate: BigInt = Rate,
                updated_at: Utc = Timestamp,
            ],
            "ON CONFLICT (partner_id, base, quote, day) DO UPDATE SET rate = excluded.rate, \
             updated_at = excluded.updated_at"
        );

        $insert_new!(
            /// Adds to hours of the totals. Each hour stands in `rows` once.
            add_to_hours,
            "hourly_totals",
            HourlyTotal,
            [
                partner_id: Uid = PartnerId,
                hour: Utc = Timestamp,
                kind: Text = Kind,
                advertiser_id: Uid = AdvertiserId,
                campaign_id: Uid = CampaignId,
                creative_id: Uid = CreativeId,
                link_id: Uid = LinkId,
                publisher_id: Uid = PublisherId,
                goal_id: Uid = GoalId,
                currency: Text = String,
                events: BigInt = i64,
                amount_micros: BigInt = Micros,
                payout_micros: BigInt = Micros,
                revenue_micros: BigInt = Micros,
            ],
            "ON CONFLICT (partner_id, hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, \
             goal_id, currency) DO UPDATE SET events = hourly_totals.events + excluded.events, \
             amount_micros = hourly_totals.amount_micros + excluded.amount_micros, \
             payout_micros = hourly_totals.payout_micros + excluded.payout_micros, \
             revenue_micros = hourly_totals.revenue_micros + excluded.revenue_micros"
        );
    };
}
pub(in crate::db) use bulk_tables;

/// The names of columns, separated by commas.
macro_rules! concat_columns {
    ($first:ident $(, $column:ident)*) => { concat!(stringify!($first) $(, ", ", stringify!($column))*) };
}
pub(in crate::db) use concat_columns;

/// What the lists above name: to be imported where they are used.
pub(in crate::db) mod types {
    pub use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};
    pub use serde_json::{Map, Value};

    pub use crate::{
        db::{
            rows::{
                document::Document,
                packed::Packed,
                people::{CustomerBinding, LeadRow},
                records::{Click, Conversion, HourlyTotal, Impression, Postback, TotalDelta},
                setup::CurrencyRate,
            },
            sql_types::{Json, JsonDoc, Uid, Utc},
        },
        domain::{
            click_id::ClickId,
            conversion::{ConversionStatus, MatchMode},
            country::Country,
            currency::Currency,
            goal::{HoldEnd, MoneyKind},
            ids::*,
            money::Micros,
            postback::{About, Form},
            rate::Rate,
            time::Timestamp,
            totals::Kind,
            visitor::ClickClass,
        },
    };
}
