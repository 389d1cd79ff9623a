package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// appendRequest appends a request without a body.
func appendRequest(buf []byte, method, host, path string) []byte {
	buf = append(append(append(append(buf, method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	buf = append(buf, host...)
	if method != "GET" {
		buf = append(buf, "\r\nContent-Length: 0"...)
	}
	return append(buf, "\r\n\r\n"...)
}

// calls is work that creates objects or reads them back.
type calls struct {
	host    string
	n       int
	request func(i int) (method, path string)
	handle  func(i int, body []byte) error // called with the body of each 2xx response; may be nil

	tolerant bool // continue after a failure

	sent   int
	err    error // the first failure
	failed map[int]bool
}

func (c *calls) next(buf []byte) ([]byte, int, bool) {
	if c.sent == c.n || c.err != nil && !c.tolerant {
		return buf, 0, false
	}
	i := c.sent
	c.sent++
	method, path := c.request(i)
	return appendRequest(buf, method, c.host, path), i, true
}

func (c *calls) done(i int, r result) {
	err := r.err
	switch {
	case err != nil:
	case r.status/100 != 2:
		err = fmt.Errorf("status %d: %s", r.status, clip(r.body))
	case c.handle != nil:
		err = c.handle(i, r.body)
	}
	if err == nil {
		return
	}
	if c.failed == nil {
		c.failed = map[int]bool{}
	}
	c.failed[i] = true
	if c.err == nil {
		method, path := c.request(i)
		c.err = fmt.Errorf("%s %s: %w", method, path, err)
	}
}

// callAll sends n requests and passes the body of each 2xx response to handle, unless handle is nil. After the first
// failure, it sends no further request.
func callAll(ctx context.Context, d *driver, n int, request func(i int) (method, path string),
	handle func(i int, body []byte) error) error {
	c := &calls{host: d.addr, n: n, request: request, handle: handle}
	if err := d.run(ctx, c); err != nil {
		return err
	}
	return c.err
}

// call sends one request.
func call(ctx context.Context, d *driver, method, path string) error {
	return callAll(ctx, d, 1, func(int) (string, string) { return method, path }, nil)
}

// fetchAll sends n requests and returns the decoded responses.
func fetchAll[T any](ctx context.Context, d *driver, n int, request func(i int) (method, path string)) ([]T, error) {
	all := make([]T, n)
	return all, callAll(ctx, d, n, request, func(i int, body []byte) error {
		return decode(body, &all[i])
	})
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode response %q: %w", clip(body), err)
	}
	return nil
}

// checkouts is work that checks out each order once, and stores the status of the response in the order.
type checkouts struct {
	host   string
	orders []order
	sent   int
	*tally
}

func (c *checkouts) next(buf []byte) ([]byte, int, bool) {
	if c.sent == len(c.orders) {
		return buf, 0, false
	}
	i := c.sent
	c.sent++
	return appendRequest(buf, "POST", c.host, "/orders/checkout/"+c.orders[i].id), i, true
}

func (c *checkouts) done(i int, r result) {
	c.orders[i].status = r.status
	c.add(r)
}

// kind is a kind of request other than a checkout.
type kind struct {
	name, method string
	path         func(i int) string
}

// empty requests only pass through the gateway and a service.
var empty = kind{"empty requests", "GET", func(int) string { return "/orders/" }}

// timed is work that sends requests of one kind until the duration has passed since the first request.
type timed struct {
	kind
	host     string
	duration time.Duration
	end      time.Time
	sent     int
	*tally
}

func (t *timed) next(buf []byte) ([]byte, int, bool) {
	now := time.Now()
	if t.end.IsZero() {
		t.end = now.Add(t.duration)
	}
	if !now.Before(t.end) {
		return buf, 0, false
	}
	i := t.sent
	t.sent++
	return appendRequest(buf, t.method, t.host, t.path(i)), i, true
}

func (t *timed) done(_ int, r result) { t.add(r) }

// noResponse is the status of a request without a response.
const noResponse = 0

// tally counts results by status.
type tally struct {
	latencies []time.Duration // of the requests that got 2xx; errors may be much faster
	statuses  map[int]int
	samples   map[int]string // the first body or error of each status except 200
}

func newTally() *tally { return &tally{statuses: map[int]int{}, samples: map[int]string{}} }

func (t *tally) add(r result) {
	status, sample := r.status, r.body
	if r.err != nil {
		status, sample = noResponse, []byte(r.err.Error())
	} else if status/100 == 2 {
		t.latencies = append(t.latencies, r.latency)
	}
	t.statuses[status]++
	if _, found := t.samples[status]; status != 200 && !found {
		t.samples[status] = strings.TrimSpace(string(clip(sample)))
	}
}

// count returns the number of requests.
func (t *tally) count() (n int) {
	for _, requests := range t.statuses {
		n += requests
	}
	return n
}

func (t *tally) allOK() bool { return t.statuses[200] == t.count() }

// String lists the statuses: "200: 19998, 503: 1, no response: 1".
func (t *tally) String() string {
	var parts []string
	for status, n := range t.statuses {
		parts = append(parts, fmt.Sprintf("%s: %d", statusName(status), n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func statusName(status int) string {
	if status == noResponse {
		return "no response"
	}
	return fmt.Sprint(status)
}

// merge adds the results of another tally to t.
func (t *tally) merge(other *tally) {
	t.latencies = append(t.latencies, other.latencies...)
	for status, n := range other.statuses {
		t.statuses[status] += n
	}
	samples := maps.Clone(other.samples)
	maps.Copy(samples, t.samples) // the samples of t win
	t.samples = samples
}

// percentile returns a percentile of all latencies.
func (t *tally) percentile(p float64) time.Duration {
	return percentile(slices.Sorted(slices.Values(t.latencies)), p)
}

// percentile returns the nearest-rank percentile: the smallest duration d such that at least p percent of all
// durations are at most d. If sorted is empty, percentile returns 0.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted)) / 100))
	return sorted[max(rank, 1)-1]
}
