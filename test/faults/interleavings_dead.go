package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"checkout/common/shard"
	"checkout/test/check"
)

// Interleavings in which one of two order instances dies. The test extends the order's lease, so that the lease does
// not expire before the recovery or the retry.
var (
	// The surviving instance recovers the order, because the coordinator of the order is no longer connected to Redis.
	orphanRecovered = &interleaving{"an order instance dies and the other one recovers its order", runOrphanRecovered}

	// The gateway sends the checkout to the surviving instance, which resumes the attempt.
	retryResumes = &interleaving{"an order instance dies and the gateway retries its checkout", runRetryResumes}

	// A second order needs the pieces that the dead instance has reserved. The checkout of the second order waits for the
	// recovery.
	orphanAwaited = &interleaving{"a checkout needs pieces that a dead instance has reserved", runOrphanAwaited}
)

const longLease = 8 * time.Second

// holdWithLongLease creates an order, pauses its coordinator after all reservations, and extends the order's lease. The
// other order instance does not pause. The result "ends" is the time when the lease expires, by the clock of Redis.
func (s *rig) holdWithLongLease(ctx context.Context) (h *heldOrder, ends time.Time, err error) {
	if h, err = s.holdAt(ctx, kindPaid, actionPause, "order: coordinator reserve stock"); err != nil {
		return nil, ends, err
	}
	other := map[string]string{"order-1": "order-2", "order-2": "order-1"}[h.first]
	if err := s.points.disarm(ctx, h.points[0], other); err != nil {
		return nil, ends, err
	}
	redis := s.shards["order"][0]
	now, err := redis.Time(ctx).Result()
	if err != nil {
		return nil, ends, err
	}
	ends = now.Add(longLease)
	pipe := redis.TxPipeline()
	pipe.HSet(ctx, "{o0}o:"+h.Order, "lease", ends.UnixMilli())
	pipe.ZIncrBy(ctx, "{o0}undecided", float64(longLease.Milliseconds()), h.Order)
	_, err = pipe.Exec(ctx)
	return h, ends, err
}

// wantBefore reports a violation if the clock of Redis is past the time "ends", at which the lease expires.
func (s *rig) wantBefore(ctx context.Context, ends time.Time, what string) error {
	now, err := s.shards["order"][0].Time(ctx).Result()
	if err == nil && now.After(ends) {
		s.violate("%s only after the lease had expired", what)
	}
	return err
}

func runOrphanRecovered(ctx context.Context, s *rig) error {
	s.direct = true
	h, ends, err := s.holdWithLongLease(ctx)
	if err != nil {
		return err
	}
	if err := s.kill(h.first); err != nil {
		return err
	}
	if err := s.waitState(ctx, h.testOrder, "OPEN"); err != nil {
		return err
	}
	return errors.Join(s.wantBefore(ctx, ends, "the order of a dead instance was recovered"), s.start(ctx, h.first))
}

func runRetryResumes(ctx context.Context, s *rig) error {
	h, ends, err := s.holdWithLongLease(ctx)
	if err != nil {
		return err
	}
	// Delete the field "by", which names the coordinator. Recovery must then wait until the lease expires.
	if err := s.shards["order"][0].HDel(ctx, "{o0}o:"+h.Order, "by").Err(); err != nil {
		return err
	}
	if err := s.kill(h.first); err != nil {
		return err
	}
	if r := <-h.response; !r.OK() {
		s.violate("the retry of a checkout whose instance died got %v, want 200", r)
	}
	return errors.Join(s.wantBefore(ctx, ends, "the retry of a checkout was decided"), s.start(ctx, h.first))
}

func runOrphanAwaited(ctx context.Context, s *rig) error {
	s.direct = true
	h, _, err := s.holdWithLongLease(ctx)
	if err != nil {
		return err
	}
	other, err := s.orders.createTwin(ctx, h.testOrder)
	if err != nil {
		return err
	}
	claim, err := s.arm(ctx, actionPause, "order", "recovery claim", h.Order)
	if err != nil {
		return err
	}
	if err := s.kill(h.first); err != nil {
		return err
	}
	if _, err := s.waitFired(ctx, claim); err != nil {
		return err
	}
	response := make(chan check.Response, 1)
	s.sending.Go(func() { response <- other.Checkout(s.Client.Instance(s.PublicURLs("order")[1])) })
	if err := s.waitState(ctx, other, "RUNNING", "OPEN"); err != nil {
		return err
	}
	sleep(ctx, 300*time.Millisecond) // enough for the first reply of stock to the second checkout
	if err := s.resume(ctx, claim); err != nil {
		return err
	}
	if r := <-response; r.Status == http.StatusConflict {
		s.violate("a checkout was refused for pieces that recovery was about to return: %v", r)
	}
	return s.start(ctx, h.first)
}

// createTwin creates a second order with the user and the cart of an order. The user gets credit for both orders, but
// there are too few pieces for both.
func (ts *testOrders) createTwin(ctx context.Context, o *testOrder) (*testOrder, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	at, _ := shard.Of(o.Order)
	fields, err := ts.shards["order"][at].HGetAll(ctx, fmt.Sprintf("{o%d}o:%s", at, o.Order)).Result()
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"a", "dl", "lease", "by"} {
		delete(fields, field)
	}
	fields["s"] = "OPEN"
	twin := &testOrder{kind: o.kind, items: o.items}
	twin.Order, twin.User = shard.Mint(at), o.User
	const credit = 100
	user, _ := shard.Of(o.User)
	if err := ts.shards["payment"][user].IncrBy(ctx, fmt.Sprintf("{p%d}u:%s", user, o.User), credit).Err(); err != nil {
		return nil, err
	}
	ts.initial.Credit[o.User] += credit
	ts.all = append(ts.all, twin)
	return twin, ts.shards["order"][at].HSet(ctx, fmt.Sprintf("{o%d}o:%s", at, twin.Order), fields).Err()
}
