//! Every route, in one list.

use actix_web::web;
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{
    api::{
        adjustments::*, advertiser_signing::*, advertisers::*, audit_events::*, bulk_decisions::*,
        bulk_reruns::*, campaigns::*, clicks::*, conversions::*, creatives::*, currency_rates::*, goals::*,
        impressions::*, links::*, partner::*, postback_explanations::*, postback_tail::*, postbacks::*,
        publishers::*, reports::*, reruns::*, signing_keys::*,
    },
    docs,
    health::{check_live, check_ready},
    track::{
        adjustment_batch::report_adjustments,
        adjustments::report_adjustment,
        clicks::{follow_link, probe_link},
        conversion_batch::report_conversions,
        impressions::show_pixel,
        postbacks::{get_postback_url, post_postback_form, report_conversion},
    },
};

/// The routes that the API reference shows.
pub fn documented(config: &mut ServiceConfig<'_>) {
    config.service(follow_link).service(probe_link).service(show_pixel);
    config.service(check_live).service(check_ready).service(
        scope("/v1")
            .service(get_postback_url)
            .service(post_postback_form)
            .service(report_conversion)
            .service(report_adjustment)
            .service(report_adjustments)
            .service(report_conversions)
            .configure(set_up)
            .configure(records),
    );
}

/// What a partner sets up.
fn set_up(config: &mut ServiceConfig<'_>) {
    config
        .service(get_partner)
        .service(update_partner)
        .service(create_advertiser)
        .service(list_advertisers)
        .service(get_advertiser)
        .service(update_advertiser)
        .service(archive_advertiser)
        .service(create_publisher)
        .service(list_publishers)
        .service(get_publisher)
        .service(update_publisher)
        .service(archive_publisher)
        .service(create_campaign)
        .service(list_campaigns)
        .service(get_campaign)
        .service(update_campaign)
        .service(archive_campaign)
        .service(create_creative)
        .service(list_creatives)
        .service(get_creative)
        .service(update_creative)
        .service(archive_creative)
        .service(create_link)
        .service(list_links)
        .service(get_link)
        .service(update_link)
        .service(archive_link)
        .service(create_goal)
        .service(list_goals)
        .service(get_goal)
        .service(update_goal)
        .service(archive_goal)
        .service(put_currency_rates)
        .service(list_currency_rates)
        .service(import_currency_rates)
        .service(create_signing_key)
        .service(list_signing_keys)
        .service(get_signing_key)
        .service(update_signing_key)
        .service(rotate_signing_key)
        .service(revoke_signing_key)
        .service(get_advertiser_signing)
        .service(list_audit_events);
}

/// What happened.
fn records(config: &mut ServiceConfig<'_>) {
    config
        .service(create_click)
        .service(list_clicks)
        .service(get_click)
        .service(create_impression)
        .service(list_impressions)
        .service(get_impression)
        .service(list_postbacks)
        .service(tail_postbacks)
        .service(rerun_postbacks)
        .service(rerun_postback)
        .service(get_postback)
        .service(explain_postback)
        .service(list_conversions)
        .service(decide_in_bulk)
        .service(adjust_conversion)
        .service(get_conversion_history)
        .service(get_conversion)
        .service(get_report);
}

/// The routes beside the API: its reference.
pub fn undocumented(config: &mut web::ServiceConfig) {
    docs::configure(config);
}
