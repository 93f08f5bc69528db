//! The tables, once for both databases. A list: types are those of `sql_types`, order is the migrations'.

#![expect(missing_docs, reason = "the migrations and the API reference say what the columns hold")]

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    installation (name) {
        name -> Text,
        value -> Text,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    partners (id) {
        id -> Uid,
        name -> Text,
        ip_storage -> Text,
        created_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    key_directory (key_id) {
        key_id -> Uid,
        partner_id -> Uid,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    link_directory (number) {
        number -> BigInt,
        link_id -> Uid,
        partner_id -> Uid,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    users (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        email -> Text,
        password_hash -> Nullable<Text>,
        role -> Text,
        created_at -> Utc,
        archived_at -> Nullable<Utc>,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    api_keys (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        name -> Text,
        secret_hash -> Binary,
        created_at -> Utc,
        revoked_at -> Nullable<Utc>,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    signing_keys (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        name -> Text,
        secret_sealed -> Binary,
        scopes -> JsonDoc,
        advertiser_ids -> JsonDoc,
        created_at -> Utc,
        revoked_at -> Nullable<Utc>,
        kind -> Text,
        token_hash -> Nullable<Binary>,
        test -> Bool,
        allowed_ips -> JsonDoc,
        expires_at -> Nullable<Utc>,
        last_used_at -> Nullable<Utc>,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    advertisers (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        external_id -> Nullable<Text>,
        name -> Text,
        status -> Text,
        click_id_parameter -> Text,
        deep_link_hosts -> JsonDoc,
        fallback_url -> Nullable<Text>,
        created_at -> Utc,
        updated_at -> Utc,
        currency -> Nullable<Text>,
        publisher_ids -> Nullable<JsonDoc>,
        blocked_publisher_ids -> JsonDoc,
        signing -> Text,
        static_token -> Text,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    publishers (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        external_id -> Nullable<Text>,
        name -> Text,
        status -> Text,
        created_at -> Utc,
        updated_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    campaigns (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        advertiser_id -> Uid,
        external_id -> Nullable<Text>,
        name -> Text,
        status -> Text,
        landing_url -> Text,
        fallback_url -> Nullable<Text>,
        starts_at -> Nullable<Utc>,
        ends_at -> Nullable<Utc>,
        created_at -> Utc,
        updated_at -> Utc,
        click_cap_daily -> Nullable<BigInt>,
        click_cap_total -> Nullable<BigInt>,
        targeting -> JsonDoc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    creatives (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        advertiser_id -> Uid,
        external_id -> Nullable<Text>,
        name -> Text,
        status -> Text,
        created_at -> Utc,
        updated_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    links (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        number -> BigInt,
        advertiser_id -> Uid,
        campaign_id -> Uid,
        creative_id -> Nullable<Uid>,
        publisher_id -> Nullable<Uid>,
        external_id -> Nullable<Text>,
        name -> Text,
        status -> Text,
        landing_url -> Nullable<Text>,
        fallback_url -> Nullable<Text>,
        deep_links -> Text,
        created_at -> Utc,
        updated_at -> Utc,
        consent -> Text,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    goals (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        advertiser_id -> Nullable<Uid>,
        external_id -> Nullable<Text>,
        event_name -> Text,
        name -> Text,
        status -> Text,
        counting -> Text,
        default_status -> Text,
        payout_kind -> Text,
        payout_micros -> BigInt,
        revenue_kind -> Text,
        revenue_micros -> BigInt,
        currency -> Nullable<Text>,
        click_window_seconds -> BigInt,
        reporting_delay_seconds -> BigInt,
        hold_seconds -> BigInt,
        hold_end -> Text,
        created_at -> Utc,
        updated_at -> Utc,
        view_window_seconds -> BigInt,
        modes -> JsonDoc,
        campaign_ids -> JsonDoc,
        overrides -> JsonDoc,
        caps -> JsonDoc,
        rebill_window_seconds -> BigInt,
        max_rebills -> Nullable<BigInt>,
        minimum_click_to_conversion_seconds -> BigInt,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    clicks (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        link_id -> Uid,
        advertiser_id -> Uid,
        campaign_id -> Uid,
        creative_id -> Nullable<Uid>,
        publisher_id -> Nullable<Uid>,
        clicked_at -> Utc,
        class -> Text,
        reason -> Nullable<Text>,
        country -> Nullable<Text>,
        details -> Text,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    impressions (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        link_id -> Uid,
        advertiser_id -> Uid,
        campaign_id -> Uid,
        creative_id -> Nullable<Uid>,
        publisher_id -> Nullable<Uid>,
        shown_at -> Utc,
        class -> Text,
        reason -> Nullable<Text>,
        country -> Nullable<Text>,
        details -> Text,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    click_counts (partner_id, campaign_id, day) {
        partner_id -> Uid,
        campaign_id -> Uid,
        day -> Utc,
        clicks -> BigInt,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    postbacks (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        received_at -> Utc,
        form -> Text,
        key_id -> Nullable<Uid>,
        advertiser_id -> Nullable<Uid>,
        goal_id -> Nullable<Uid>,
        click_id -> Nullable<Uid>,
        conversion_id -> Nullable<Uid>,
        message_id -> Nullable<Text>,
        code -> Text,
        http_status -> Integer,
        request -> Text,
        answer -> Text,
        batch_index -> Nullable<Integer>,
        test -> Bool,
        not_enforced -> Nullable<Text>,
        about -> Text,
        order_id -> Nullable<Text>,
        trace -> Nullable<Text>,
        rerunnable -> Bool,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    conversions (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        advertiser_id -> Uid,
        goal_id -> Uid,
        count_key -> Text,
        match_mode -> Text,
        click_id -> Nullable<Uid>,
        link_id -> Nullable<Uid>,
        campaign_id -> Nullable<Uid>,
        creative_id -> Nullable<Uid>,
        publisher_id -> Nullable<Uid>,
        order_id -> Nullable<Text>,
        customer_id -> Nullable<Text>,
        status -> Text,
        flags -> JsonDoc,
        amount_micros -> Nullable<BigInt>,
        currency -> Nullable<Text>,
        payout_micros -> BigInt,
        revenue_micros -> BigInt,
        clicked_at -> Nullable<Utc>,
        event_time -> Utc,
        received_at -> Utc,
        hold_until -> Nullable<Utc>,
        hold_end -> Text,
        postback_id -> Uid,
        parameters -> Text,
        updated_at -> Utc,
        view_through -> Bool,
        payout_kind -> Text,
        payout_number -> BigInt,
        payout_rule -> Nullable<Text>,
        revenue_kind -> Text,
        revenue_number -> BigInt,
        revenue_rule -> Nullable<Text>,
        original_amount_micros -> Nullable<BigInt>,
        original_currency -> Nullable<Text>,
        exchange_rate -> Nullable<BigInt>,
        capped_payout_micros -> Nullable<BigInt>,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    currency_rates (partner_id, base, quote, day) {
        partner_id -> Uid,
        base -> Text,
        quote -> Text,
        day -> Utc,
        rate -> BigInt,
        updated_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    goal_counts (partner_id, goal_id, period) {
        partner_id -> Uid,
        goal_id -> Uid,
        period -> Text,
        conversions -> BigInt,
        payout_micros -> BigInt,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    customer_bindings (partner_id, advertiser_id, customer_id) {
        partner_id -> Uid,
        advertiser_id -> Uid,
        customer_id -> Text,
        click_id -> Uid,
        view_through -> Bool,
        class -> Nullable<Text>,
        link_id -> Uid,
        campaign_id -> Uid,
        creative_id -> Nullable<Uid>,
        publisher_id -> Nullable<Uid>,
        country -> Nullable<Text>,
        conversion_id -> Uid,
        bound_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    leads (partner_id, advertiser_id, subject) {
        partner_id -> Uid,
        advertiser_id -> Uid,
        subject -> Text,
        lead_id -> Nullable<Text>,
        email_sha256 -> Nullable<Text>,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    adjustments (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        conversion_id -> Uid,
        position -> BigInt,
        advertiser_id -> Uid,
        adjustment_id -> Nullable<Text>,
        kind -> Text,
        actor -> Text,
        api_key_id -> Nullable<Uid>,
        key_id -> Nullable<Uid>,
        postback_id -> Nullable<Uid>,
        reason -> Nullable<Text>,
        note -> Nullable<Text>,
        requested_amount_micros -> Nullable<BigInt>,
        requested_currency -> Nullable<Text>,
        status_before -> Text,
        status_after -> Text,
        currency -> Nullable<Text>,
        amount_before_micros -> Nullable<BigInt>,
        amount_after_micros -> Nullable<BigInt>,
        payout_before_micros -> BigInt,
        payout_after_micros -> BigInt,
        revenue_before_micros -> BigInt,
        revenue_after_micros -> BigInt,
        created_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    reruns (partner_id, postback_id, position) {
        partner_id -> Uid,
        postback_id -> Uid,
        position -> BigInt,
        api_key_id -> Uid,
        code -> Text,
        message -> Text,
        conversion_id -> Nullable<Uid>,
        created_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    total_deltas (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        changes -> Binary,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    hourly_totals (partner_id, hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency) {
        partner_id -> Uid,
        hour -> Utc,
        kind -> Text,
        advertiser_id -> Uid,
        campaign_id -> Uid,
        creative_id -> Uid,
        link_id -> Uid,
        publisher_id -> Uid,
        goal_id -> Uid,
        currency -> Text,
        events -> BigInt,
        amount_micros -> BigInt,
        payout_micros -> BigInt,
        revenue_micros -> BigInt,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    audit_events (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        actor -> Uid,
        action -> Text,
        subject -> Text,
        details -> JsonDoc,
        created_at -> Utc,
    }
}

table! {
    use diesel::sql_types::*;
    use crate::db::sql_types::*;

    outbox (partner_id, id) {
        partner_id -> Uid,
        id -> Uid,
        topic -> Text,
        subject_id -> Uid,
        payload -> JsonDoc,
        created_at -> Utc,
    }
}

allow_tables_to_appear_in_same_query!(
    installation,
    partners,
    key_directory,
    link_directory,
    users,
    api_keys,
    signing_keys,
    advertisers,
    publishers,
    campaigns,
    creatives,
    links,
    goals,
    clicks,
    impressions,
    click_counts,
    currency_rates,
    goal_counts,
    customer_bindings,
    leads,
    postbacks,
    conversions,
    adjustments,
    reruns,
    total_deltas,
    hourly_totals,
    audit_events,
    outbox,
);
