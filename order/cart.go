package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/shard"
	"checkout/common/web"
	"checkout/order/store"
)

// The type "created" is the response of the route "create".
type created struct {
	OrderID string `json:"order_id"`
}

func (h *handlers) create(c *gin.Context, key *idempotency.Key) (created, error) {
	user := c.Param("user_id")
	if err := web.CheckID("user ID", user); err != nil {
		return created{}, err
	}
	id, err := h.newOrder(c.Request.Context(), key, user)
	return created{OrderID: id}, err
}

// createTries is the largest number of IDs that newOrder tries for one order. In practice, the first ID is always free.
const createTries = 3

// newOrder creates an order. With an idempotency key, the order is on the key's home shard. Without a key, the minter
// selects the shard.
func (h *handlers) newOrder(ctx context.Context, key *idempotency.Key, user string) (string, error) {
	for range createTries {
		id, _, err := idempotency.Mint(h.Cluster, h.Minter, key)
		if err != nil {
			return "", err
		}
		if err := h.orders.Create(ctx, key, id, user); !errors.Is(err, store.ErrTaken) {
			return key.CreatedOr(id), err
		}
	}
	return "", fmt.Errorf("create an order: each of %d minted IDs was already taken", createTries)
}

func (h *handlers) find(c *gin.Context) (api.Order, error) {
	o, err := h.orders.Find(c.Request.Context(), c.Param("order_id"))
	if err != nil {
		return api.Order{}, err
	}
	order := api.Order{
		OrderID: o.ID, Paid: o.State == store.StatePaid, UserID: o.User, TotalCost: o.Total, Status: o.State,
		Items: []string{}, Lines: []api.OrderLine{},
	}
	for _, line := range o.Lines {
		order.Lines = append(order.Lines, line)
		for range line.Quantity {
			order.Items = append(order.Items, line.ItemID)
		}
	}
	return order, nil
}

// addItem adds pieces of an item to an order, at the item's current price. The script "add_item" checks that the order
// is open.
func (h *handlers) addItem(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	quantity, err := quantity(c)
	if err != nil {
		return api.Message{}, err
	}
	ctx, id, item := c.Request.Context(), c.Param("order_id"), c.Param("item_id")
	if err := h.orders.Check(id); err != nil {
		return api.Message{}, err
	}
	price, err := h.prices.price(ctx, item)
	if err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "added"}, h.orders.AddItem(ctx, key, id, item, quantity, price)
}

func (h *handlers) removeItem(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	quantity, err := quantity(c)
	if err != nil {
		return api.Message{}, err
	}
	err = h.orders.RemoveItem(c.Request.Context(), key, c.Param("order_id"), c.Param("item_id"), quantity)
	return api.Message{Msg: "removed"}, err
}

// quantity returns the path parameter "quantity", or 1 if the route has no such parameter.
func quantity(c *gin.Context) (int64, error) {
	if _, found := c.Params.Get("quantity"); !found {
		return 1, nil
	}
	return web.Amount(c, "quantity")
}

func (h *handlers) remove(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	return api.Message{Msg: "removed"}, h.orders.Remove(c.Request.Context(), key, c.Param("order_id"))
}

func (h *handlers) initBatch(c *gin.Context) (api.Message, error) {
	if !h.batchInit {
		return api.Message{}, api.BatchDisabled
	}
	n, err1 := web.Count(c, "n", 1, int64(h.Config.BatchLimit))
	items, err2 := web.Count(c, "n_items", 1, shard.MaxDecimal)
	users, err3 := web.Count(c, "n_users", 1, shard.MaxDecimal)
	price, err4 := web.Price(c, "item_price")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "Batch init for orders successful"},
		h.orders.BatchInit(c.Request.Context(), n, items, users, price)
}
