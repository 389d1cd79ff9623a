package main

import (
	"testing"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/participant/participanttest"
	"checkout/common/service/servicetest"
)

// All arithmetic on stock is exact, even above 2^53-1, where Lua numbers are not exact.
func TestStockIsExactAtTheLimits(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1)
	limits := participanttest.Limits{
		T: t, Counters: newItems(s.Service).Counters, Reservations: participant.NewReservations(s.Cluster, stockPrefix),
		Server: s.Shards[0], Key: func(id string) string { return "{s0}" + stockPrefix + id },
		Insufficient: api.InsufficientStock, Lines: 2,
	}
	limits.Run()
}
