package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// appendRequest appends a request without a body; the path comes in parts.
func appendRequest(buf []byte, method, host string, path ...string) []byte {
	buf = append(append(buf, method...), ' ')
	for _, part := range path {
		buf = append(buf, part...)
	}
	buf = append(append(buf, " HTTP/1.1\r\nHost: "...), host...)
	if method != "GET" {
		buf = append(buf, "\r\nContent-Length: 0"...)
	}
	return append(buf, "\r\n\r\n"...)
}

// calls is work of which every request must succeed, to prepare something or to look at it.
type calls struct {
	host string
	n    int
	path func(i int) (method, path string)
	got  func(i int, body []byte) error

	sent int
	err  error // the first failure; nothing is sent after it
}

func (c *calls) next(buf []byte) ([]byte, int, bool) {
	if c.sent == c.n || c.err != nil {
		return buf, 0, false
	}
	i := c.sent
	c.sent++
	method, path := c.path(i)
	return appendRequest(buf, method, c.host, path), i, true
}

func (c *calls) done(i int, a answer) {
	err := a.err
	switch {
	case err != nil:
	case a.status != 200:
		err = fmt.Errorf("status %d: %s", a.status, clip(a.body))
	case c.got != nil:
		err = c.got(i, a.body)
	}
	if err != nil && c.err == nil {
		method, path := c.path(i)
		c.err = fmt.Errorf("%s %s: %w", method, path, err)
	}
}

// callAll makes n requests; got, if any, is told each answer.
func callAll(ctx context.Context, d *driver, n int, path func(i int) (string, string), got func(i int, body []byte) error) error {
	c := &calls{host: d.addr, n: n, path: path, got: got}
	if err := d.run(ctx, c); err != nil {
		return err
	}
	return c.err
}

// call makes one request.
func call(ctx context.Context, d *driver, method, path string) error {
	return callAll(ctx, d, 1, func(int) (string, string) { return method, path }, nil)
}

// into makes the got of callAll that decodes answer i into what at returns for it.
func into[T any](at func(i int) *T) func(int, []byte) error {
	return func(i int, body []byte) error {
		if err := json.Unmarshal(body, at(i)); err != nil {
			return fmt.Errorf("answer %q: %w", clip(body), err)
		}
		return nil
	}
}

// checkouts is work that checks every order out once, and notes the status of each.
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
	return appendRequest(buf, "POST", c.host, "/orders/checkout/", c.orders[i].id), i, true
}

func (c *checkouts) done(i int, a answer) {
	c.orders[i].status = a.status
	c.add(a)
}

// empties is work that does nothing but pass through gateway and service, for some time from its first request on.
type empties struct {
	host  string
	last  time.Duration
	until time.Time
	*tally
}

func (e *empties) next(buf []byte) ([]byte, int, bool) {
	now := time.Now()
	if e.until.IsZero() {
		e.until = now.Add(e.last)
	}
	if !now.Before(e.until) {
		return buf, 0, false
	}
	return appendRequest(buf, "GET", e.host, "/orders/"), 0, true
}

func (e *empties) done(_ int, a answer) { e.add(a) }
