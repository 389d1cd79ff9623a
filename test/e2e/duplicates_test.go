package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// TestLostReplyIsNotResent checks that a service does not retry a write if a retry is not safe. If the reply is lost,
// the write has run once, and the client receives 503.
func TestLostReplyIsNotResent(t *testing.T) {
	t.Parallel()
	s := startProxied(t)
	user, item := s.newUser(100), s.newItemOn(0, 5, 100)
	order := s.newOrder(user, item)
	credit, stock := func() int64 { return s.credit(user) }, func() int64 { return s.stock(item) }
	total, orders := func() int64 { return s.total(order) }, func() int64 { return int64(len(s.snapshot().Orders)) }
	for _, w := range []struct {
		service, script, arg, path string
		value                      func() int64
		change                     int64
	}{
		{"stock", "subtract", item, "/stock/subtract/" + item + "/7", stock, -7},
		{"stock", "add", item, "/stock/add/" + item + "/7", stock, 7},
		{"payment", "subtract", user, "/payment/pay/" + user + "/7", credit, -7},
		{"payment", "add", user, "/payment/add_funds/" + user + "/7", credit, 7},
		{"order", "add_item", order, "/orders/addItem/" + order + "/" + item + "/2", total, 10},
		{"order", "create", "", "/orders/create/" + user, orders, 1},
	} {
		had := w.value()
		trap := s.proxies[w.service][0].trapCalls(9, w.script, w.arg, faultproxy.After)
		trap.DropOnce()
		if r := s.Call("POST", w.path); r.Status != http.StatusServiceUnavailable || r.FormatViolation() != "" {
			t.Errorf("POST %s without a reply from Redis: got %v %s, want 503", w.path, r, r.FormatViolation())
		}
		if n := trap.Calls(); n != 1 {
			t.Errorf("the script %s was sent %d times, want once", w.script, n)
		}
		trap.Remove()
		s.waitReady()
		if got := w.value() - had; got != w.change {
			t.Errorf("%s: the value changed by %+d, want %+d", w.path, got, w.change)
		}
	}

	// In contrast, the coordinator retries a reserve message, and only one of the two messages takes effect.
	deposits := check.NewDeposits()
	c := s.prepare(deposits, sagaNamed(t, "paid"), step{"stock", 0, "reserve"})
	trap := s.proxies["stock"][0].trapCall("reserve", c.arg, faultproxy.After)
	trap.Drop()
	s.send(c)
	if r := <-c.response; !r.OK() || trap.Calls() != 1 {
		t.Errorf("checkout after a lost reply of reserve: got %v after %d lost replies, want 200 after 1", r, trap.Calls())
	}
	if err := s.hasCounter("stock", 0, c.first, 3); err != nil {
		t.Error(err)
	}
}

func (s *system) total(order string) int64 {
	s.t.Helper()
	return int64(s.get("/orders/find/%s", order)["total_cost"].(float64))
}

// TestDuplicateStepsAreHarmless checks that duplicates of a step have no effect. The test sends every step of every
// saga to Redis twice, and one reserve message to the internal port twenty times concurrently.
func TestDuplicateStepsAreHarmless(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	s.disturbEveryStep(deposits, "sent twice", func(trap *trap) {
		if _, err := trap.Replay(); err != nil {
			t.Error(err)
		}
		trap.Pass()
	})

	user := s.newUser(10)
	until := time.Now().Add(time.Minute).UnixMilli()
	message := fmt.Sprintf(`[{"id":"duplicate","until":%d,"lines":[{"id":"%s","n":3}]}]`, until, user)
	var requests sync.WaitGroup
	for range 20 {
		requests.Go(func() {
			url := s.InternalURLs("payment")[0] + "/internal/reserve"
			response, err := s.HTTP.Post(url, "application/json", strings.NewReader(message))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			var outcomes []struct{ Code int }
			err = json.NewDecoder(response.Body).Decode(&outcomes)
			if err != nil || len(outcomes) != 1 || outcomes[0].Code != check.Reserved {
				t.Errorf("duplicate reserve: got outcomes %v, error %v, want one with code %d",
					outcomes, err, check.Reserved)
			}
		})
	}
	requests.Wait()
	if err := s.hasCounter("payment", 0, user, 7); err != nil {
		t.Error(err)
	}
}
