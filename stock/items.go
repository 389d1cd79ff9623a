package main

import (
	"context"
	"errors"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/participant"
	"checkout/common/redis"
	"checkout/common/service"
)

// Prefixes of an item's keys. A key consists of the shard's hash tag, the prefix and the item's ID.
const (
	stockPrefix = "i:" // string: pieces that no attempt has reserved
	pricePrefix = "p:" // string: price in minor units
)

// The type "items" stores the items of all shards. Each item has a stock counter and a price.
type items struct{ *participant.Counters }

func newItems(s *service.Service) *items {
	return &items{participant.NewCounters(s.Cluster, s.Minter, participant.Kind{
		Noun: "item", Prefix: stockPrefix, NotFound: api.ItemNotFound, Insufficient: api.InsufficientStock,
		Listed: s.Config.Lists,
	})}
}

func (i *items) find(ctx context.Context, id string) (api.Item, error) {
	reply, err := i.Find(ctx, id, pricePrefix)
	if err != nil {
		return api.Item{}, err
	}
	item := api.Item{ItemID: id, Stock: reply.Int(0), Price: reply.Int(1)}
	return item, reply.Err()
}

func (i *items) list(ctx context.Context, page list.Page) (api.List[api.Item], error) {
	return participant.List(ctx, i.Counters, page, []string{pricePrefix}, func(id string, values []int64) api.Item {
		return api.Item{ItemID: id, Stock: values[0], Price: values[1]}
	})
}

// The method "prices" returns one reply for each item, with the code PriceFound, PriceNotFound or PriceUnknown.
func (i *items) prices(ctx context.Context, ids []string) []api.Price {
	reads := make([]*redis.Read, len(ids))
	prices := make([]api.Price, len(ids))
	for n, id := range ids {
		at, err := i.Locate(id)
		switch {
		case err == nil:
			reads[n] = at.StartValues(at.Key(pricePrefix + id))
		case errors.Is(err, api.ItemNotFound):
			prices[n].Code = api.PriceNotFound
		}
	}
	for n, read := range reads {
		if read == nil {
			continue
		}
		reply, err := read.Wait(ctx)
		if err != nil {
			continue // PriceUnknown
		}
		if !reply.Has(0) {
			if at, err := i.Locate(ids[n]); err == nil && at.VerifyMissing(ctx) == nil {
				prices[n].Code = api.PriceNotFound
			}
		} else if price := reply.Int(0); reply.Err() == nil {
			prices[n] = api.Price{Code: api.PriceFound, Price: price}
		}
	}
	return prices
}
