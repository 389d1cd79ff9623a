package shop

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/common/shard"
	"checkout/test/check"
)

const (
	readers     = 8                // concurrent reads of an audit
	readTimeout = 10 * time.Second // for one read to succeed
)

// Audit is the verdict on a system whose clients have stopped.
type Audit struct {
	Snapshot   *check.Snapshot
	Decided    time.Duration // from the start of the audit until no order was undecided
	Violations []string
	Unchecked  int // histories that were too long to check
}

// Audit waits until every order is decided. It then reads everything back, through the API and from Redis, and compares
// it with the responses that the clients received. Users and items that others made are not checked.
func (s *Shop) Audit(ctx context.Context, shards check.Shards) (a Audit, err error) {
	if a.Decided, err = shards.Settle(ctx); err != nil {
		return a, err
	}
	unread := s.readOrders(ctx)
	if a.Snapshot, err = shards.Snapshot(ctx); err != nil {
		return a, err
	}
	deposits := s.Deposits
	deposits.Partial = true
	wrong, unchecked := check.Linearizable(s.Histories(), a.Snapshot)
	a.Unchecked = unchecked
	a.Violations = slices.Concat(unread, s.readBalances(ctx, a.Snapshot), s.Violations(a.Snapshot),
		a.Snapshot.Violations(deposits), wrong, s.unexpected())
	return a, nil
}

func (a Audit) String() string {
	return fmt.Sprintf("everything decided after %.1f s; %d orders, %d violations, %d histories too long to check",
		a.Decided.Seconds(), len(a.Snapshot.Orders), len(a.Violations), a.Unchecked)
}

// Err returns the first violations as an error, or nil if there are none.
func (a Audit) Err() error { return list("violations", a.Violations) }

func list(what string, all []string) error {
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%d %s:\n%s", len(all), what, strings.Join(all[:min(len(all), 20)], "\n"))
}

// retryRead reads until the outcome is known, at most for readTimeout or until ctx ends.
func retryRead(ctx context.Context, read func() check.Response) check.Response {
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if ctx.Err() != nil {
			return check.Response{Err: ctx.Err()}
		}
		if r := read(); !r.Unknown() && r.Status != http.StatusTooManyRequests || time.Since(start) > readTimeout {
			return r
		}
	}
}

// readOrders reads every order through the API. The responses become part of the histories. It lists the orders that it
// could not read.
func (s *Shop) readOrders(ctx context.Context) (failed []string) {
	var mu sync.Mutex
	queue := make(chan *check.History)
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for h := range queue {
				if r := retryRead(ctx, func() check.Response { return h.Find(s.Client) }); !r.OK() {
					mu.Lock()
					failed = append(failed, fmt.Sprintf("read order %s: %v", h.Order, r))
					mu.Unlock()
				}
			}
		})
	}
	for _, h := range s.Histories() {
		queue <- h
	}
	close(queue)
	reading.Wait()
	return failed
}

// readBalances compares what the API returns for every user and item with the snapshot.
func (s *Shop) readBalances(ctx context.Context, sn *check.Snapshot) (found []string) {
	compare := func(path, field string, want int64) {
		r := retryRead(ctx, func() check.Response { return s.Client.Call("GET", path) })
		if got, ok := r.Number(field); !r.OK() || !ok || got != want {
			found = append(found, fmt.Sprintf("GET %s: %v; Redis holds %d", path, r, want))
		}
	}
	for _, user := range s.Users {
		compare("/payment/find_user/"+user, "credit", sn.Credit[user])
	}
	for _, item := range s.Items {
		compare("/stock/find/"+item, "stock", sn.Stock[item])
	}
	return found
}

// unexpected lists the responses that no client of this shop may receive, whatever fails: a status other than 200, 402,
// 409, 429 and 503. A 404, for example, denies something that was created.
func (s *Shop) unexpected() (found []string) {
	for _, r := range s.Responses() {
		if !slices.Contains([]int{0, 200, 402, 409, 429, 503}, r.Status) {
			found = append(found, fmt.Sprintf("unexpected response at %s: %v", r.Began.Format(time.TimeOnly), r))
		}
	}
	return found
}

// CheckFailures returns an error if more than this many requests failed: no response, 429 or 503.
func (s *Shop) CheckFailures(allowed int) (failed int, err error) {
	var found []string
	for _, r := range s.Responses() {
		if r.Unknown() || r.Status == http.StatusTooManyRequests {
			found = append(found, fmt.Sprintf("%s %v", r.Began.Format("15:04:05.000"), r))
		}
	}
	if len(found) > allowed {
		err = list(fmt.Sprintf("failed requests, %d are allowed", allowed), found)
	}
	return len(found), err
}

// AwaitDecided waits until n more checkouts and cancels are decided.
func (s *Shop) AwaitDecided(ctx context.Context, n int64, within time.Duration) error {
	until := s.Decided() + n
	return check.Poll(ctx, within, func(context.Context) error {
		if left := until - s.Decided(); left > 0 {
			return fmt.Errorf("%d more checkouts or cancels must be decided", left)
		}
		return nil
	})
}

// Buy places an order of one item and pays it. It starts again with a new order until one is paid. Forget keeps the
// paid order.
func (s *Shop) Buy(ctx context.Context, within time.Duration) error {
	return check.Poll(ctx, within, func(context.Context) error {
		r := s.Client.Call("POST", "/orders/create/"+s.Users[0])
		s.record(r)
		if !r.OK() {
			time.Sleep(100 * time.Millisecond)
			return fmt.Errorf("create an order: %v", r)
		}
		h := &check.History{Order: r.Field("order_id"), User: s.Users[0]}
		s.mu.Lock()
		s.histories = append(s.histories, h)
		s.mu.Unlock()
		if r := h.AddItem(s.Client, s.Items[0], 1); !r.OK() {
			return fmt.Errorf("add an item to order %s: %v", h.Order, r)
		}
		if r := h.Checkout(s.Client); !r.OK() {
			return fmt.Errorf("check out order %s: %v", h.Order, r)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = append(s.kept, h)
		return nil
	})
}

// AwaitShards creates orders, items and users until each service has used n shards for new IDs.
func (s *Shop) AwaitShards(ctx context.Context, n int, within time.Duration) error {
	for path, field := range map[string]string{
		"/orders/create/" + s.Users[0]: "order_id", "/stock/item/create/1": "item_id", "/payment/create_user": "user_id",
	} {
		used := map[int]int{}
		err := check.Poll(ctx, within, func(context.Context) error {
			r := s.Client.Call("POST", path)
			index, ok := shard.Of(r.Field(field))
			if !ok {
				return fmt.Errorf("POST %s: no ID that names a shard: %v", path, r)
			}
			if used[index]++; len(used) < n {
				return fmt.Errorf("POST %s: new IDs by shard %v, want %d shards", path, used, n)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PaidTimes returns when each successful checkout since the last Forget got its response, in order.
func (s *Shop) PaidTimes() (times []time.Time) {
	for _, h := range s.histories {
		for _, r := range h.Checkouts {
			if r.OK() {
				times = append(times, r.Ended)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}
