-- Goals: ways to match, campaigns, money by publisher and country, caps, customers that come again.
ALTER TABLE goals ADD COLUMN modes TEXT NOT NULL DEFAULT '["transaction","customer"]';
ALTER TABLE goals ADD COLUMN campaign_ids TEXT NOT NULL DEFAULT '[]';
ALTER TABLE goals ADD COLUMN overrides TEXT NOT NULL DEFAULT '[]';
ALTER TABLE goals ADD COLUMN caps TEXT NOT NULL DEFAULT '{}';
ALTER TABLE goals ADD COLUMN rebill_window_seconds INTEGER NOT NULL DEFAULT 31536000;
ALTER TABLE goals ADD COLUMN max_rebills INTEGER;
ALTER TABLE goals ADD COLUMN minimum_click_to_conversion_seconds INTEGER NOT NULL DEFAULT 0;

ALTER TABLE advertisers ADD COLUMN currency TEXT;
ALTER TABLE advertisers ADD COLUMN publisher_ids TEXT;
ALTER TABLE advertisers ADD COLUMN blocked_publisher_ids TEXT NOT NULL DEFAULT '[]';

-- The terms that a conversion's money follows from, as they were when it was counted. A rule that is NULL is the goal's
-- own; an exchange rate is in trillionths.
ALTER TABLE conversions ADD COLUMN payout_kind TEXT NOT NULL DEFAULT 'fixed' CHECK (payout_kind IN ('fixed', 'percent') OR payout_kind = 'dynamic');
ALTER TABLE conversions ADD COLUMN payout_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN payout_rule TEXT;
ALTER TABLE conversions ADD COLUMN revenue_kind TEXT NOT NULL DEFAULT 'fixed' CHECK (revenue_kind IN ('fixed', 'percent') OR revenue_kind = 'dynamic');
ALTER TABLE conversions ADD COLUMN revenue_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN revenue_rule TEXT;
ALTER TABLE conversions ADD COLUMN original_amount_micros INTEGER;
ALTER TABLE conversions ADD COLUMN original_currency TEXT;
ALTER TABLE conversions ADD COLUMN exchange_rate INTEGER;
-- The payout in the goal's currency, where that is not the conversion's: its caps are in it.
ALTER TABLE conversions ADD COLUMN capped_payout_micros INTEGER;
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
    partner_id BLOB NOT NULL REFERENCES partners (id),
    base       TEXT NOT NULL,
    quote      TEXT NOT NULL,
    day        INTEGER NOT NULL,
    rate       INTEGER NOT NULL CHECK (rate > 0),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (partner_id, base, quote, day)
) STRICT, WITHOUT ROWID;

-- What a goal with caps has taken in a period: `day:2026-11-24`, `month:2026-11`, `total`.
CREATE TABLE goal_counts (
    partner_id    BLOB NOT NULL,
    goal_id       BLOB NOT NULL,
    period        TEXT NOT NULL,
    conversions   INTEGER NOT NULL,
    payout_micros INTEGER NOT NULL,
    PRIMARY KEY (partner_id, goal_id, period),
    FOREIGN KEY (partner_id, goal_id) REFERENCES goals (partner_id, id)
) STRICT, WITHOUT ROWID;

-- The click that a customer is bound to: what its first event came with.
CREATE TABLE customer_bindings (
    partner_id    BLOB NOT NULL,
    advertiser_id BLOB NOT NULL,
    customer_id   TEXT NOT NULL,
    click_id      BLOB NOT NULL,
    view_through  INTEGER NOT NULL CHECK (view_through IN (0, 1)),
    class         TEXT,
    link_id       BLOB NOT NULL,
    campaign_id   BLOB NOT NULL,
    creative_id   BLOB,
    publisher_id  BLOB,
    country       TEXT,
    conversion_id BLOB NOT NULL,
    bound_at      INTEGER NOT NULL,
    PRIMARY KEY (partner_id, advertiser_id, customer_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
) STRICT, WITHOUT ROWID;

-- What the first events of a click (`click:...`) or a customer (`customer:...`) said of the person.
CREATE TABLE leads (
    partner_id    BLOB NOT NULL,
    advertiser_id BLOB NOT NULL,
    subject       TEXT NOT NULL,
    lead_id       TEXT,
    email_sha256  TEXT,
    PRIMARY KEY (partner_id, advertiser_id, subject),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
) STRICT, WITHOUT ROWID;
