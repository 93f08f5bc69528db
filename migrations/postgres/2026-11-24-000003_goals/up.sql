-- Goals: ways to match, campaigns, money by publisher and country, caps, customers that come again.
ALTER TABLE goals ADD COLUMN modes JSONB NOT NULL DEFAULT '["transaction","customer"]';
ALTER TABLE goals ADD COLUMN campaign_ids JSONB NOT NULL DEFAULT '[]';
ALTER TABLE goals ADD COLUMN overrides JSONB NOT NULL DEFAULT '[]';
ALTER TABLE goals ADD COLUMN caps JSONB NOT NULL DEFAULT '{}';
ALTER TABLE goals ADD COLUMN rebill_window_seconds BIGINT NOT NULL DEFAULT 31536000;
ALTER TABLE goals ADD COLUMN max_rebills BIGINT;
ALTER TABLE goals ADD COLUMN minimum_click_to_conversion_seconds BIGINT NOT NULL DEFAULT 0;

ALTER TABLE advertisers ADD COLUMN currency TEXT;
ALTER TABLE advertisers ADD COLUMN publisher_ids JSONB;
ALTER TABLE advertisers ADD COLUMN blocked_publisher_ids JSONB NOT NULL DEFAULT '[]';

-- The terms that a conversion's money follows from, as they were when it was counted. A rule that is NULL is the goal's
-- own; an exchange rate is in trillionths.
ALTER TABLE conversions ADD COLUMN payout_kind TEXT NOT NULL DEFAULT 'fixed' CHECK (payout_kind IN ('fixed', 'percent', 'dynamic'));
ALTER TABLE conversions ADD COLUMN payout_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN payout_rule TEXT;
ALTER TABLE conversions ADD COLUMN revenue_kind TEXT NOT NULL DEFAULT 'fixed' CHECK (revenue_kind IN ('fixed', 'percent', 'dynamic'));
ALTER TABLE conversions ADD COLUMN revenue_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN revenue_rule TEXT;
ALTER TABLE conversions ADD COLUMN original_amount_micros BIGINT;
ALTER TABLE conversions ADD COLUMN original_currency TEXT;
ALTER TABLE conversions ADD COLUMN exchange_rate BIGINT;
-- The payout in the goal's currency, where that is not the conversion's: its caps are in it.
ALTER TABLE conversions ADD COLUMN capped_payout_micros BIGINT;
UPDATE conversions SET
    payout_kind = goals.payout_kind,
    payout_number = CASE goals.payout_kind WHEN 'fixed' THEN conversions.payout_micros ELSE goals.payout_micros END,
    revenue_kind = goals.revenue_kind,
    revenue_number = CASE goals.revenue_kind WHEN 'fixed' THEN conversions.revenue_micros ELSE goals.revenue_micros END
FROM goals WHERE goals.partner_id = conversions.partner_id AND goals.id = conversions.goal_id;
-- How often a customer has come again for a goal.
CREATE INDEX conversions_customer ON conversions (partner_id, advertiser_id, goal_id, customer_id)
    WHERE customer_id IS NOT NULL;

-- What one unit of `base` is worth in `quote` from the start of a day on, in trillionths.
CREATE TABLE currency_rates (
    partner_id UUID NOT NULL REFERENCES partners (id),
    base       TEXT NOT NULL,
    quote      TEXT NOT NULL,
    day        TIMESTAMPTZ NOT NULL,
    rate       BIGINT NOT NULL CHECK (rate > 0),
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, base, quote, day)
);
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON currency_rates
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();

-- What a goal with caps has taken in a period: `day:2026-11-24`, `month:2026-11`, `total`.
CREATE TABLE goal_counts (
    partner_id    UUID NOT NULL,
    goal_id       UUID NOT NULL,
    period        TEXT NOT NULL,
    conversions   BIGINT NOT NULL,
    payout_micros BIGINT NOT NULL,
    PRIMARY KEY (partner_id, goal_id, period),
    FOREIGN KEY (partner_id, goal_id) REFERENCES goals (partner_id, id)
);

-- The click that a customer is bound to: what its first event came with.
CREATE TABLE customer_bindings (
    partner_id    UUID NOT NULL,
    advertiser_id UUID NOT NULL,
    customer_id   TEXT NOT NULL,
    click_id      UUID NOT NULL,
    view_through  BOOLEAN NOT NULL,
    class         TEXT,
    link_id       UUID NOT NULL,
    campaign_id   UUID NOT NULL,
    creative_id   UUID,
    publisher_id  UUID,
    country       TEXT,
    conversion_id UUID NOT NULL,
    bound_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, advertiser_id, customer_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
);

-- What the first events of a click (`click:...`) or a customer (`customer:...`) said of the person.
CREATE TABLE leads (
    partner_id    UUID NOT NULL,
    advertiser_id UUID NOT NULL,
    subject       TEXT NOT NULL,
    lead_id       TEXT,
    email_sha256  TEXT,
    PRIMARY KEY (partner_id, advertiser_id, subject),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
);
