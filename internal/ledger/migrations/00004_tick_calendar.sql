-- +goose Up
ALTER TABLE ticks ADD COLUMN added_at BIGINT NOT NULL DEFAULT 0; -- the scheduler's calendar; 0 if an earlier release added the tick

CREATE INDEX ticks_sent ON ticks (at) WHERE sent_at IS NOT NULL;

-- Ticks that a scheduler sent before their time because its calendar was ahead.
CREATE TABLE early_ticks (
    tenant_id TEXT    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    schedule  TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    times     INTEGER NOT NULL, -- how often
    PRIMARY KEY (tenant_id, schedule, at)
);

-- From when on a schedule is planned for that skips its first tick.
CREATE TABLE beginnings (
    tenant_id TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    schedule  TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, schedule)
);
