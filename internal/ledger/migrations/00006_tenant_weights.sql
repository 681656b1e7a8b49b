-- +goose Up
ALTER TABLE tenants ADD COLUMN weight INTEGER NOT NULL DEFAULT 1; -- the tenant's share of the workers, relative to the others
