package store

import (
	"errors"
	"testing"

	"checkout/common/api"
	"checkout/common/shard"
)

// An order on a Redis that was emptied is unavailable, and not missing, even before a health check refuses the Redis.
// An order that never existed is missing.
func TestAnEmptiedRedisHasNoMissingOrders(t *testing.T) {
	s, client := openStore(t)
	id := shard.Mint(0)
	if err := s.Create(t.Context(), nil, id, "U"); err != nil {
		t.Fatal(err)
	}
	reads := map[string]func(string) error{
		"find":    func(id string) error { _, err := s.Find(t.Context(), id); return err },
		"summary": func(id string) error { _, err := s.Summary(t.Context(), id); return err },
		"history": func(id string) error { _, err := s.History(t.Context(), id); return err },
	}
	for name, read := range reads {
		if err := read(shard.Mint(0)); !errors.Is(err, api.OrderNotFound) {
			t.Errorf("%s of an order that never existed: got %v, want %v", name, err, api.OrderNotFound)
		}
	}
	client.FlushAll(t.Context())
	for range 100 {
		for name, read := range reads {
			if err := read(id); !errors.Is(err, api.Unavailable) {
				t.Fatalf("%s after Redis was emptied: got %v, want %v", name, err, api.Unavailable)
			}
		}
	}
}
