package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/web"
)

// created is the answer to a create.
type created struct {
	OrderID string `json:"order_id"`
}

func (s *server) create(c *gin.Context, key *idempotency.Key) (created, error) {
	user := c.Param("user_id")
	if len(user) > api.MaxIDLength {
		return created{}, fmt.Errorf("a user id of %d bytes: %w", len(user), api.BadRequest)
	}
	id, err := s.newOrder(c.Request.Context(), key, user)
	return created{OrderID: id}, err
}

// newOrder makes an order on one of this machine's shards, or on the key's.
func (s *server) newOrder(ctx context.Context, key *idempotency.Key, user string) (string, error) {
	for {
		id, _, err := idempotency.Mint(s.store.db, s.mint, key)
		if err != nil {
			return "", err
		}
		if err := s.store.create(ctx, key, id, user); !errors.Is(err, errTaken) {
			return key.CreatedOr(id), err
		}
	}
}

func (s *server) find(c *gin.Context) (api.Order, error) {
	o, err := s.store.find(c.Request.Context(), c.Param("order_id"))
	if err != nil {
		return api.Order{}, err
	}
	answer := api.Order{OrderID: o.id, Paid: o.state == statePaid, Items: []string{}, UserID: o.user, TotalCost: o.total, Status: o.state, Lines: []api.OrderLine{}}
	for _, line := range o.lines {
		answer.Lines = append(answer.Lines, line)
		for range line.Quantity {
			answer.Items = append(answer.Items, line.ItemID)
		}
	}
	return answer, nil
}

// addItem adds pieces of an item at its price of now. Whether the order is open is checked together with the change.
func (s *server) addItem(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	quantity, err := quantity(c)
	if err != nil {
		return api.Message{}, err
	}
	ctx, id, item := c.Request.Context(), c.Param("order_id"), c.Param("item_id")
	if _, _, err := s.store.locate(id); err != nil {
		return api.Message{}, err
	}
	price, err := s.catalogue.price(ctx, item)
	if err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "added"}, s.store.addItem(ctx, key, id, item, quantity, price)
}

func (s *server) removeItem(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	quantity, err := quantity(c)
	if err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "removed"}, s.store.removeItem(c.Request.Context(), key, c.Param("order_id"), c.Param("item_id"), quantity)
}

// quantity is 1 in the routes that do not name it.
func quantity(c *gin.Context) (int64, error) {
	if _, named := c.Params.Get("quantity"); !named {
		return 1, nil
	}
	return web.Amount(c, "quantity")
}

func (s *server) remove(c *gin.Context, key *idempotency.Key) (api.Message, error) {
	return api.Message{Msg: "removed"}, s.store.remove(c.Request.Context(), key, c.Param("order_id"))
}
