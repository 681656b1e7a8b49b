-- One text for PostgreSQL and SQLite. SQLite keeps any type's name and stores bytes as given under BYTEA.
-- Times are microseconds since 1970 in UTC. Who is a patient appears in no column: refs, codes and sealed bytes only.

-- +goose Up
CREATE TABLE tenants (
    id          TEXT  NOT NULL PRIMARY KEY,
    time_zone   TEXT  NOT NULL,
    hours       TEXT  NOT NULL, -- a JSON object: weekday to opening hours
    credentials BYTEA NOT NULL  -- sealed
);

CREATE TABLE practices (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id        TEXT NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- Without its row here nothing that was cached for a tenant can be opened again.
CREATE TABLE data_keys (
    tenant_id TEXT  NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    wrapped   BYTEA NOT NULL
);

CREATE TABLE ticks (
    tenant_id TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    schedule  TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    sent_at   BIGINT, -- NULL while due
    PRIMARY KEY (tenant_id, schedule, at)
);

CREATE INDEX ticks_due ON ticks (at, tenant_id, schedule) WHERE sent_at IS NULL;

CREATE TABLE watermarks (
    tenant_id TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    name      TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- The tenant is what the task's header said: it may be empty or unknown, since a letter must never be refused for that.
CREATE TABLE dead_letters (
    task_id     TEXT    NOT NULL PRIMARY KEY,
    tenant_id   TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    lane        TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    enqueued_at BIGINT  NOT NULL,
    died_at     BIGINT  NOT NULL,
    payload     BYTEA   NOT NULL, -- sealed
    headers     TEXT    NOT NULL, -- a JSON object
    state       TEXT    NOT NULL CHECK (state IN ('open', 'replayed', 'settled'))
);

CREATE INDEX dead_letters_in_order ON dead_letters (died_at, task_id);
CREATE INDEX dead_letters_open ON dead_letters (kind, code) WHERE state = 'open';
