package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// spellings are ways to ask the gateway for something behind it. {} is a path of the internal door, [] the prefix of a service, @ the
// internal door's address.
var spellings = []string{
	"/{}", "//{}", "/./{}", "/%2f{}", "/{}/", "/{}?x=/orders/", "/{};x", "/%20{}", "{}",
	"/[]/{}", "/[]/{}/", "/[]//{}", "//[]//{}", "///[]///{}", "/[]/./{}", "/./[]/{}", "/[]/%2e/{}", "/[]/{}/.", "/[]/{}?a=b", "/[]/{}#x",
	"/[]/x/../{}", "/[]/x/%2e%2e/{}", "/[]/../{}", "/[]/%2e%2e/{}", "/[]/.%2E/{}", "/[]/..%2f{}", "/[]%2f..%2f{}", "/[]/../[]/{}",
	"/[]/..;/{}", "/[]/..%5c{}", `/[]/..\{}`, `/[]\{}`, "/[]%5c{}", "/[]%2f{}", "/[]%2F%2F{}", "/[]/%2f{}", "/[]/%252f{}", "/[]/%252e%252e/{}",
	"/[]/%2e%2e%2f%2e%2e%2f{}", "/[]/../../{}", "/../{}", "/[];/{}", "/[]/;/{}", "/[]/{};", "/[]/{}%00", "/[]/%00/{}", "/[]/{}%20",
	"/[]/{}%0a", "/[]/%09{}", "/[]/{}%23", "/[]/{}%3f", "/[]/[]/{}", "/[]/[]/[]/{}", "/[][]/{}", "/[]/find/../{}", "/[]/find/%2e%2e/{}",
	"/[]/find/..%2f{}", "/[]/find/x/../../{}", "/[]/checkout/../{}", "/[]/checkout/..%2f{}", "/[]/checkout/%2e%2e%2f{}", "/[]/remove/../{}",
	"/[]/remove..%2f{}", "/[]/checkout/../../{}", "/[]/create/..%2f..%2f{}", "/%6frders/{}", "/ORDERS/{}", "/Stock/{}",
	"http://@/{}", "http://@/[]/{}", "http://localhost/{}", "http://[]/{}", "https://@/{}", "HTTP://LOCALHOST/[]/{}", "//@/{}", "/[]/http://@/{}",
	"/[]/@/{}", "@", "*",
}

// TestTheInternalDoorIsShut asks the gateway for what is internal in every spelling, with every method, over bare sockets: nothing is
// ever answered 200, and nothing is done.
func TestTheInternalDoorIsShut(t *testing.T) {
	t.Parallel()
	s, put := start(t, stack.Config{}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(1, 50)
	put.Credit[user], put.Stock[item] = 50, 50
	steps := func(attempt string) string {
		until := time.Now().Add(time.Hour).UnixMilli()
		return fmt.Sprintf(`[{"id":"%s","until":%d,"lines":[{"id":"%s","n":1}]},{"id":"%s-u","until":%d,"lines":[{"id":"%s","n":1}]}]`,
			attempt, until, item, attempt, until, user)
	}
	var asked atomic.Int64
	ask := func(method, target, host string) {
		asked.Add(1)
		if status, err := s.raw(method, target, host, steps("door")); err != nil || status == 200 {
			t.Errorf("%s %q of host %s: %d, %v", method, target, host, status, err)
		}
	}
	s.many(len(spellings), 8, func(i int) {
		for _, service := range []struct{ prefix, name string }{{"orders", "order"}, {"stock", "stock"}, {"payment", "payment"}} {
			internal := strings.TrimPrefix(s.InternalURLs(service.name)[0], "http://")
			spell := strings.NewReplacer("[]", service.prefix, "@", internal)
			for _, path := range []string{
				"internal/reserve", "INTERNAL/reserve", "Internal/Reserve", "%69nternal/reserve", "internal%2freserve", "internal//reserve",
				"internal/./reserve", "internal/refund", "internal/release",
			} {
				ask("POST", spell.Replace(strings.ReplaceAll(spellings[i], "{}", path)), "localhost")
			}
			for _, path := range []string{"internal/placement", "readyz", "healthz", "debug/pprof/", "debug/pprof/heap"} {
				ask("GET", spell.Replace(strings.ReplaceAll(spellings[i], "{}", path)), "localhost")
			}
			for _, path := range []string{"internal/reserve", "readyz"} {
				target := spell.Replace(strings.ReplaceAll(spellings[i], "{}", path))
				for _, method := range []string{"GET", "POST"} {
					ask(method, target, internal)
				}
				for _, method := range []string{"PUT", "OPTIONS", "HEAD", "post", "CONNECT"} {
					ask(method, target, "localhost")
				}
			}
		}
	})
	t.Logf("%d requests", asked.Load())
	s.check(put)
	for service, prefix := range map[string]string{"stock": "{s0}r:", "payment": "{p0}r:"} {
		if keys := s.shards[service][0].Keys(context.Background(), prefix+"door*").Val(); len(keys) > 0 {
			t.Errorf("the internal door of %s was reached: %v", service, keys)
		}
	}

	// The same request is taken at the internal door itself, so that it would have been noticed.
	for service, key := range map[string]string{"stock": "{s0}r:door", "payment": "{p0}r:door-u"} {
		internal := strings.TrimPrefix(s.InternalURLs(service)[0], "http://")
		if status, err := rawTo(internal, "POST", "/internal/reserve", internal, steps("door")); err != nil || status != 200 {
			t.Errorf("%s, at its internal door: %d, %v", service, status, err)
		}
		if record := s.shards[service][0].Get(context.Background(), key).Val(); !strings.HasPrefix(record, "1 ") {
			t.Errorf("%s, at its internal door: %s holds %q", service, key, record)
		}
	}
}

// raw sends one request exactly as it is spelled to the gateway, and returns the status of the answer; 0 if the connection was ended.
func (s *system) raw(method, target, host, body string) (int, error) {
	return rawTo(strings.TrimPrefix(s.Stack.Gateway(), "http://"), method, target, host, body)
}

func rawTo(address, method, target, host, body string) (int, error) {
	conn, err := net.DialTimeout("tcp", address, check.ResponseTimeout)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(check.ResponseTimeout)); err != nil {
		return 0, err
	}
	if method == "GET" || method == "HEAD" || method == "CONNECT" {
		body = ""
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, target, host, len(body), body); err != nil {
		return 0, nil // it was refused while it was being sent
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		if _, timeout := err.(net.Error); timeout {
			return 0, err
		}
		return 0, nil
	}
	response.Body.Close()
	return response.StatusCode, nil
}
