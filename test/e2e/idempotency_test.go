package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"checkout/test/faultproxy"
)

// TestLostReplyIsReplayedForIdempotencyKey checks that a retry with the same idempotency key is safe for every public
// write. The test drops either the write or the reply. The client receives 503 and retries. The write runs once, and
// further retries receive the same response. A different request with the same key is refused.
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
				t.Errorf("%s without a reply: %v %s", path, r, r.FormatViolation())
			}
			for _, trap := range traps {
				trap.Remove()
			}
			s.waitReady()
			first := s.Call(w.method, path, "Idempotency-Key", key)
			wantReplayed := map[faultproxy.Phase]string{faultproxy.Before: "", faultproxy.After: "true"}[lost]
			if replayed := first.Header.Get("Idempotent-Replayed"); !first.OK() || replayed != wantReplayed {
				t.Errorf("%s, first retry (%d): %v, replayed %q, want %q", path, lost, first, replayed, wantReplayed)
			}
			again := s.Call(w.method, path, "Idempotency-Key", `"`+key+`"`)
			if again.Body != first.Body || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s: the first retry received %v, the second %v", path, first, again)
			}
			if got := w.value() - had; got != w.change {
				t.Errorf("%s, lost %d: changed by %+d, want %+d", path, lost, got, w.change)
			}
			other := map[string]string{
				"stock": "/stock/item/create/1", "payment": "/payment/add_funds/" + user + "/1", "order": "/orders/create/other",
			}[w.service]
			r = s.Call("POST", other, "Idempotency-Key", key)
			if outcome(r) != "422 idempotency-key-reused" || r.FormatViolation() != "" {
				t.Errorf("%s with the key of %s: %v %s", other, path, r, r.FormatViolation())
			}
			if got := w.value() - had; got != w.change {
				t.Errorf("%s with the key of %s: changed by %+d, want %+d", other, path, got, w.change)
			}
		}
	}
}
