package main

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/list"
	"checkout/common/participant"
	"checkout/common/web"
)

// The type "created" is the response of the route "item/create".
type created struct {
	ItemID string `json:"item_id"`
}

func (h *handlers) create(c *gin.Context, key *idempotency.Key) (created, error) {
	price, err := web.Price(c, "price")
	if err != nil {
		return created{}, err
	}
	id, err := h.items.Create(c.Request.Context(), key, participant.Attribute{Prefix: pricePrefix, Value: price})
	return created{id}, err
}

func (h *handlers) find(c *gin.Context) (api.Item, error) {
	return h.items.find(c.Request.Context(), c.Param("item_id"))
}

func (h *handlers) list(c *gin.Context) (api.List[api.Item], error) {
	page, err := web.Page(c, list.IsID)
	if err != nil {
		return api.List[api.Item]{}, err
	}
	return h.items.list(c.Request.Context(), page)
}

func (h *handlers) add(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	id := c.Param("item_id")
	if err := h.items.Add(c.Request.Context(), key, id, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("%d added to item %s", amount, id)}, nil
}

func (h *handlers) subtract(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return api.Message{}, err
	}
	id := c.Param("item_id")
	if err := h.items.Subtract(c.Request.Context(), key, id, amount); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: fmt.Sprintf("%d subtracted from item %s", amount, id)}, nil
}

func (h *handlers) initBatch(c *gin.Context) (api.Message, error) {
	if !h.batchInit {
		return api.Message{}, api.BatchDisabled
	}
	n, err := web.Count(c, "n", 1, int64(h.Config.BatchLimit))
	if err != nil {
		return api.Message{}, err
	}
	stock, err := web.Price(c, "starting_stock") // unlike web.Amount, web.Price accepts 0
	if err != nil {
		return api.Message{}, err
	}
	price, err := web.Price(c, "item_price")
	if err != nil {
		return api.Message{}, err
	}
	prices := []participant.Attribute{{Prefix: pricePrefix, Value: price}}
	if err := h.items.BatchInit(c.Request.Context(), n, stock, prices); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "Batch init for stock successful"}, nil
}

// The handler "prices" returns the prices of items to the order service. The handler continues even if the caller
// disconnects, because one request contains the items of several client requests.
func (h *handlers) prices(c *gin.Context) ([]api.Price, error) {
	ids, err := web.Entries[string](c, "items")
	if err != nil {
		return nil, err
	}
	return h.items.prices(context.WithoutCancel(c.Request.Context()), ids), nil
}
