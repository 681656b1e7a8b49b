-- What operators have decided: who, what, why, and until when. Rows are kept for 400 days.

-- +goose Up
CREATE TABLE operator_actions (
    id        TEXT   NOT NULL PRIMARY KEY,
    acted_at  BIGINT NOT NULL,
    operator  TEXT   NOT NULL,
    action    TEXT   NOT NULL, -- breaker.open, breaker.close, breaker.release
    tenant_id TEXT   NOT NULL, -- '' for what belongs to no tenant, such as the vendor's host
    subject   TEXT   NOT NULL, -- the scope of a breaker
    reason    TEXT   NOT NULL, -- one word; it names no person
    until     BIGINT NOT NULL  -- when the decision ends by itself; 0 if it does not
);
CREATE INDEX operator_actions_by_time ON operator_actions (acted_at);
