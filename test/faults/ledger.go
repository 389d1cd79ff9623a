package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"checkout/common/shard"
	"checkout/test/check"
)

const (
	ledgerInterval = 25 * time.Millisecond
	ledgerOrder    = 9000 // maximum pieces in the cart of one order; the limit of the service is higher
)

// ledger is a client that increments a number on one shard and reads it, one request at a time. It detects lost writes
// and wrong reads at once, and it measures the longest time without an acknowledgement.
type ledger struct {
	service  string
	index    int
	clients  []*check.Client // one for the public port of each instance; their requests bypass the gateway
	violate  func(format string, args ...any)
	item     string // item in the cart, if the ledger increments an order
	user     string // user of the order, if the ledger increments an order
	id       string // ID of the item, the user or the order that has the number
	interval time.Duration

	// Bounds of the number: "low" was acknowledged or read, "high" counts all increments that may have taken effect.
	low, high int64
	requests  int

	mu      sync.Mutex
	last    time.Time     // time of the last acknowledgement
	longest time.Duration // longest time between two successive acknowledgements; measure sets it to 0

	stopping chan struct{}
	stopped  chan struct{}
}

// newLedger returns a ledger for a new item, user or order on a shard.
func (s *system) newLedger(service string, index int, violate func(string, ...any)) (*ledger, error) {
	l := &ledger{service: service, index: index, violate: violate, interval: ledgerInterval}
	for _, url := range s.PublicURLs(service) {
		l.clients = append(l.clients, s.Client.Instance(url))
	}
	if service == "order" {
		r := s.Client.Call("POST", "/stock/item/create/1")
		if l.item = r.Field("item_id"); l.item == "" {
			return nil, fmt.Errorf("create an item for an order: %v", r)
		}
		r = s.Client.Call("POST", "/payment/create_user")
		if l.user = r.Field("user_id"); l.user == "" {
			return nil, fmt.Errorf("create a user for an order: %v", r)
		}
	}
	return l, l.create()
}

// create creates an item, user or order on the ledger's shard.
func (l *ledger) create() error {
	path, field := "/stock/item/create/1", "item_id"
	switch l.service {
	case "payment":
		path, field = "/payment/create_user", "user_id"
	case "order":
		path, field = "/orders/create/"+l.user, "order_id"
	}
	var r check.Response
	for range 200 {
		r = l.client().Call("POST", path)
		if index, ok := shard.Of(r.Field(field)); ok && index == l.index {
			l.id, l.low, l.high = r.Field(field), 0, 0
			return nil
		}
	}
	return fmt.Errorf("create an object on shard %d of %s: no response has an ID of this shard; last response: %v",
		l.index, l.service, r)
}

// client returns the client of one instance. Successive calls return all clients in turn.
func (l *ledger) client() *check.Client {
	l.requests++
	return l.clients[l.requests%len(l.clients)]
}

// run sends requests in the background until the caller calls the method stop.
func (l *ledger) run() {
	l.stopping, l.stopped = make(chan struct{}), make(chan struct{})
	l.mu.Lock()
	l.last, l.longest = time.Now(), 0
	l.mu.Unlock()
	go func() {
		defer close(l.stopped)
		for write := true; ; write = !write {
			select {
			case <-l.stopping:
				return
			case <-time.After(l.interval/2 + rand.N(l.interval)):
			}
			if write {
				l.write(l.client())
			} else {
				l.read(l.client())
			}
		}
	}()
}

func (l *ledger) stop() {
	close(l.stopping)
	<-l.stopped
}

func (l *ledger) write(c *check.Client) check.Response {
	path := "/stock/add/" + l.id + "/1"
	switch l.service {
	case "payment":
		path = "/payment/add_funds/" + l.id + "/1"
	case "order":
		if l.high >= ledgerOrder {
			if err := l.create(); err != nil {
				return check.Response{Err: err}
			}
		}
		path = "/orders/addItem/" + l.id + "/" + l.item + "/1"
	}
	r := c.Call("POST", path)
	switch {
	case r.OK():
		l.low, l.high = l.low+1, l.high+1
		l.acknowledged(r.Ended)
	case r.Unknown():
		l.high++
	case r.Status == http.StatusTooManyRequests:
	default:
		l.violate("%s: %v, want 200 or 503", l, r)
	}
	return r
}

// read checks that the number is from low to high.
func (l *ledger) read(c *check.Client) check.Response {
	path, field := "/stock/find/"+l.id, "stock"
	switch l.service {
	case "payment":
		path, field = "/payment/find_user/"+l.id, "credit"
	case "order":
		path, field = "/orders/find/"+l.id, "total_cost"
	}
	r := c.Call("GET", path)
	if r.Unknown() || r.Status == http.StatusTooManyRequests {
		return r
	}
	n, ok := r.Number(field)
	switch {
	case !r.OK() || !ok:
		l.violate("%s: the object "+lostLater+": %v", l, r)
	case n < l.low:
		l.violate("%s: at least %d "+lostLater+": a read returned %d", l, l.low, n)
		l.low = n // report each loss once
	case n > l.high:
		l.violate("%s: at most %d were requested, but a read returned %d", l, l.high, n)
	default:
		l.low = n
	}
	l.acknowledged(r.Ended)
	return r
}

// lostLater is part of each violation that reports a lost write.
const lostLater = "was acknowledged or read, but is lost"

// String names the object and its shard.
func (l *ledger) String() string {
	return fmt.Sprintf("number of %s on %s-%d", l.id, l.service, l.index)
}

func (l *ledger) acknowledged(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, at.Sub(l.last))
	l.last = at
}

// measure begins a measurement of the longest time without an acknowledgement.
func (l *ledger) measure() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = 0
}

// measured returns the longest time without an acknowledgement since the last call of measure. This time may have
// begun before that call, and it may not have ended yet.
func (l *ledger) measured() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.longest, time.Since(l.last))
}

// acknowledgedSince reports whether a request was acknowledged after the given time.
func (l *ledger) acknowledgedSince(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.After(t)
}
