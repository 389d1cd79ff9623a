package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// TestLostReplyIsReplayedForIdempotencyKey checks that a retry with the same idempotency key is safe for every public
// write that uses a key. The test drops either the write or the reply. The client receives 503 and retries. The write
// runs once, and further retries receive the same response. A different request with the same key is refused.
func TestLostReplyIsReplayedForIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := startProxied(t)
	user, item := s.newUser(100), s.newItem(5, 100)
	full, gone := s.newOrder(user, item, item, item), s.newOrder(user)
	credit, stock := func() int64 { return s.credit(user) }, func() int64 { return s.stock(item) }
	total := func() int64 { return s.total(full) }
	objects := func() int64 {
		sn := s.snapshot()
		return int64(len(sn.Orders) + len(sn.Stock) + len(sn.Credit))
	}
	for i, w := range []struct {
		service, script, method, path string
		value                         func() int64
		change                        int64
	}{
		{"stock", "subtract", "POST", "/stock/subtract/" + item + "/7", stock, -7},
		{"stock", "add", "POST", "/stock/add/" + item + "/7", stock, 7},
		{"stock", "create", "POST", "/stock/item/create/5", objects, 1},
		{"payment", "subtract", "POST", "/payment/pay/" + user + "/7", credit, -7},
		{"payment", "pay_order", "POST", "/payment/pay/" + user + "/by-hand-%d/7", credit, -7},
		{"payment", "add", "POST", "/payment/add_funds/" + user + "/7", credit, 7},
		{"payment", "create", "POST", "/payment/create_user", objects, 1},
		{"order", "add_item", "POST", "/orders/addItem/" + full + "/" + item + "/2", total, 10},
		{"order", "remove_item", "DELETE", "/orders/removeItem/" + full + "/" + item + "/2", total, -10},
		{"order", "remove", "DELETE", "/orders/remove/" + gone, objects, -1},
		{"order", "create", "POST", "/orders/create/" + user, objects, 1},
	} {
		for _, lost := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
			if lost == faultproxy.Before && w.script == "remove" { // there is only one order to remove
				continue
			}
			key := fmt.Sprintf("lost-%d-%d", i, lost)
			path, had := strings.Replace(w.path, "%d", strconv.Itoa(int(lost)), 1), w.value()
			var traps []*trap
			for _, p := range s.proxies[w.service] {
				traps = append(traps, p.trapCall(w.script+" once", key, lost))
				traps[len(traps)-1].DropOnce()
			}
			r := s.Call(w.method, path, "Idempotency-Key", key)
			if r.Status != http.StatusServiceUnavailable || r.FormatViolation() != "" {
				t.Errorf("%s without a reply from Redis: got %v %s, want 503", path, r, r.FormatViolation())
			}
			for _, trap := range traps {
				trap.Remove()
			}
			s.waitReady()
			first := s.Call(w.method, path, "Idempotency-Key", key)
			wantReplayed := map[faultproxy.Phase]string{faultproxy.Before: "", faultproxy.After: "true"}[lost]
			if replayed := first.Header.Get("Idempotent-Replayed"); !first.OK() || replayed != wantReplayed {
				t.Errorf("%s, lost %d (0: write, 1: reply): the first retry got %v, Idempotent-Replayed %q, want 200 and %q",
					path, lost, first, replayed, wantReplayed)
			}
			again := s.Call(w.method, path, "Idempotency-Key", `"`+key+`"`)
			if again.Body != first.Body || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s: the first retry received %v, the second %v, want a replay of the first response", path, first, again)
			}
			if got := w.value() - had; got != w.change {
				t.Errorf("%s, lost %d (0: write, 1: reply): the value changed by %+d, want %+d",
					path, lost, got, w.change)
			}
			other := map[string]string{
				"stock": "/stock/item/create/1", "payment": "/payment/add_funds/" + user + "/1", "order": "/orders/create/other",
			}[w.service]
			r = s.Call("POST", other, "Idempotency-Key", key)
			if outcome(r) != "422 idempotency-key-reused" || r.FormatViolation() != "" {
				t.Errorf("%s with the key of %s: got %v %s, want 422 idempotency-key-reused",
					other, path, r, r.FormatViolation())
			}
			if got := w.value() - had; got != w.change {
				t.Errorf("%s with the key of %s: the value changed by %+d, want %+d", other, path, got, w.change)
			}
		}
	}
}

// TestDeletesLeaveLittleInRedis checks requests without and with an idempotency key:
//   - Without a key, a DELETE leaves a record for at most a minute. A refused DELETE leaves none.
//   - The gateway overwrites a client's X-Delete-Id, so two requests with the same value both take effect.
//   - A malformed key gets 400.
func TestDeletesLeaveLittleInRedis(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	item := s.newItem(5, 100)
	order := s.newOrder(s.newUser(100), item, item, item)
	path, shard := "/orders/removeItem/"+order+"/"+item, s.shards["order"][0]
	records := func() []string {
		var all []string
		for _, pattern := range []string{"*}k:*", "*}g:*", "*}keys"} {
			keys, err := shard.Keys(t.Context(), pattern).Result()
			s.must(err)
			all = append(all, keys...)
		}
		return all
	}
	for range 20 {
		s.problem(404, "item-not-in-order", "DELETE", "/orders/removeItem/"+order+"/"+s.newItem(1, 1))
		s.problem(409, "too-few-in-order", "DELETE", path+"/4")
		s.problem(404, "order-not-found", "DELETE", "/orders/remove/01980c6e-0000-7000-8000-000000000000")
	}
	if left := records(); len(left) > 0 {
		t.Errorf("refused requests left the records %v, want none", left)
	}
	for range 2 { // the gateway overwrites the header, so both requests take effect
		if r := s.Call("DELETE", path, "X-Delete-Id", strings.Repeat("a", 32)); !r.OK() {
			t.Errorf("removeItem: got %v, want 200", r)
		}
	}
	if total := s.total(order); total != 5 {
		t.Errorf("the order's total is %d, want 5", total)
	}
	left := records()
	if len(left) != 2 {
		t.Errorf("two requests left the records %v, want 2", left)
	}
	for _, record := range left {
		ttl, err := shard.TTL(t.Context(), record).Result()
		if err != nil || ttl > time.Minute || ttl < 0 {
			t.Errorf("read the TTL of %s: got %v, error %v, want between 0 and a minute", record, ttl, err)
		}
	}
	for _, key := range []string{"", `""`, "two words", strings.Repeat("x", 256)} {
		for _, method := range []string{"DELETE " + path, "POST /stock/add/" + item + "/1", "POST /orders/create/x"} {
			method, path, _ := strings.Cut(method, " ")
			if r := s.Call(method, path, "Idempotency-Key", key); outcome(r) != "400 idempotency-key-malformed" {
				t.Errorf("%s %s with the key %.20q: got %v, want 400 idempotency-key-malformed", method, path, key, r)
			}
		}
	}
}
