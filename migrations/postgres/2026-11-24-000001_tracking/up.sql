-- Impressions: what was shown. Like clicks, of which they have all columns; their ids follow the same scheme.
CREATE TABLE impressions (
    partner_id     UUID NOT NULL,
    id             UUID NOT NULL,
    link_id        UUID NOT NULL,
    advertiser_id  UUID NOT NULL,
    campaign_id    UUID NOT NULL,
    creative_id    UUID,
    publisher_id   UUID,
    shown_at       TIMESTAMPTZ NOT NULL,
    class          TEXT NOT NULL CHECK (class IN ('human', 'bot', 'prefetch', 'invalid')),
    reason         TEXT,
    country        TEXT,
    details        TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE impressions_default PARTITION OF impressions DEFAULT;

-- How many clicks a campaign that has a cap has had: in a day, and, under the day 1970-01-01, ever.
CREATE TABLE click_counts (
    partner_id  UUID NOT NULL,
    campaign_id UUID NOT NULL,
    day         TIMESTAMPTZ NOT NULL,
    clicks      BIGINT NOT NULL,
    PRIMARY KEY (partner_id, campaign_id, day),
    FOREIGN KEY (partner_id, campaign_id) REFERENCES campaigns (partner_id, id)
);

ALTER TABLE links ADD COLUMN consent TEXT NOT NULL DEFAULT 'ignore' CHECK (consent IN ('ignore', 'restrictive'));
ALTER TABLE campaigns ADD COLUMN click_cap_daily BIGINT;
ALTER TABLE campaigns ADD COLUMN click_cap_total BIGINT;
ALTER TABLE campaigns ADD COLUMN targeting JSONB NOT NULL DEFAULT '{}';
ALTER TABLE goals ADD COLUMN view_window_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversions ADD COLUMN view_through BOOLEAN NOT NULL DEFAULT false;

-- Partners can now be changed over the API, too.
CREATE FUNCTION tallyback_tell_partner_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tallyback_changes', NEW.id::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_change AFTER UPDATE ON partners
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_partner_change();
