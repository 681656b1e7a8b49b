package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func visitItem(t tenant.ID, n Names, a Appointment) (cache.Item, error) {
	ref := n.Appointment(a.ID)
	return documentItem(cache.Key{Tenant: t, Class: visitClass, ID: ref}, a, ref, n.Practice(a.Practice))
}

// documentItem encodes one document under the tags of the refs.
func documentItem(k cache.Key, document any, tags ...phi.Ref) (cache.Item, error) {
	data, err := phi.Marshal(document)
	if err != nil {
		return cache.Item{}, fmt.Errorf("encode %s: %w", k.Class.Name, err)
	}
	item := cache.Item{Key: k, Value: cache.Value{Bytes: data}}
	for _, r := range tags {
		item.Value.Tags = append(item.Value.Tags, cache.TagOf(r))
	}
	return item, nil
}

// fillAll caches documents. That the cache refuses one is not an error: something newer happened to it.
func (s *Store) fillAll(ctx context.Context, grant cache.Grant, items []cache.Item) error {
	for part := range slices.Chunk(items, cache.MaxFill) {
		if _, err := s.fillPart(ctx, grant, part); err != nil {
			return fmt.Errorf("fill documents: %w", err)
		}
	}
	return nil
}
