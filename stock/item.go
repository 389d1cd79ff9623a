package main

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/shard"
	"checkout/common/web"
)

// maxPrices bounds the items in one question for prices.
const maxPrices = 1024

// created is the answer to item/create.
type created struct {
	ItemID string `json:"item_id"`
}

func (s *server) create(c *gin.Context, key *idempotency.Key) (created, error) {
	price, err := web.Price(c, "price")
	if err != nil {
		return created{}, err
	}
	id, err := s.items.create(c.Request.Context(), key, price)
	return created{id}, err
}

func (s *server) find(c *gin.Context) (api.Item, error) {
	return s.items.find(c.Request.Context(), c.Param("item_id"))
}

func (s *server) add(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	id := c.Param("item_id")
	if err := s.items.add(c.Request.Context(), key, id, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("%d added to item %s", amount, id)}, nil
}

func (s *server) subtract(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	id := c.Param("item_id")
	if err := s.items.subtract(c.Request.Context(), key, id, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("%d subtracted from item %s", amount, id)}, nil
}

func (s *server) batchInit(c *gin.Context) (api.Message, error) {
	if !s.batchAllowed {
		return api.Message{}, api.BatchDisabled
	}
	n, err := web.Count(c, "n", 1, shard.MaxDecimal)
	if err != nil {
		return api.Message{}, err
	}
	stock, err := web.Price(c, "starting_stock") // which may be 0, as a price may
	if err != nil {
		return api.Message{}, err
	}
	price, err := web.Price(c, "item_price")
	if err != nil {
		return api.Message{}, err
	}
	if err := s.items.batchInit(c.Request.Context(), n, stock, price); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "Batch init for stock successful"}, nil
}

// prices answers the order service. A caller that leaves cancels nothing: other callers' items may be in its list.
func (s *server) prices(c *gin.Context) ([]api.Price, error) {
	ids, err := web.Body[[]string](c)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxPrices {
		return nil, fmt.Errorf("%d items: %w", len(ids), api.BadRequest)
	}
	return s.items.prices(context.WithoutCancel(c.Request.Context()), ids), nil
}
