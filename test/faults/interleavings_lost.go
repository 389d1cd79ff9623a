package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Interleavings in which the Redis of payment loses data and later gets it back. In creditLost and paymentLost, a
// checkout is between its reservations and its commit.
var (
	// The Redis comes back empty. The payment instance keeps running.
	creditLost = &interleaving{"payment's Redis comes back empty before the commit", runCreditLost(false)}

	// The Redis comes back empty, and the payment instance restarts.
	paymentLost = &interleaving{"payment loses its Redis and restarts before the commit", runCreditLost(true)}

	// The write sequence goes back, as after the loss of acknowledged writes. The next request is a write.
	sequenceBack = &interleaving{"payment's Redis goes back in time before a write", runSequenceBack}
)

// runCreditLost returns a runFunc in which an empty Redis replaces payment's Redis, after the coordinator has reserved
// everything. The new Redis lacks the credit's reservation, so the order must not be paid, and the client must not get
// a final response.
func runCreditLost(restart bool) runFunc {
	return func(ctx context.Context, s *rig) error {
		h, _, err := s.holdWithLongLease(ctx) // the long lease keeps recovery from aborting the attempt
		if err != nil {
			return err
		}
		if restart {
			err = s.kill("payment-1")
		}
		if err != nil {
			return err
		}
		heal, err := s.replaceData(ctx, "payment", 0, nil)
		if err != nil {
			return err
		}
		if restart {
			err = s.start(ctx, "payment-1")
		}
		sleep(ctx, 1500*time.Millisecond) // a defective instance would use the empty Redis after two health checks
		if err != nil {
			return err
		}
		r, err := s.resumeFirst(ctx, h)
		if err != nil {
			return err
		}
		if r.OK() || r.Refused() {
			s.violate("payment's data was lost before the commit, and the checkout got %v, want no final response", r)
		}
		if state, err := s.orders.state(ctx, h.testOrder); err != nil || state == "PAID" {
			s.violate("payment's data was lost before the commit, and the order is %q (error: %v), want it unpaid", state, err)
		}
		if r := s.Call("GET", "/payment/find_user/"+h.User); r.Status == http.StatusNotFound {
			s.violate("payment's data was lost, and a request got 404: %v", r)
		}
		if restart {
			return errors.Join(s.kill("payment-1"), heal(), s.start(ctx, "payment-1"))
		}
		return heal()
	}
}

func runSequenceBack(ctx context.Context, s *rig) error {
	const key = "{p0}seq"
	redis := s.shards["payment"][0]
	if r := s.Call("POST", "/payment/create_user"); !r.OK() { // after this write, the instance has seen a write sequence
		return fmt.Errorf("create a user: %v", r)
	}
	sequence, err := redis.Get(ctx, key).Int64()
	if err != nil {
		return err
	}
	if err := redis.Del(ctx, key).Err(); err != nil {
		return err
	}
	if r := s.Call("POST", "/payment/create_user"); r.OK() {
		s.violate("a write to a Redis that went back in time was acknowledged: %v", r)
	}
	// Raise the write sequence and restart the Redis, so that the instance uses the Redis again.
	return errors.Join(redis.Set(ctx, key, sequence+1000, 0).Err(), s.Kill("redis-payment-0"),
		s.Start(ctx, "redis-payment-0"))
}
