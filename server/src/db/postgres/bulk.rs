//! Many rows in one round trip: one array per column, so that the statement is the same for any number of rows and
//! PostgreSQL prepares it once.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Integer, Nullable, Text},
};

use serde_json::{Map, Value};

use super::Conn;
use crate::{
    db::{
        rows::records::{Click, Conversion, Postback},
        sql_types::{Json, JsonDoc, Uid, Utc},
    },
    domain::{
        click_id::ClickId,
        conversion::{ConversionStatus, MatchMode},
        currency::Currency,
        goal::HoldEnd,
        ids::*,
        money::Micros,
        postback::Form,
        time::Timestamp,
        visitor::ClickClass,
    },
};

/// Writes a function that inserts rows of one table and returns the ids of those that were not there yet.
macro_rules! insert_new {
    ($(#[$doc:meta])* $function:ident, $table:literal, $row:ty, $id:ty, [$($column:ident: $sql:ty = $rust:ty),* $(,)?]) => {
        $(#[$doc])*
        pub fn $function(conn: &mut Conn, rows: &[$row]) -> QueryResult<Vec<$id>> {
            #[derive(Default, QueryId)]
            struct Columns { $($column: Vec<$rust>),* }

            impl QueryFragment<Pg> for Columns {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                    out.push_sql(concat!("INSERT INTO ", $table, " ("));
                    out.push_sql(concat_columns!($($column),*));
                    out.push_sql(") SELECT * FROM unnest(");
                    let mut separator = "";
                    $(
                        out.push_sql(separator);
                        out.push_bind_param::<Array<$sql>, _>(&self.$column)?;
                        separator = ", ";
                    )*
                    let _ = separator;
                    out.push_sql(") ON CONFLICT DO NOTHING RETURNING id");
                    Ok(())
                }
            }

            impl Query for Columns {
                type SqlType = Uid;
            }

            impl<C> RunQueryDsl<C> for Columns {}

            let mut columns = Columns::default();
            for row in rows {
                $(columns.$column.push(row.$column.clone());)*
            }
            columns.get_results(conn)
        }
    };
}

/// The names of columns, separated by commas.
macro_rules! concat_columns {
    ($first:ident $(, $column:ident)*) => { concat!(stringify!($first) $(, ", ", stringify!($column))*) };
}

insert_new!(
    /// Inserts clicks of any partners; returns the new ones.
    insert_clicks,
    "clicks",
    Click,
    ClickId,
    [
        partner_id: Uid = PartnerId,
        id: Uid = ClickId,
        link_id: Uid = LinkId,
        advertiser_id: Uid = AdvertiserId,
        campaign_id: Uid = CampaignId,
        creative_id: Nullable<Uid> = Option<CreativeId>,
        publisher_id: Nullable<Uid> = Option<PublisherId>,
        clicked_at: Utc = Timestamp,
        class: Text = ClickClass,
        reason: Nullable<Text> = Option<String>,
        flags: JsonDoc = Json<Vec<String>>,
        site: Nullable<Text> = Option<String>,
        source_id: Nullable<Text> = Option<String>,
        ext_click_id: Nullable<Text> = Option<String>,
        parameters: JsonDoc = Json<Map<String, Value>>,
        ip: Nullable<Text> = Option<String>,
        country: Nullable<Text> = Option<String>,
        region: Nullable<Text> = Option<String>,
        isp: Nullable<Text> = Option<String>,
        browser: Nullable<Text> = Option<String>,
        os: Nullable<Text> = Option<String>,
        os_version: Nullable<Text> = Option<String>,
        device_type: Nullable<Text> = Option<String>,
        language: Nullable<Text> = Option<String>,
        referrer_host: Nullable<Text> = Option<String>,
    ]
);

insert_new!(
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
        request: JsonDoc = Json<Map<String, Value>>,
        answer: JsonDoc = Json<Map<String, Value>>,
    ]
);

insert_new!(
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
        creative_id: Nullable<Uid> = Option<CreativeId>,
        publisher_id: Nullable<Uid> = Option<PublisherId>,
        order_id: Nullable<Text> = Option<String>,
        customer_id: Nullable<Text> = Option<String>,
        status: Text = ConversionStatus,
        flags: JsonDoc = Json<Vec<String>>,
        amount_micros: Nullable<BigInt> = Option<Micros>,
        currency: Nullable<Text> = Option<Currency>,
        payout_micros: BigInt = Micros,
        revenue_micros: BigInt = Micros,
        clicked_at: Nullable<Utc> = Option<Timestamp>,
        event_time: Utc = Timestamp,
        received_at: Utc = Timestamp,
        hold_until: Nullable<Utc> = Option<Timestamp>,
        hold_end: Text = HoldEnd,
        postback_id: Uid = PostbackId,
        parameters: JsonDoc = Json<Map<String, Value>>,
        updated_at: Utc = Timestamp,
    ]
);
