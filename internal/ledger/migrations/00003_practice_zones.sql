-- +goose Up
ALTER TABLE practices ADD COLUMN time_zone TEXT NOT NULL DEFAULT ''; -- '' while the practice is in its tenant's zone
