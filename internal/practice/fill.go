package practice

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// document is one record and its content as the vendor's answer has it; nil content is a record
// that does not exist.
type document struct {
	Record
	content any
}

func visitDocument(a Appointment) document {
	return document{Record{Noun: NounAppointment, ID: a.key(), Practice: a.Practice}, a}
}

// documentKey is where a record's document is cached.
func (sc scope) documentKey(r Record) cache.Key {
	return sc.key(documentClasses[r.Noun], sc.names.of(r.Noun, r))
}

// item encodes a document under the tags of its own name and of its practice. One without a
// practice belongs to the account.
func (sc scope) item(d document) (cache.Item, error) {
	key := sc.documentKey(d.Record)
	if d.content == nil {
		return cache.Item{Key: key, Value: cache.Value{Negative: true, Tags: []cache.Tag{cache.TagOf(key.ID)}}}, nil
	}
	tags := []phi.Ref{key.ID}
	if id, occurrence := splitKey(d.ID); occurrence != "" {
		tags = append(tags, sc.names.occurrences(id)) // which only Invalidate raises
	}
	if d.Practice != "" {
		tags = append(tags, sc.names.Practice(d.Practice))
	}
	return encode(key, d.content, tags...)
}

// encode encodes a document or a view under the tags of the refs.
func encode(k cache.Key, content any, tags ...phi.Ref) (cache.Item, error) {
	data, err := phi.Marshal(content)
	if err != nil {
		return cache.Item{}, fmt.Errorf("encode %s: %w", k.Class.Name, err)
	}
	item := cache.Item{Key: k, Value: cache.Value{Bytes: data}}
	for _, r := range tags {
		item.Value.Tags = append(item.Value.Tags, cache.TagOf(r))
	}
	return item, nil
}

// fill caches documents that were read under the grant. A document that the cache refuses is not an
// error: something newer happened to it.
func (sc scope) fill(ctx context.Context, grant cache.Grant, docs ...document) error {
	return sc.fillChanged(ctx, grant, grant, docs...)
}

// fillChanged is fill for documents that were read under an earlier grant, and whose change has
// drawn this one. Their entries keep the time between the two as the cost of the load; see ReadAt.
func (sc scope) fillChanged(ctx context.Context, since, grant cache.Grant, docs ...document) error {
	cost := time.Duration(grant.Stamp-min(grant.Stamp, since.Stamp)+999) / 1000 * time.Millisecond
	for part := range slices.Chunk(docs, cache.MaxFill) {
		items := make([]cache.Item, len(part))
		for i, d := range part {
			var err error
			if items[i], err = sc.item(d); err != nil {
				return err
			}
			items[i].Value.Cost = cost
		}
		ctx, span := telemetry.Start(ctx, telemetry.SpanCacheFill, telemetry.Rows(len(items)))
		_, err := sc.store.cache.FillMany(ctx, grant, items)
		span.End(failed(err))
		if err != nil {
			return fmt.Errorf("fill documents: %w", err)
		}
	}
	return nil
}

// fillLost caches unchanged documents of which the cache has no fresh copy.
func (sc scope) fillLost(ctx context.Context, since cache.Grant, docs []document) error {
	keys := make([]cache.Key, len(docs))
	for i, d := range docs {
		keys[i] = sc.documentKey(d.Record)
	}
	got, err := sc.store.peekAll(ctx, keys)
	if err != nil {
		return fmt.Errorf("read documents: %w", err)
	}
	var lost []document
	for i, e := range got {
		if e.State != cache.Fresh {
			lost = append(lost, docs[i])
		}
	}
	return sc.fill(ctx, since, lost...)
}
