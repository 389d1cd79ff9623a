package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"checkout/test/faultproxy"
)

// TestLostReplyIsReplayed: the reply to each public write is lost on its way from Redis. Its caller is told that the outcome is not
// known, sends it again with the same key, and is told what came of the first: it is done once. So it is if the write was lost
// before it was done. Another request with the key is refused.
func TestLostReplyIsReplayed(t *testing.T) {
	t.Parallel()
	s := startTapped(t)
	user, item := s.newUser(100), s.newItem(5, 100)
	full, gone := s.newOrder(user, item, item, item), s.newOrder(user)
	credit, stock := func() int64 { return s.credit(user) }, func() int64 { return s.stock(item) }
	total := func() int64 { return s.total(full) }
	things := func() int64 {
		sn := s.snapshot()
		return int64(len(sn.Orders) + len(sn.Stock) + len(sn.Credit))
	}
	for i, w := range []struct {
		service, script, method, path string
		has                           func() int64
		change                        int64
	}{
		{"stock", "subtract", "POST", "/stock/subtract/" + item + "/7", stock, -7},
		{"stock", "add", "POST", "/stock/add/" + item + "/7", stock, 7},
		{"stock", "create", "POST", "/stock/item/create/5", things, 1},
		{"payment", "pay", "POST", "/payment/pay/" + user + "/7", credit, -7},
		{"payment", "pay_order", "POST", "/payment/pay/" + user + "/by-hand-%d/7", credit, -7},
		{"payment", "add_funds", "POST", "/payment/add_funds/" + user + "/7", credit, 7},
		{"payment", "create", "POST", "/payment/create_user", things, 1},
		{"order", "add_item", "POST", "/orders/addItem/" + full + "/" + item + "/2", total, 10},
		{"order", "remove_item", "DELETE", "/orders/removeItem/" + full + "/" + item + "/2", total, -10},
		{"order", "remove", "DELETE", "/orders/remove/" + gone, things, -1},
		{"order", "create", "POST", "/orders/create/" + user, things, 1},
	} {
		for _, lost := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
			if lost == faultproxy.Before && w.script == "remove" { // there is one to be removed
				continue
			}
			key := fmt.Sprintf("lost-%d-%d", i, lost)
			path, had := strings.Replace(w.path, "%d", strconv.Itoa(int(lost)), 1), w.has()
			var traps []*trap
			for _, tp := range s.taps[w.service] {
				traps = append(traps, tp.set(w.script+" once", key, lost))
				traps[len(traps)-1].DropOnce()
			}
			if a := s.Call(w.method, path, "Idempotency-Key", key); a.Status != http.StatusServiceUnavailable || a.FormatViolation() != "" {
				t.Errorf("%s, its reply lost: %v %s", path, a, a.FormatViolation())
			}
			for _, trap := range traps {
				trap.Remove()
			}
			s.ready()
			first := s.Call(w.method, path, "Idempotency-Key", key)
			if replayed := first.Header.Get("Idempotent-Replayed"); !first.OK() || replayed != map[faultproxy.Phase]string{faultproxy.Before: "", faultproxy.After: "true"}[lost] {
				t.Errorf("%s, sent again (%d): %v, replayed %q", path, lost, first, replayed)
			}
			again := s.Call(w.method, path, "Idempotency-Key", `"`+key+`"`)
			if again.Body != first.Body || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s, sent again and again: %v, then %v", path, first, again)
			}
			if got := w.has() - had; got != w.change {
				t.Errorf("%s, lost %d: %+d, want %+d", path, lost, got, w.change)
			}
			other := map[string]string{"stock": "/stock/item/create/1", "payment": "/payment/add_funds/" + user + "/1", "order": "/orders/create/other"}[w.service]
			if a := s.Call("POST", other, "Idempotency-Key", key); a.Status != 422 || a.Problem() != "idempotency-key-reused" || a.FormatViolation() != "" {
				t.Errorf("%s with the key of %s: %v %s", other, path, a, a.FormatViolation())
			}
			if got := w.has() - had; got != w.change {
				t.Errorf("what was refused has changed something: %+d, want %+d", got, w.change)
			}
		}
	}
}
