-- The history of conversions: their number in it, all money before and after, who did it and why. An adjustment id is
-- the advertiser's own. SQLite cannot change a key, so the table is made anew.
CREATE TABLE history (
    partner_id              BLOB NOT NULL,
    id                      BLOB NOT NULL,
    conversion_id           BLOB NOT NULL,
    position                INTEGER NOT NULL,
    advertiser_id           BLOB NOT NULL,
    adjustment_id           TEXT,
    kind                    TEXT NOT NULL CHECK (kind IN ('retraction', 'restatement') OR kind IN ('approve', 'reject') OR kind IN ('reopen', 'hold_end')),
    actor                   TEXT NOT NULL CHECK (actor IN ('system', 'partner') OR actor = 'advertiser'),
    api_key_id              BLOB,
    key_id                  BLOB,
    postback_id             BLOB,
    reason                  TEXT,
    note                    TEXT,
    requested_amount_micros INTEGER,
    requested_currency      TEXT,
    status_before           TEXT NOT NULL,
    status_after            TEXT NOT NULL,
    currency                TEXT,
    amount_before_micros    INTEGER,
    amount_after_micros     INTEGER,
    payout_before_micros    INTEGER NOT NULL,
    payout_after_micros     INTEGER NOT NULL,
    revenue_before_micros   INTEGER NOT NULL,
    revenue_after_micros    INTEGER NOT NULL,
    created_at              INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id),
    UNIQUE (partner_id, conversion_id, position),
    UNIQUE (partner_id, advertiser_id, adjustment_id),
    FOREIGN KEY (partner_id, conversion_id) REFERENCES conversions (partner_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO history
SELECT a.partner_id, a.id, a.conversion_id,
       row_number() OVER (PARTITION BY a.partner_id, a.conversion_id ORDER BY a.id),
       c.advertiser_id, a.adjustment_id, a.kind, a.actor, NULL, NULL, NULL, a.reason, NULL, NULL, NULL,
       a.status_before, a.status_after, c.currency, a.amount_before_micros, a.amount_after_micros,
       c.payout_micros, c.payout_micros, c.revenue_micros, c.revenue_micros, a.created_at
FROM adjustments a JOIN conversions c ON c.partner_id = a.partner_id AND c.id = a.conversion_id;
DROP TABLE adjustments;
ALTER TABLE history RENAME TO adjustments;

-- What a line of the log reports: a conversion, or an adjustment of one.
ALTER TABLE postbacks ADD COLUMN about TEXT NOT NULL DEFAULT 'conversion' CHECK (about IN ('conversion', 'adjustment'));

-- A refused postback that was judged again after the set-up was mended: once.
CREATE TABLE reruns (
    partner_id  BLOB NOT NULL,
    postback_id BLOB NOT NULL,
    rerun_id    BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (partner_id, postback_id),
    UNIQUE (partner_id, rerun_id)
) STRICT, WITHOUT ROWID;
