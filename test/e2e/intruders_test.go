package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// smuggled are requests that two servers may read differently: {} is a whole request that only one of them would see, {n} its length
// in bytes, {x} the same in hexadecimal.
var smuggled = map[string]string{
	"CL.TE":                     "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
	"TE.CL":                     "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{}\r\n0\r\n\r\n",
	"TE with a space":           "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: {n}\r\n\r\n{}",
	"TE with a tab":             "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE twice":                  "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE of another name":        "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE in a list":              "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE with an underscore":     "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer_Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE after a bare newline":   "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nX: y\nTransfer-Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"TE folded":                 "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"a folded header":           "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nX: y\r\n Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{}",
	"TE in HTTP/1.0":            "POST /orders/create/x HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{}",
	"CL twice":                  "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: {n}\r\n\r\n{}",
	"CL in a list":              "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0, {n}\r\n\r\n{}",
	"CL with a sign":            "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: +{n}\r\n\r\n{}",
	"CL below zero":             "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
	"CL with a zero byte":       "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\x00\r\n\r\n{}",
	"a GET with a body":         "GET /orders/ HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\r\n\r\n{}",
	"a chunk with an extension": "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n\"{}\r\n\r\n",
	"a chunk of a bad size":     "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{}",
	"a chunk too large":         "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
	"bare newlines":             "POST /orders/create/x HTTP/1.1\nHost: x\nContent-Length: 0\n\n{}",
	"in the path":               "POST /orders/create/x%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a{} HTTP/1.1\r\nHost: x\r\n\r\n",
	"in the path, as it is":     "POST /orders/create/x HTTP/1.1\r\nX: y\r\n\r\n{} HTTP/1.1\r\nHost: x\r\n\r\n",
	"h2c":                       "GET /orders/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}",
	"a websocket":               "GET /orders/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n{}",
	"hop by hop":                "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nConnection: close, Content-Length\r\nContent-Length: {n}\r\n\r\n{}",
	"expected":                  "POST /orders/create/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {n}\r\n\r\n{}",
	"tunnelled":                 "CONNECT @ HTTP/1.1\r\nHost: @\r\n\r\n{}",
	"of another method":         "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\nX-Original-URL: /internal/reserve\r\nX-Rewrite-URL: /internal/reserve\r\n\r\n{}",
	"of another host":           "POST http://@/internal/reserve HTTP/1.1\r\nHost: @\r\nX-Forwarded-Host: @\r\nContent-Length: 0\r\n\r\n{}",
}

// TestNothingIsSmuggled sends what two servers may read differently. The request in it reaches no internal door, and never is
// another caller's answer mixed up.
func TestNothingIsSmuggled(t *testing.T) {
	t.Parallel()
	s, put := start(t, stack.Config{}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(3, 50)
	put.Credit[user], put.Stock[item] = 50, 50
	internal := strings.TrimPrefix(s.InternalURLs("stock")[0], "http://")
	reserve := fmt.Sprintf(`[{"id":"smuggled","until":%d,"lines":[{"id":"%s","n":1}]}]`, time.Now().Add(time.Hour).UnixMilli(), item)
	for name, text := range smuggled {
		for _, service := range []string{"orders", "stock"} {
			inner := fmt.Sprintf("POST /internal/reserve HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", internal, len(reserve), reserve)
			request := strings.NewReplacer("{}", inner, "{n}", fmt.Sprint(len(inner)), "{n+5}", fmt.Sprint(len(inner)+5), "{x}", fmt.Sprintf("%x", len(inner)),
				"@", internal, "/orders/", "/"+service+"/").Replace(text)
			if said := s.converse(request); strings.Contains(said, `"code"`) || strings.Contains(said, `"alive"`) || strings.Contains(said, " 101 ") {
				t.Errorf("%s: %s", name, said)
			}
			for range 4 {
				if got := s.get("/stock/find/%s", item); got["price"] != 3.0 || got["stock"] != 50.0 {
					t.Errorf("after %s: the item is %v", name, got)
				}
				if got := s.get("/payment/find_user/%s", user); got["user_id"] != user {
					t.Errorf("after %s: the user is %v", name, got)
				}
				if a := s.Call("GET", "/orders/find/"+item); a.Status != 404 || !strings.Contains(a.Body, item) {
					t.Errorf("after %s: an order that does not exist: %v", name, a)
				}
			}
		}
	}
	if n := s.shards["stock"][0].Exists(context.Background(), "{s0}r:smuggled").Val(); n != 0 {
		t.Error("a request was smuggled to the internal door")
	}
	s.check(put)
}

// converse sends bytes to the gateway and returns all that it says until it hangs up, or has said nothing for a moment.
func (s *system) converse(request string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Stack.Gateway(), "http://"))
	s.must(err)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return ""
	}
	var said bytes.Buffer
	for buffer := make([]byte, 4096); ; {
		s.must(conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)))
		n, err := conn.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			return said.String()
		}
	}
}

// hostile are ids that nothing has, and that would mean something to Redis, Lua, a log or a path.
var hostile = []string{
	"\r\n", "a\r\nFLUSHALL\r\n", "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "$8\r\nFLUSHALL", "\x00", "a\x00b", " ", "a b", "\t", "{s0}", "{o0}o:x", "}{", "{}", "*", "?", "[a-z]",
	"i:x", "o:x", "undecided", "batch", "r:x", "'", `"`, `\`, "`", "$(id)", "%s%n", "%", "../x", "<script>", "\u202e", "\ufeff", "é", "\xff\xfe", "'; return redis.call('FLUSHALL') --",
	"]] redis.call('FLUSHALL') [[", "-1", "+1", "007", "1e1", "0x10", "99999999999999999999", "null", "undefined", "true", strings.Repeat("a", 5000), strings.Repeat("{", 300),
	"01890000-0000-7000-8000-00000000ffff", "01890000-0000-7000-8000-00000000000G", "01890000-0000-7000-8000-0000000000000", "0189000000007000800000000000000",
}

// TestHostileIDs asks every route for ids that would mean something to Redis. None of them reaches it as a key or a command.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	s, put := start(t, stack.Config{Env: map[string][]string{"": {"BATCH_INIT=0"}}}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(3, 50)
	put.Credit[user], put.Stock[item] = 50, 50
	order := s.newOrder(user, item)
	doors := []string{s.Stack.Gateway() + "/orders", s.Stack.Gateway() + "/stock", s.Stack.Gateway() + "/payment",
		s.PublicURLs("order")[0], s.PublicURLs("stock")[0], s.PublicURLs("payment")[0]}
	routes := [][]string{
		{"GET /find/{}", "POST /checkout/{}", "DELETE /remove/{}", "POST /addItem/{}/" + item, "POST /addItem/" + order + "/{}", "POST /addItem/" + order + "/" + item + "/{}",
			"DELETE /removeItem/" + order + "/{}", "DELETE /removeItem/{}/" + item, "POST /batch_init/{}/1/1/1"},
		{"GET /find/{}", "POST /add/{}/1", "POST /subtract/{}/1", "POST /add/" + item + "/{}", "POST /item/create/{}", "POST /batch_init/{}/1/1"},
		{"GET /find_user/{}", "POST /add_funds/{}/1", "POST /pay/{}/1", "POST /pay/{}/" + order + "/1", "POST /cancel/{}/" + order, "POST /cancel/" + user + "/{}",
			"POST /status/{}/" + order, "POST /status/" + user + "/{}", "POST /add_funds/" + user + "/{}", "POST /batch_init/{}/1"},
	}
	s.many(len(hostile), 8, func(i int) {
		for d, door := range doors {
			for _, route := range routes[d%3] {
				method, path, _ := strings.Cut(strings.ReplaceAll(route, "{}", url.PathEscape(hostile[i])), " ")
				a := s.Call(method, door+path)
				if creates := hostile[i] == "007" && strings.Contains(route, "create/"); creates && a.OK() || a.Refused() {
					continue // a price of 7 is one, however it is written
				}
				if number := hostile[i] == "007" && (strings.HasSuffix(route, "add/"+item+"/{}") || strings.HasSuffix(route, "/"+item+"/{}") || strings.HasSuffix(route, user+"/{}")); number && a.OK() {
					continue
				}
				t.Errorf("%s %s with %q: %v", method, door+route, hostile[i], a)
			}
		}
	})
	for _, service := range stack.Services() {
		stats := s.shards[service][0].Info(context.Background(), "commandstats").Val()
		for line := range strings.Lines(stats) {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
			if strings.HasPrefix(name, "flush") || name == "keys" || name == "config" || name == "eval" || name == "shutdown" {
				t.Errorf("%s was told %s", service, line)
			}
		}
	}
	sn := s.snapshot()
	for _, found := range sn.Violations(put) {
		if strings.Contains(found, "should lie in Redis") { // the balances have changed: 007 is a number
			t.Error(found)
		}
	}
	for id := range sn.Orders {
		if id != order {
			t.Errorf("order %q", id)
		}
	}
	if len(sn.Credit) != 1 {
		t.Errorf("users %v", sn.Credit)
	}
}

// TestSecretsStaySecret provokes errors of every kind in a system with a password, with everything logged: it is in no log, no answer,
// no metric, no profile and no health check.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const secret, wrong = "s3cr3t-of-the-shop", "s3cr3t-that-is-wrong"
	var said bytes.Buffer
	for _, cfg := range []stack.Config{
		{Env: map[string][]string{"": {"WDM_DEBUG=1"}}},
		{Env: map[string][]string{"": {"WDM_DEBUG=1", "REDIS_PASSWORD=" + wrong}}},
		{Env: map[string][]string{"": {"WDM_DEBUG=1", "REDIS_USERNAME=nobody"}}},
	} {
		cfg.RedisPassword = secret
		s := launch(t, cfg)
		ask := func(method, url string) {
			a := s.Call(method, url)
			fmt.Fprintln(&said, method, url, a.Status, a.Header, a.Body, a.Err)
		}
		if len(cfg.Env[""]) == 1 {
			s.ready()
			user, item := s.newUser(50), s.newItem(3, 50)
			order := s.newOrder(user, item)
			ask("POST", "/orders/checkout/"+order)
			ask("POST", "/orders/checkout/"+order+"x")
			ask("POST", "/payment/pay/"+user+"/x")
			s.must(s.Kill("redis-payment-0"))
			ask("GET", "/payment/find_user/"+user)
			ask("POST", "/orders/checkout/"+s.newOrder(user, item))
		}
		for _, service := range stack.Services() {
			s.eventually(readyWithin, service+" serves", func() error {
				if a := s.Call("GET", s.InternalURLs(service)[0]+"/healthz"); !a.OK() {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
			for _, path := range []string{"/readyz", "/healthz", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap?debug=1",
				"/debug/pprof/goroutine?debug=2", "/debug/vars", "/internal/placement", "/nothing"} {
				ask("GET", s.InternalURLs(service)[0]+path)
			}
			ask("POST", s.InternalURLs(service)[0]+"/internal/reserve")
		}
		for _, path := range []string{"/orders/ping", "/stock/ping", "/payment/ping", "/orders/find/0", "/payment/find_user/0", "/stock/item/create/1"} {
			ask("GET", path)
			ask("POST", path)
		}
		time.Sleep(time.Second) // for probes to fail and be logged
		logs, err := filepath.Glob(filepath.Join(s.Dir(), "logs", "*"))
		s.must(err)
		if len(logs) < 7 {
			t.Errorf("logs: %v", logs)
		}
		for _, log := range logs {
			text, err := os.ReadFile(log)
			s.must(err)
			fmt.Fprintln(&said, log, string(text))
		}
	}
	bin, err := stack.Build(context.Background(), io.Discard, stack.Source{Race: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range stack.Services() { // a wrong environment, and a health check without a service
		for _, args := range [][]string{{}, {"healthcheck"}} {
			for _, env := range [][]string{{"REDIS_PASSWORD=" + secret, "REDIS_DB=x"}, {"REDIS_PASSWORD=" + secret, "REDIS_ADDRS=127.0.0.1:1", "MACHINE_ID=1/1",
				"ORDER_SERVICE_URL=http://127.0.0.1:1/", "STOCK_SERVICE_URL=http://127.0.0.1:1/", "PAYMENT_SERVICE_URL=http://127.0.0.1:1/", "PORT=1", "BIND=192.0.2.1"}} {
				command := exec.Command(filepath.Join(bin, service), args...)
				command.Env = env
				out, err := command.CombinedOutput()
				if err == nil {
					t.Errorf("%s %v with %v succeeded", service, args, env)
				}
				said.Write(out)
			}
		}
	}
	for _, word := range []string{secret, wrong} {
		for line := range strings.Lines(said.String()) {
			if strings.Contains(line, word) {
				t.Errorf("the password is told: %s", line)
			}
		}
	}
	for _, told := range []string{"shard is down", "WRONGPASS", "level=DEBUG", "http_request_duration_seconds"} { // else nothing was provoked
		if !strings.Contains(said.String(), told) {
			t.Errorf("nobody said %q", told)
		}
	}
}
