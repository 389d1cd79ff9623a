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

// TestMistake08NothingIsSentTwiceByTheLibrary: a client library's own retry took stock twice. Here the reply to each write that must
// not be repeated is lost on its way from Redis: it is done once, sent once, and its caller is told that the outcome is unknown.
func TestMistake08NothingIsSentTwiceByTheLibrary(t *testing.T) {
	t.Parallel()
	s := startTapped(t)
	user, item := s.newUser(100), s.newItemOn(0, 5, 100)
	order := s.newOrder(user, item)
	for _, w := range []struct {
		service, script, about, path string
		has                          func() int64
		change                       int64
	}{
		{"stock", "subtract", item, "/stock/subtract/" + item + "/7", func() int64 { return s.stock(item) }, -7},
		{"stock", "add", item, "/stock/add/" + item + "/7", func() int64 { return s.stock(item) }, 7},
		{"payment", "pay", user, "/payment/pay/" + user + "/7", func() int64 { return s.credit(user) }, -7},
		{"payment", "add_funds", user, "/payment/add_funds/" + user + "/7", func() int64 { return s.credit(user) }, 7},
		{"order", "add_item", order, "/orders/addItem/" + order + "/" + item + "/2", func() int64 { return s.total(order) }, 10},
		{"order", "create", "", "/orders/create/" + user, func() int64 { return int64(len(s.snapshot().Orders)) }, 1},
	} {
		had := w.has()
		trap := s.taps[w.service][0].setMany(9, w.script, w.about, faultproxy.After)
		trap.DropOnce()
		if a := s.Call("POST", w.path); a.Status != http.StatusServiceUnavailable || a.FormatViolation() != "" {
			t.Errorf("%s: %v %s", w.path, a, a.FormatViolation())
		}
		if n := trap.Calls(); n != 1 {
			t.Errorf("%s was sent %d times", w.script, n)
		}
		trap.Remove()
		s.ready()
		if got := w.has() - had; got != w.change {
			t.Errorf("%s: %+d, want %+d", w.path, got, w.change)
		}
	}

	// What is safe to repeat is repeated, by the coordinator, and takes once.
	put := check.NewDeposits()
	c := s.prepare(put, sagaOf(t, "paid"), step{"stock", 0, "reserve"})
	trap := s.taps["stock"][0].set("reserve", c.about, faultproxy.After)
	trap.Drop()
	s.send(c)
	if a := <-c.asked; !a.OK() || trap.Calls() != 1 {
		t.Errorf("the reply of a reserve was lost: %v", a)
	}
	if err := s.holds("stock", 0, c.first, 3); err != nil {
		t.Error(err)
	}
}

func (s *system) total(order string) int64 {
	s.t.Helper()
	return int64(s.get("/orders/find/%s", order)["total_cost"].(float64))
}

// TestMistake09DuplicatesAreAnsweredAtOnce: a duplicated prepare waited for itself for a minute. Here every step of every saga reaches
// Redis twice, and one reserve reaches the internal door twenty times at the same moment.
func TestMistake09DuplicatesAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	s.atEveryStep(put, "sent twice", func(trap *trap) {
		if _, err := trap.Replay(); err != nil {
			t.Error(err)
		}
		trap.Pass()
	})

	user := s.newUser(10)
	message := fmt.Sprintf(`[{"id":"duplicate","until":%d,"lines":[{"id":"%s","n":3}]}]`, time.Now().Add(time.Minute).UnixMilli(), user)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			began := time.Now()
			response, err := s.HTTP.Post(s.InternalURLs("payment")[0]+"/internal/reserve", "application/json", strings.NewReader(message))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			var outcomes []struct{ Code int }
			if err := json.NewDecoder(response.Body).Decode(&outcomes); err != nil || len(outcomes) != 1 || outcomes[0].Code != check.Reserved {
				t.Errorf("a duplicate was answered %v, %v", outcomes, err)
			}
			if took := time.Since(began); took > quickly {
				t.Errorf("a duplicate was answered after %v", took)
			}
		})
	}
	asking.Wait()
	if err := s.holds("payment", 0, user, 7); err != nil {
		t.Error(err)
	}
}
