package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// answer is what a client got for one request.
type answer struct {
	status       int // 0: nothing that is HTTP
	header       http.Header
	body         string
	err          error
	began, ended time.Time
}

// call sends one request to the gateway, or to any other address if path is a whole URL.
func (s *system) call(method, path string) answer {
	if strings.HasPrefix(path, "/") {
		path = s.Gateway() + path
	}
	a := answer{began: time.Now()}
	request, err := http.NewRequest(method, path, nil)
	if err != nil {
		a.err = err
		return a
	}
	response, err := s.client.Do(request)
	if err != nil {
		a.err, a.ended = err, time.Now()
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a.ended = time.Now()
	if a.err = err; err == nil {
		a.status, a.header, a.body = response.StatusCode, response.Header, string(body)
	}
	return a
}

func (a answer) String() string {
	if a.status == 0 {
		return fmt.Sprintf("no answer: %v", a.err)
	}
	return fmt.Sprintf("%d %s", a.status, strings.TrimSpace(a.body))
}

// refused tells a 4xx, ok a 200; what is neither is unknown.
func (a answer) ok() bool      { return a.status == 200 }
func (a answer) refused() bool { return a.status >= 400 && a.status < 500 }
func (a answer) unknown() bool { return !a.ok() && !a.refused() }

// problem is the last part of the type of a problem, and empty for anything else.
func (a answer) problem() string {
	var p struct{ Type string }
	if json.Unmarshal([]byte(a.body), &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// flaw tells how an answer breaks the form that every answer has, whatever it says.
func (a answer) flaw() string {
	if a.status == 0 {
		return a.String()
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if a.ok() {
		if media != "application/json" || !json.Valid([]byte(a.body)) {
			return fmt.Sprintf("200 as %q: %s", media, a.body)
		}
		return ""
	}
	var p struct {
		Type, Title string
		Status      int
	}
	switch {
	case !a.refused() && a.status != http.StatusServiceUnavailable:
		return fmt.Sprintf("neither 200 nor 4xx nor 503: %v", a)
	case media != "application/problem+json" || json.Unmarshal([]byte(a.body), &p) != nil:
		return fmt.Sprintf("%d as %q: %s", a.status, media, a.body)
	case p.Status != a.status || !strings.HasPrefix(p.Type, "/problems/") || p.Title == "":
		return fmt.Sprintf("%d says of itself: %s", a.status, a.body)
	case (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests) && a.header.Get("Retry-After") == "":
		return fmt.Sprintf("%d without Retry-After", a.status)
	}
	return ""
}

// want sends a request whose answer must have this status, and returns its fields.
func (s *system) want(status int, method, path string) map[string]any {
	s.t.Helper()
	a := s.call(method, path)
	if flaw := a.flaw(); flaw != "" {
		s.t.Fatalf("%s %s: %s", method, path, flaw)
	}
	if a.status != status {
		s.t.Fatalf("%s %s: %v, want %d", method, path, a, status)
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil {
		s.t.Fatalf("%s %s: %v in %v", method, path, err, a)
	}
	return fields
}

// problem sends a request that must be refused with this status and problem.
func (s *system) problem(status int, name, method, path string) {
	s.t.Helper()
	a := s.call(method, path)
	if flaw := a.flaw(); flaw != "" {
		s.t.Errorf("%s %s: %s", method, path, flaw)
	} else if a.status != status || a.problem() != name {
		s.t.Errorf("%s %s: %v, want %d %s", method, path, a, status, name)
	}
}

func (s *system) post(format string, args ...any) map[string]any {
	s.t.Helper()
	return s.want(200, "POST", fmt.Sprintf(format, args...))
}

func (s *system) get(format string, args ...any) map[string]any {
	s.t.Helper()
	return s.want(200, "GET", fmt.Sprintf(format, args...))
}

func (s *system) newUser(credit int64) string {
	s.t.Helper()
	id := s.post("/payment/create_user")["user_id"].(string)
	if credit > 0 {
		s.post("/payment/add_funds/%s/%d", id, credit)
	}
	return id
}

func (s *system) newItem(price, stock int64) string {
	s.t.Helper()
	id := s.post("/stock/item/create/%d", price)["item_id"].(string)
	if stock > 0 {
		s.post("/stock/add/%s/%d", id, stock)
	}
	return id
}

// newItemOn makes an item on one shard: machines mint on their shards in turn.
func (s *system) newItemOn(shard int, price, stock int64) string {
	s.t.Helper()
	for range 100 {
		if id := s.newItem(price, 0); strings.HasSuffix(id, fmt.Sprintf("%04x", shard)) {
			if stock > 0 {
				s.post("/stock/add/%s/%d", id, stock)
			}
			return id
		}
	}
	s.t.Fatalf("no item on shard %d in 100 tries", shard)
	return ""
}

// newOrder makes an order of one piece of each item; an item that is named twice is added twice.
func (s *system) newOrder(user string, items ...string) string {
	s.t.Helper()
	id := s.post("/orders/create/%s", user)["order_id"].(string)
	for _, item := range items {
		s.post("/orders/addItem/%s/%s/1", id, item)
	}
	return id
}

func (s *system) checkout(order string) answer { return s.call("POST", "/orders/checkout/"+order) }
func (s *system) cancel(user, order string) answer {
	return s.call("POST", "/payment/cancel/"+user+"/"+order)
}

func (s *system) credit(user string) int64 {
	s.t.Helper()
	return int64(s.get("/payment/find_user/%s", user)["credit"].(float64))
}

func (s *system) stock(item string) int64 {
	s.t.Helper()
	return int64(s.get("/stock/find/%s", item)["stock"].(float64))
}

// many calls do with 0 to n-1, at most atATime at once, and ends the test if one of them has failed.
func (s *system) many(n, atATime int, do func(i int)) {
	s.t.Helper()
	var workers sync.WaitGroup
	var next atomic.Int64
	for range min(n, atATime) {
		workers.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i - 1)
			}
		})
	}
	workers.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// tally counts answers by status and problem, for a log.
func tally(answers []answer) string {
	counts := map[string]int{}
	for _, a := range answers {
		kind := strconv.Itoa(a.status) + " " + a.problem()
		if a.unknown() {
			kind += " (" + idPattern.ReplaceAllString(field(a, "detail"), "…") + ")"
		}
		counts[kind]++
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// field is a text in the body of an answer.
func field(a answer, name string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(a.body), &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}
