package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/service"
)

// Key prefixes of a user, without the shard's hash tag. The user's ID follows.
const (
	creditPrefix = "u:" // string: credit in minor units that no attempt has reserved
	// directPrefix names the user's direct payments. Hash by order ID: the amount, as "50", and after its return "-50". It
	// is on the credit's shard, so that both change together.
	directPrefix = "d:"
)

// users are the users of all shards: counters of credit, and direct payments beside each.
type users struct{ *participant.Counters }

func newUsers(s *service.Service) *users {
	return &users{participant.NewCounters(s.Cluster, s.Minter, participant.Kind{
		Noun: "user", Prefix: creditPrefix, NotFound: api.UserNotFound, Insufficient: api.InsufficientCredit,
	})}
}

func (u *users) find(ctx context.Context, id string) (api.User, error) {
	reply, err := u.Find(ctx, id)
	if err != nil {
		return api.User{}, err
	}
	user := api.User{UserID: id, Credit: reply.Int(0)}
	return user, reply.Err()
}
