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
	readers     = 8                // number of concurrent readers in an audit
	readTimeout = 10 * time.Second // limit for the retries of one read
)

// Audit is the result of comparing a system with the responses that the clients received.
type Audit struct {
	Snapshot   *check.Snapshot
	Decided    time.Duration // time until all orders were decided
	Violations []string
	Unchecked  int // number of histories whose check timed out
}

// Audit waits until every order is decided. Then it reads all data through the API and from Redis, and compares the
// data with the responses that the clients received. The clients must have stopped. Audit checks only the shop's users
// and items.
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
	notLinearizable, unchecked := check.Linearizable(s.Histories(), a.Snapshot)
	a.Unchecked = unchecked
	a.Violations = slices.Concat(unread, s.readBalances(ctx, a.Snapshot), s.Violations(a.Snapshot),
		a.Snapshot.Violations(deposits), notLinearizable, s.unexpected())
	return a, nil
}

func (a Audit) String() string {
	return fmt.Sprintf("everything decided after %.1f s; %d orders, %d violations, %d checks of histories timed out",
		a.Decided.Seconds(), len(a.Snapshot.Orders), len(a.Violations), a.Unchecked)
}

// Err returns the first violations as an error, or nil if there are none.
func (a Audit) Err() error { return list("violations", a.Violations) }

// list returns an error with the first lines of a list, or nil if the list is empty.
func list(what string, all []string) error {
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%d %s:\n%s", len(all), what, strings.Join(all[:min(len(all), 20)], "\n"))
}

// retryRead retries a read that gets 429, 503 or no response. It stops after readTimeout, or when ctx ends.
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

// readOrders reads every order through the API, and adds the responses to the histories. It returns an error message
// for each order that it could not read.
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

// readBalances reads every user and item through the API. It returns a violation for each difference from the snapshot.
func (s *Shop) readBalances(ctx context.Context, sn *check.Snapshot) (violations []string) {
	compare := func(path, field string, want int64) {
		r := retryRead(ctx, func() check.Response { return s.Client.Call("GET", path) })
		if got, ok := r.Number(field); !r.OK() || !ok || got != want {
			violations = append(violations, fmt.Sprintf("GET %s: got %v, want %d as in Redis", path, r, want))
		}
	}
	for _, user := range s.Users {
		compare("/payment/find_user/"+user, "credit", sn.Credit[user])
	}
	for _, item := range s.Items {
		compare("/stock/find/"+item, "stock", sn.Stock[item])
	}
	return violations
}

// unexpected lists the responses whose status is not 200, 402, 409, 429, 503 or 0. Status 0 stands for a lost response.
// Faults do not justify any other status: for example, a 404 would mean that a created object is missing.
func (s *Shop) unexpected() (violations []string) {
	for _, r := range s.Responses() {
		if !slices.Contains([]int{0, 200, 402, 409, 429, 503}, r.Status) {
			violations = append(violations, fmt.Sprintf("unexpected response at %s: %v", r.Began.Format(time.TimeOnly), r))
		}
	}
	return violations
}

// CheckFailures returns the number of failed requests, and an error if this number is larger than the limit. A
// request fails if it gets 429, 503 or no response.
func (s *Shop) CheckFailures(allowed int) (failed int, err error) {
	var failures []string
	for _, r := range s.Responses() {
		if r.Unknown() || r.Status == http.StatusTooManyRequests {
			failures = append(failures, fmt.Sprintf("%s %v", r.Began.Format("15:04:05.000"), r))
		}
	}
	if len(failures) > allowed {
		err = list(fmt.Sprintf("failed requests, want at most %d", allowed), failures)
	}
	return len(failures), err
}

// AwaitDecided waits until n more checkouts and cancels are decided: see Shop.Decided.
func (s *Shop) AwaitDecided(ctx context.Context, n int64, timeout time.Duration) error {
	until := s.Decided() + n
	return check.Poll(ctx, timeout, func(context.Context) error {
		if left := until - s.Decided(); left > 0 {
			return fmt.Errorf("only %d of the next %d checkouts and cancels are decided", n-left, n)
		}
		return nil
	})
}

// Buy creates an order of one item and checks it out. If the order is not paid, Buy retries with a new order.
func (s *Shop) Buy(ctx context.Context, timeout time.Duration) error {
	return check.Poll(ctx, timeout, func(context.Context) error {
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

// AwaitShards creates orders, items and users until each service has minted IDs on n shards.
func (s *Shop) AwaitShards(ctx context.Context, n int, timeout time.Duration) error {
	for path, field := range map[string]string{
		"/orders/create/" + s.Users[0]: "order_id", "/stock/item/create/1": "item_id", "/payment/create_user": "user_id",
	} {
		used := map[int]int{}
		err := check.Poll(ctx, timeout, func(context.Context) error {
			r := s.Client.Call("POST", path)
			index, ok := shard.Of(r.Field(field))
			if !ok {
				return fmt.Errorf("POST %s: no shard in the ID: %v", path, r)
			}
			if used[index]++; len(used) < n {
				return fmt.Errorf("POST %s: number of new IDs by shard is %v, want %d shards", path, used, n)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PaidTimes returns the sorted times of the 200 responses to the checkouts in Histories. It may be called while clients
// run.
func (s *Shop) PaidTimes() (times []time.Time) {
	s.mu.Lock()
	histories := slices.Clone(s.histories)
	s.mu.Unlock()
	for _, h := range histories {
		times = append(times, h.PaidTimes()...)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}
