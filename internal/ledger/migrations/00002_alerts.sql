-- What operators must know about a practice's data, by code. The day is 2006-01-02, or '' for what belongs to no day;
-- the practice is '' for what belongs to the whole account.

-- +goose Up
CREATE TABLE alerts (
    tenant_id   TEXT    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    practice_id TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    rows        INTEGER NOT NULL, -- how many rows of the vendor are concerned; 0 where none can be counted
    first_seen  BIGINT  NOT NULL,
    last_seen   BIGINT  NOT NULL, -- at most an hour old while the alert lasts and its data is read
    PRIMARY KEY (tenant_id, practice_id, day, code)
);

-- The name that the vendor gave the practice after the tenant's settings were applied; '' while theirs is right.
ALTER TABLE practices ADD COLUMN adopted TEXT NOT NULL DEFAULT '';
