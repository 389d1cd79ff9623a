package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/shard"
	"checkout/common/web"
)

// created is the answer to create_user.
type created struct {
	UserID string `json:"user_id"`
}

// funded is the answer to add_funds.
type funded struct {
	Done bool `json:"done"`
}

func (s *server) create(c *gin.Context, key *idempotency.Key) (created, error) {
	id, err := s.users.create(c.Request.Context(), key)
	return created{id}, err
}

func (s *server) find(c *gin.Context) (api.User, error) {
	return s.users.find(c.Request.Context(), c.Param("user_id"))
}

func (s *server) addFunds(c *gin.Context, key *idempotency.Key) (funded, error) {
	amount, err := web.Amount(c, "amount")
	if err != nil {
		return funded{}, err
	}
	if err := s.users.addFunds(c.Request.Context(), key, c.Param("user_id"), amount); err != nil {
		return funded{}, err
	}
	return funded{true}, nil
}

func (s *server) batchInit(c *gin.Context) (api.Message, error) {
	if !s.batchAllowed {
		return api.Message{}, api.BatchDisabled
	}
	n, err := web.Count(c, "n", 1, shard.MaxDecimal)
	if err != nil {
		return api.Message{}, err
	}
	credit, err := web.Price(c, "starting_money") // which may be 0, as a price may
	if err != nil {
		return api.Message{}, err
	}
	if err := s.users.batchInit(c.Request.Context(), n, credit); err != nil {
		return api.Message{}, err
	}
	return api.Message{Msg: "Batch init for users successful"}, nil
}
