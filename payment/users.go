package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/participant"
	"checkout/common/service"
)

// Prefixes of a user's keys. A key consists of the shard's hash tag, the prefix and the user's ID.
const (
	creditPrefix = "u:" // string: credit that no attempt has reserved, in minor units
	// directPrefix is the prefix of a hash with the user's direct payments, by order ID. A value is the amount, such as
	// "50", or "-50" after a refund, or "?token:expiry" while the payment is in progress. The hash is on the shard of the
	// credit, so that one script changes both.
	directPrefix = "d:"
	// indexPrefix is the prefix of a sorted set with the order IDs of the user's direct payments, with equal scores.
	// pay_order creates the set when the hash of direct payments has more than "unindexed" fields. Until then, the
	// route "history" reads the hash.
	indexPrefix = "direct:"
	unindexed   = 200
)

// The type "users" stores the users of all shards. Each user has a credit counter and direct payments.
type users struct{ *participant.Counters }

func newUsers(s *service.Service) *users {
	return &users{participant.NewCounters(s.Cluster, s.Minter, participant.Kind{
		Noun: "user", Prefix: creditPrefix, NotFound: api.UserNotFound, Insufficient: api.InsufficientCredit,
		Listed: s.Config.Lists,
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

func (u *users) list(ctx context.Context, page list.Page) (api.List[api.User], error) {
	return participant.List(ctx, u.Counters, page, nil, func(id string, values []int64) api.User {
		return api.User{UserID: id, Credit: values[0]}
	})
}
