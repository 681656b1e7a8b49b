-- +goose Up
ALTER TABLE dead_letters ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- why an operator resolved it; '' if none did
