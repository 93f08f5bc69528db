-- The operator's own: what this installation is. No partner.
CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE partners (
    id         UUID NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    ip_storage TEXT NOT NULL DEFAULT 'truncated' CHECK (ip_storage IN ('full', 'truncated', 'none')),
    created_at TIMESTAMPTZ NOT NULL
);

-- The two directories: the only way from a number or a key on the wire to its partner.
CREATE TABLE key_directory (
    key_id     UUID NOT NULL PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES partners (id)
);

CREATE TABLE link_directory (
    number     BIGINT NOT NULL PRIMARY KEY CHECK (number BETWEEN 0 AND 4294967295),
    link_id    UUID NOT NULL UNIQUE,
    partner_id UUID NOT NULL REFERENCES partners (id)
);

-- People and keys.
CREATE TABLE users (
    partner_id    UUID NOT NULL REFERENCES partners (id),
    id            UUID NOT NULL,
    email         TEXT NOT NULL,
    password_hash TEXT,
    role          TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    archived_at   TIMESTAMPTZ,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, email)
);

CREATE TABLE api_keys (
    partner_id  UUID NOT NULL REFERENCES partners (id),
    id          UUID NOT NULL,
    name        TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    revoked_at  TIMESTAMPTZ,
    PRIMARY KEY (partner_id, id)
);

CREATE TABLE signing_keys (
    partner_id    UUID NOT NULL REFERENCES partners (id),
    id            UUID NOT NULL,
    name          TEXT NOT NULL,
    secret_sealed BYTEA NOT NULL,
    scopes        JSONB NOT NULL,
    advertiser_ids JSONB NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    revoked_at    TIMESTAMPTZ,
    PRIMARY KEY (partner_id, id)
);

-- What a partner sets up.
CREATE TABLE advertisers (
    partner_id         UUID NOT NULL REFERENCES partners (id),
    id                 UUID NOT NULL,
    external_id        TEXT,
    name               TEXT NOT NULL,
    status             TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    click_id_parameter TEXT NOT NULL,
    deep_link_hosts    JSONB NOT NULL,
    fallback_url       TEXT,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id)
);

CREATE TABLE publishers (
    partner_id  UUID NOT NULL REFERENCES partners (id),
    id          UUID NOT NULL,
    external_id TEXT,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id)
);

CREATE TABLE campaigns (
    partner_id    UUID NOT NULL,
    id            UUID NOT NULL,
    advertiser_id UUID NOT NULL,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    landing_url   TEXT NOT NULL,
    fallback_url  TEXT,
    starts_at     TIMESTAMPTZ,
    ends_at       TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
);

CREATE TABLE creatives (
    partner_id    UUID NOT NULL,
    id            UUID NOT NULL,
    advertiser_id UUID NOT NULL,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
);

CREATE TABLE links (
    partner_id    UUID NOT NULL,
    id            UUID NOT NULL,
    number        BIGINT NOT NULL,
    advertiser_id UUID NOT NULL,
    campaign_id   UUID NOT NULL,
    creative_id   UUID,
    publisher_id  UUID,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    landing_url   TEXT,
    fallback_url  TEXT,
    deep_links    TEXT NOT NULL CHECK (deep_links IN ('allowed', 'refused')),
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (number) REFERENCES link_directory (number),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id),
    FOREIGN KEY (partner_id, campaign_id) REFERENCES campaigns (partner_id, id),
    FOREIGN KEY (partner_id, creative_id) REFERENCES creatives (partner_id, id),
    FOREIGN KEY (partner_id, publisher_id) REFERENCES publishers (partner_id, id)
);

CREATE TABLE goals (
    partner_id              UUID NOT NULL REFERENCES partners (id),
    id                      UUID NOT NULL,
    advertiser_id           UUID,
    external_id             TEXT,
    event_name              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    status                  TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    counting                TEXT NOT NULL CHECK (counting IN ('once', 'per_order')),
    default_status          TEXT NOT NULL CHECK (default_status IN ('approved', 'pending')),
    payout_kind             TEXT NOT NULL CHECK (payout_kind IN ('fixed', 'percent', 'dynamic')),
    payout_micros           BIGINT NOT NULL,
    revenue_kind            TEXT NOT NULL CHECK (revenue_kind IN ('fixed', 'percent', 'dynamic')),
    revenue_micros          BIGINT NOT NULL,
    currency                TEXT,
    click_window_seconds    BIGINT NOT NULL,
    reporting_delay_seconds BIGINT NOT NULL,
    hold_seconds            BIGINT NOT NULL,
    hold_end                TEXT NOT NULL CHECK (hold_end IN ('approve', 'reject')),
    created_at              TIMESTAMPTZ NOT NULL,
    updated_at              TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
);
-- An event name is unique in its scope: the whole partner, or one advertiser.
CREATE UNIQUE INDEX goals_event_name_partner_key ON goals (partner_id, event_name) WHERE advertiser_id IS NULL;
CREATE UNIQUE INDEX goals_event_name_advertiser_key ON goals (partner_id, advertiser_id, event_name)
    WHERE advertiser_id IS NOT NULL;

-- What happens. Clicks, the log of postbacks and the deltas have no foreign keys: their ids come from our own
-- rows, and the check would cost more than the insert. Both logs are partitioned by their time-ordered id, so that retention drops
-- partitions; a job makes the months ahead, the default takes what falls outside.
CREATE TABLE clicks (
    partner_id     UUID NOT NULL,
    id             UUID NOT NULL,
    link_id        UUID NOT NULL,
    advertiser_id  UUID NOT NULL,
    campaign_id    UUID NOT NULL,
    creative_id    UUID,
    publisher_id   UUID,
    clicked_at     TIMESTAMPTZ NOT NULL,
    class          TEXT NOT NULL CHECK (class IN ('human', 'bot', 'prefetch', 'invalid')),
    reason         TEXT,
    country        TEXT,
    details        TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE clicks_default PARTITION OF clicks DEFAULT;

CREATE TABLE postbacks (
    partner_id    UUID NOT NULL,
    id            UUID NOT NULL,
    received_at   TIMESTAMPTZ NOT NULL,
    form          TEXT NOT NULL CHECK (form IN ('query', 'form', 'json')),
    key_id        UUID,
    advertiser_id UUID,
    goal_id       UUID,
    click_id      UUID,
    conversion_id UUID,
    message_id    TEXT,
    code          TEXT NOT NULL,
    http_status   INTEGER NOT NULL,
    request       JSONB NOT NULL,
    answer        JSONB NOT NULL,
    PRIMARY KEY (partner_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE postbacks_default PARTITION OF postbacks DEFAULT;

CREATE TABLE conversions (
    partner_id     UUID NOT NULL,
    id             UUID NOT NULL,
    advertiser_id  UUID NOT NULL,
    goal_id        UUID NOT NULL,
    count_key      TEXT NOT NULL,
    match_mode     TEXT NOT NULL CHECK (match_mode IN ('transaction', 'customer', 'partner')),
    click_id       UUID,
    link_id        UUID,
    campaign_id    UUID,
    creative_id    UUID,
    publisher_id   UUID,
    order_id       TEXT,
    customer_id    TEXT,
    status         TEXT NOT NULL CHECK (status IN ('pending', 'on_hold', 'approved', 'rejected', 'reversed')),
    flags          JSONB NOT NULL,
    amount_micros  BIGINT,
    currency       TEXT,
    payout_micros  BIGINT NOT NULL,
    revenue_micros BIGINT NOT NULL,
    clicked_at     TIMESTAMPTZ,
    event_time     TIMESTAMPTZ NOT NULL,
    received_at    TIMESTAMPTZ NOT NULL,
    hold_until     TIMESTAMPTZ,
    hold_end       TEXT NOT NULL CHECK (hold_end IN ('approve', 'reject')),
    postback_id    UUID NOT NULL,
    parameters     JSONB NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id),
    FOREIGN KEY (partner_id, goal_id) REFERENCES goals (partner_id, id)
);
-- Counting once. Whatever races, one of these decides.
CREATE UNIQUE INDEX conversions_count_key ON conversions (partner_id, advertiser_id, goal_id, count_key);
CREATE UNIQUE INDEX conversions_order_key ON conversions (partner_id, advertiser_id, goal_id, order_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX conversions_hold ON conversions (partner_id, hold_until) WHERE status = 'on_hold';

-- Append-only: every change of a conversion's status or money.
CREATE TABLE adjustments (
    partner_id           UUID NOT NULL,
    id                   UUID NOT NULL,
    conversion_id        UUID NOT NULL,
    adjustment_id        TEXT,
    kind                 TEXT NOT NULL CHECK (kind IN ('retraction', 'restatement', 'approve', 'reject', 'reopen', 'hold_end')),
    actor                TEXT NOT NULL,
    reason               TEXT,
    status_before        TEXT NOT NULL,
    status_after         TEXT NOT NULL,
    amount_before_micros BIGINT,
    amount_after_micros  BIGINT,
    created_at           TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, adjustment_id),
    FOREIGN KEY (partner_id, conversion_id) REFERENCES conversions (partner_id, id)
);
CREATE INDEX adjustments_conversion ON adjustments (partner_id, conversion_id, id);

-- What each commit adds to the totals; folded into hourly_totals by a job, in one transaction.
CREATE TABLE total_deltas (
    partner_id UUID NOT NULL,
    id         UUID NOT NULL,
    changes    JSONB NOT NULL,
    PRIMARY KEY (partner_id, id)
);
-- They are gone within seconds: compressing them would be the larger part of the work.
ALTER TABLE total_deltas ALTER COLUMN changes SET STORAGE EXTERNAL;

-- kind is a click's class or a conversion's status. Sixteen zero bytes and '' stand for "none":
-- a unique key does not compare NULLs.
CREATE TABLE hourly_totals (
    partner_id     UUID NOT NULL REFERENCES partners (id),
    hour           TIMESTAMPTZ NOT NULL,
    kind           TEXT NOT NULL,
    advertiser_id  UUID NOT NULL,
    campaign_id    UUID NOT NULL,
    creative_id    UUID NOT NULL,
    link_id        UUID NOT NULL,
    publisher_id   UUID NOT NULL,
    goal_id        UUID NOT NULL,
    currency       TEXT NOT NULL,
    events         BIGINT NOT NULL,
    amount_micros  BIGINT NOT NULL,
    payout_micros  BIGINT NOT NULL,
    revenue_micros BIGINT NOT NULL,
    PRIMARY KEY (partner_id, hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency)
);

-- Events for the outside world, written with what caused them, sent later.
CREATE TABLE outbox (
    partner_id UUID NOT NULL REFERENCES partners (id),
    id         UUID NOT NULL,
    topic      TEXT NOT NULL,
    subject_id UUID NOT NULL,
    payload    JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id)
);
