-- Impressions: what was shown. Like clicks, of which they have all columns; their ids follow the same scheme.
CREATE TABLE impressions (
    partner_id     BLOB NOT NULL,
    id             BLOB NOT NULL,
    link_id        BLOB NOT NULL,
    advertiser_id  BLOB NOT NULL,
    campaign_id    BLOB NOT NULL,
    creative_id    BLOB,
    publisher_id   BLOB,
    shown_at       INTEGER NOT NULL,
    class          TEXT NOT NULL CHECK (class IN ('human', 'bot') OR class IN ('prefetch', 'invalid')),
    reason         TEXT,
    country        TEXT,
    details        TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT;

-- How many clicks a campaign that has a cap has had: in a day, and, under the day 1970-01-01, ever.
CREATE TABLE click_counts (
    partner_id  BLOB NOT NULL,
    campaign_id BLOB NOT NULL,
    day         INTEGER NOT NULL,
    clicks      INTEGER NOT NULL,
    PRIMARY KEY (partner_id, campaign_id, day),
    FOREIGN KEY (partner_id, campaign_id) REFERENCES campaigns (partner_id, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE links ADD COLUMN consent TEXT NOT NULL DEFAULT 'ignore' CHECK (consent IN ('ignore', 'restrictive'));
ALTER TABLE campaigns ADD COLUMN click_cap_daily INTEGER;
ALTER TABLE campaigns ADD COLUMN click_cap_total INTEGER;
ALTER TABLE campaigns ADD COLUMN targeting TEXT NOT NULL DEFAULT '{}';
ALTER TABLE goals ADD COLUMN view_window_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN view_through INTEGER NOT NULL DEFAULT 0 CHECK (view_through IN (0, 1));
