package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// spellings are ways to request an internal path from the gateway. {} stands for the path, [] for the public prefix
// of a service, and @ for the address of the service's internal port.
var spellings = []string{
	"/{}", "//{}", "/./{}", "/%2f{}", "/{}/", "/{}?x=/orders/", "/{};x", "/%20{}", "{}", "/[]/{}", "/[]/{}/",
	"/[]//{}", "//[]//{}", "///[]///{}", "/[]/./{}", "/./[]/{}", "/[]/%2e/{}", "/[]/{}/.", "/[]/{}?a=b", "/[]/{}#x",
	"/[]/x/../{}", "/[]/x/%2e%2e/{}", "/[]/../{}", "/[]/%2e%2e/{}", "/[]/.%2E/{}", "/[]/..%2f{}", "/[]%2f..%2f{}",
	"/[]/../[]/{}", "/[]/..;/{}", "/[]/..%5c{}", `/[]/..\{}`, `/[]\{}`, "/[]%5c{}", "/[]%2f{}", "/[]%2F%2F{}",
	"/[]/%2f{}", "/[]/%252f{}", "/[]/%252e%252e/{}", "/[]/%2e%2e%2f%2e%2e%2f{}", "/[]/../../{}", "/../{}", "/[];/{}",
	"/[]/;/{}", "/[]/{};", "/[]/{}%00", "/[]/%00/{}", "/[]/{}%20", "/[]/{}%0a", "/[]/%09{}", "/[]/{}%23", "/[]/{}%3f",
	"/[]/[]/{}", "/[]/[]/[]/{}", "/[][]/{}", "/[]/find/../{}", "/[]/find/%2e%2e/{}", "/[]/find/..%2f{}",
	"/[]/find/x/../../{}", "/[]/checkout/../{}", "/[]/checkout/..%2f{}", "/[]/checkout/%2e%2e%2f{}",
	"/[]/remove/../{}", "/[]/remove..%2f{}", "/[]/checkout/../../{}", "/[]/create/..%2f..%2f{}", "/%6frders/{}",
	"/ORDERS/{}", "/Stock/{}", "http://@/{}", "http://@/[]/{}", "http://localhost/{}", "http://[]/{}", "https://@/{}",
	"HTTP://LOCALHOST/[]/{}", "//@/{}", "/[]/http://@/{}", "/[]/@/{}", "@", "*",
}

// TestGatewayNeverReachesInternalPort checks that no request through the gateway reaches an internal port. The test
// requests internal paths in every spelling and with every method, over raw connections. No request gets 200 or changes
// anything.
func TestGatewayNeverReachesInternalPort(t *testing.T) {
	t.Parallel()
	s, deposits := start(t, stack.Config{}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(1, 50)
	deposits.Credit[user], deposits.Stock[item] = 50, 50
	const attempt = "intruder"
	until := time.Now().Add(time.Hour).UnixMilli()
	body := fmt.Sprintf(
		`[{"id":"%s","until":%d,"lines":[{"id":"%s","n":1}]},{"id":"%s-u","until":%d,"lines":[{"id":"%s","n":1}]}]`,
		attempt, until, item, attempt, until, user)
	var requests atomic.Int64
	request := func(method, target, host string) {
		requests.Add(1)
		if status, err := s.raw(method, target, host, body); err != nil || status == 200 {
			t.Errorf("%s %q with the host %s: got status %d, error %v, want any status except 200",
				method, target, host, status, err)
		}
	}
	s.concurrently(len(spellings), 8, func(i int) {
		for _, service := range []struct{ prefix, name string }{
			{"orders", "order"}, {"stock", "stock"}, {"payment", "payment"},
		} {
			internal := strings.TrimPrefix(s.InternalURLs(service.name)[0], "http://")
			spell := strings.NewReplacer("[]", service.prefix, "@", internal)
			for _, path := range []string{
				"internal/reserve", "INTERNAL/reserve", "Internal/Reserve", "%69nternal/reserve", "internal%2freserve",
				"internal//reserve", "internal/./reserve", "internal/refund", "internal/release",
			} {
				request("POST", spell.Replace(strings.ReplaceAll(spellings[i], "{}", path)), "localhost")
			}
			for _, path := range []string{"internal/placement", "readyz", "healthz", "debug/pprof/", "debug/pprof/heap"} {
				request("GET", spell.Replace(strings.ReplaceAll(spellings[i], "{}", path)), "localhost")
			}
			for _, path := range []string{"internal/reserve", "readyz"} {
				target := spell.Replace(strings.ReplaceAll(spellings[i], "{}", path))
				for _, method := range []string{"GET", "POST"} {
					request(method, target, internal)
				}
				for _, method := range []string{"PUT", "OPTIONS", "HEAD", "post", "CONNECT"} {
					request(method, target, "localhost")
				}
			}
		}
	})
	t.Logf("%d requests", requests.Load())
	s.check(deposits)
	for service, prefix := range map[string]string{"stock": "{s0}r:", "payment": "{p0}r:"} {
		if keys := s.shards[service][0].Keys(context.Background(), prefix+attempt+"*").Val(); len(keys) > 0 {
			t.Errorf("a request reached the internal port of %s: keys %v", service, keys)
		}
	}

	// The same request leaves a record if the test sends it directly to the internal port. Therefore the check above would
	// detect a request that the gateway passed on.
	for service, key := range map[string]string{"stock": "{s0}r:" + attempt, "payment": "{p0}r:" + attempt + "-u"} {
		internal := strings.TrimPrefix(s.InternalURLs(service)[0], "http://")
		status, err := rawTo(internal, "POST", "/internal/reserve", internal, body)
		if err != nil || status != 200 {
			t.Errorf("internal port of %s: got status %d, error %v, want 200", service, status, err)
		}
		if record := s.shards[service][0].Get(context.Background(), key).Val(); !strings.HasPrefix(record, "1 ") {
			t.Errorf("internal port of %s: %s is %q, want a reservation", service, key, record)
		}
	}
}

// raw sends one request unchanged to the gateway. It returns the status, or 0 if the gateway closed the
// connection.
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
	header := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, host) +
		fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	if _, err := io.WriteString(conn, header+body); err != nil {
		return 0, nil // the gateway closed the connection before the request was sent completely
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return 0, err
		}
		return 0, nil // the gateway closed or reset the connection
	}
	response.Body.Close()
	return response.StatusCode, nil
}
