-- The operator's own: what this installation is. No partner.
CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE partners (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    ip_storage TEXT NOT NULL DEFAULT 'truncated' CHECK (ip_storage IN ('full', 'truncated', 'none')),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The two directories: the only way from a number or a key on the wire to its partner.
CREATE TABLE key_directory (
    key_id     BLOB NOT NULL PRIMARY KEY,
    partner_id BLOB NOT NULL REFERENCES partners (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_directory (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 0 AND 4294967295),
    link_id    BLOB NOT NULL UNIQUE,
    partner_id BLOB NOT NULL REFERENCES partners (id)
) STRICT;

-- People and keys.
CREATE TABLE users (
    partner_id    BLOB NOT NULL REFERENCES partners (id),
    id            BLOB NOT NULL,
    email         TEXT NOT NULL,
    password_hash TEXT,
    role          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    archived_at   INTEGER,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    partner_id  BLOB NOT NULL REFERENCES partners (id),
    id          BLOB NOT NULL,
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    partner_id    BLOB NOT NULL REFERENCES partners (id),
    id            BLOB NOT NULL,
    name          TEXT NOT NULL,
    secret_sealed BLOB NOT NULL,
    scopes        TEXT NOT NULL,
    advertiser_ids TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;

-- What a partner sets up.
CREATE TABLE advertisers (
    partner_id         BLOB NOT NULL REFERENCES partners (id),
    id                 BLOB NOT NULL,
    external_id        TEXT,
    name               TEXT NOT NULL,
    status             TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    click_id_parameter TEXT NOT NULL,
    deep_link_hosts    TEXT NOT NULL,
    fallback_url       TEXT,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE publishers (
    partner_id  BLOB NOT NULL REFERENCES partners (id),
    id          BLOB NOT NULL,
    external_id TEXT,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
    partner_id    BLOB NOT NULL,
    id            BLOB NOT NULL,
    advertiser_id BLOB NOT NULL,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    landing_url   TEXT NOT NULL,
    fallback_url  TEXT,
    starts_at     INTEGER,
    ends_at       INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE creatives (
    partner_id    BLOB NOT NULL,
    id            BLOB NOT NULL,
    advertiser_id BLOB NOT NULL,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    partner_id    BLOB NOT NULL,
    id            BLOB NOT NULL,
    number        INTEGER NOT NULL,
    advertiser_id BLOB NOT NULL,
    campaign_id   BLOB NOT NULL,
    creative_id   BLOB,
    publisher_id  BLOB,
    external_id   TEXT,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    landing_url   TEXT,
    fallback_url  TEXT,
    deep_links    TEXT NOT NULL CHECK (deep_links IN ('allowed', 'refused')),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (number) REFERENCES link_directory (number),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id),
    FOREIGN KEY (partner_id, campaign_id) REFERENCES campaigns (partner_id, id),
    FOREIGN KEY (partner_id, creative_id) REFERENCES creatives (partner_id, id),
    FOREIGN KEY (partner_id, publisher_id) REFERENCES publishers (partner_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE goals (
    partner_id              BLOB NOT NULL REFERENCES partners (id),
    id                      BLOB NOT NULL,
    advertiser_id           BLOB,
    external_id             TEXT,
    event_name              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    status                  TEXT NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    counting                TEXT NOT NULL CHECK (counting IN ('once', 'per_order')),
    default_status          TEXT NOT NULL CHECK (default_status IN ('approved', 'pending')),
    payout_kind             TEXT NOT NULL CHECK (payout_kind IN ('fixed', 'percent', 'dynamic')),
    payout_micros           INTEGER NOT NULL,
    revenue_kind            TEXT NOT NULL CHECK (revenue_kind IN ('fixed', 'percent', 'dynamic')),
    revenue_micros          INTEGER NOT NULL,
    currency                TEXT,
    click_window_seconds    INTEGER NOT NULL,
    reporting_delay_seconds INTEGER NOT NULL,
    hold_seconds            INTEGER NOT NULL,
    hold_end                TEXT NOT NULL CHECK (hold_end IN ('approve', 'reject')),
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, external_id),
    FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id)
) STRICT, WITHOUT ROWID;
-- An event name is unique in its scope: the whole partner, or one advertiser.
CREATE UNIQUE INDEX goals_event_name_partner_key ON goals (partner_id, event_name) WHERE advertiser_id IS NULL;
CREATE UNIQUE INDEX goals_event_name_advertiser_key ON goals (partner_id, advertiser_id, event_name)
    WHERE advertiser_id IS NOT NULL;

-- What happens. Clicks, the log of postbacks and the deltas have no foreign keys: their ids come from our own
-- rows, and the check would cost more than the insert.
-- Long rows stand in a tree of their own, which has no keys to compare and is only appended to.
CREATE TABLE clicks (
    partner_id     BLOB NOT NULL,
    id             BLOB NOT NULL,
    link_id        BLOB NOT NULL,
    advertiser_id  BLOB NOT NULL,
    campaign_id    BLOB NOT NULL,
    creative_id    BLOB,
    publisher_id   BLOB,
    clicked_at     INTEGER NOT NULL,
    class          TEXT NOT NULL CHECK (class IN ('human', 'bot') OR class IN ('prefetch', 'invalid')),
    reason         TEXT,
    country        TEXT,
    details        TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT;

CREATE TABLE postbacks (
    partner_id    BLOB NOT NULL,
    id            BLOB NOT NULL,
    received_at   INTEGER NOT NULL,
    form          TEXT NOT NULL CHECK (form IN ('query', 'form') OR form = 'json'),
    key_id        BLOB,
    advertiser_id BLOB,
    goal_id       BLOB,
    click_id      BLOB,
    conversion_id BLOB,
    message_id    TEXT,
    code          TEXT NOT NULL,
    http_status   INTEGER NOT NULL,
    request       TEXT NOT NULL,
    answer        TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT;

CREATE TABLE conversions (
    partner_id     BLOB NOT NULL,
    id             BLOB NOT NULL,
    advertiser_id  BLOB NOT NULL,
    goal_id        BLOB NOT NULL,
    count_key      TEXT NOT NULL,
    match_mode     TEXT NOT NULL CHECK (match_mode IN ('transaction', 'customer') OR match_mode = 'partner'),
    click_id       BLOB,
    link_id        BLOB,
    campaign_id    BLOB,
    creative_id    BLOB,
    publisher_id   BLOB,
    order_id       TEXT,
    customer_id    TEXT,
    status         TEXT NOT NULL CHECK (status IN ('pending', 'on_hold') OR status IN ('approved', 'rejected') OR status = 'reversed'),
    flags          TEXT NOT NULL,
    amount_micros  INTEGER,
    currency       TEXT,
    payout_micros  INTEGER NOT NULL,
    revenue_micros INTEGER NOT NULL,
    clicked_at     INTEGER,
    event_time     INTEGER NOT NULL,
    received_at    INTEGER NOT NULL,
    hold_until     INTEGER,
    hold_end       TEXT NOT NULL CHECK (hold_end IN ('approve', 'reject')),
    postback_id    BLOB NOT NULL,
    parameters     TEXT NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT;
-- Counting once. Whatever races, one of these decides.
CREATE UNIQUE INDEX conversions_count_key ON conversions (partner_id, advertiser_id, goal_id, count_key);
CREATE UNIQUE INDEX conversions_order_key ON conversions (partner_id, advertiser_id, goal_id, order_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX conversions_hold ON conversions (partner_id, hold_until) WHERE status = 'on_hold';

-- Append-only: every change of a conversion's status or money.
CREATE TABLE adjustments (
    partner_id           BLOB NOT NULL,
    id                   BLOB NOT NULL,
    conversion_id        BLOB NOT NULL,
    adjustment_id        TEXT,
    kind                 TEXT NOT NULL CHECK (kind IN ('retraction', 'restatement', 'approve', 'reject', 'reopen', 'hold_end')),
    actor                TEXT NOT NULL,
    reason               TEXT,
    status_before        TEXT NOT NULL,
    status_after         TEXT NOT NULL,
    amount_before_micros INTEGER,
    amount_after_micros  INTEGER,
    created_at           INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, adjustment_id),
    FOREIGN KEY (partner_id, conversion_id) REFERENCES conversions (partner_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX adjustments_conversion ON adjustments (partner_id, conversion_id, id);

-- What each commit adds to the totals; folded into hourly_totals by a job, in one transaction.
CREATE TABLE total_deltas (
    partner_id BLOB NOT NULL,
    id         BLOB NOT NULL,
    changes    TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;

-- kind is a click's class or a conversion's status. Sixteen zero bytes and '' stand for "none":
-- a unique key does not compare NULLs.
CREATE TABLE hourly_totals (
    partner_id     BLOB NOT NULL REFERENCES partners (id),
    hour           INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    advertiser_id  BLOB NOT NULL,
    campaign_id    BLOB NOT NULL,
    creative_id    BLOB NOT NULL,
    link_id        BLOB NOT NULL,
    publisher_id   BLOB NOT NULL,
    goal_id        BLOB NOT NULL,
    currency       TEXT NOT NULL,
    events         INTEGER NOT NULL,
    amount_micros  INTEGER NOT NULL,
    payout_micros  INTEGER NOT NULL,
    revenue_micros INTEGER NOT NULL,
    PRIMARY KEY (partner_id, hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency)
) STRICT, WITHOUT ROWID;

-- Events for the outside world, written with what caused them, sent later.
CREATE TABLE outbox (
    partner_id BLOB NOT NULL REFERENCES partners (id),
    id         BLOB NOT NULL,
    topic      TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    payload    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;
