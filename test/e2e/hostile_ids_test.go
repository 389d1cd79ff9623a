package e2e

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// hostileIDs are IDs that are malformed, or unknown, or have a special meaning in Redis, Lua, logs or paths. No object
// has such an ID.
var hostileIDs = []string{
	"\r\n", "a\r\nFLUSHALL\r\n", "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "$8\r\nFLUSHALL", "\x00", "a\x00b", " ", "a b", "\t",
	"{s0}", "{o0}o:x", "}{", "{}", "*", "?", "[a-z]", "i:x", "o:x", "undecided", "batch", "r:x", "'", `"`, `\`, "`",
	"$(id)", "%s%n", "%", "../x", "<script>", "\u202e", "\ufeff", "é", "\xff\xfe",
	"'; return redis.call('FLUSHALL') --", "]] redis.call('FLUSHALL') [[", "-1", "+1", "007", "1e1", "0x10",
	"99999999999999999999", "null", "undefined", "true", strings.Repeat("a", 5000), strings.Repeat("{", 300),
	"01890000-0000-7000-8000-00000000ffff", "01890000-0000-7000-8000-00000000000G",
	"01890000-0000-7000-8000-0000000000000", "0189000000007000800000000000000",
}

// TestHostileIDs checks that a hostile ID in any route gets 4xx. In Redis, no hostile ID may become a key or run a
// command.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	s, deposits := start(t, stack.Config{Env: map[string][]string{"": {"BATCH_INIT=0"}}}), check.NewDeposits()
	user, item := s.newUser(50), s.newItem(3, 50)
	deposits.Credit[user], deposits.Stock[item] = 50, 50
	order := s.newOrder(user, item)
	bases := []string{s.Stack.Gateway() + "/orders", s.Stack.Gateway() + "/stock", s.Stack.Gateway() + "/payment",
		s.PublicURLs("order")[0], s.PublicURLs("stock")[0], s.PublicURLs("payment")[0]}
	routes := [][]string{
		{"GET /find/{}", "POST /checkout/{}", "DELETE /remove/{}", "POST /addItem/{}/" + item,
			"POST /addItem/" + order + "/{}", "POST /addItem/" + order + "/" + item + "/{}",
			"DELETE /removeItem/" + order + "/{}", "DELETE /removeItem/{}/" + item, "POST /batch_init/{}/1/1/1"},
		{"GET /find/{}", "POST /add/{}/1", "POST /subtract/{}/1", "POST /add/" + item + "/{}", "POST /item/create/{}",
			"POST /batch_init/{}/1/1"},
		{"GET /find_user/{}", "POST /add_funds/{}/1", "POST /pay/{}/1", "POST /pay/{}/" + order + "/1",
			"POST /cancel/{}/" + order, "POST /cancel/" + user + "/{}", "POST /status/{}/" + order,
			"POST /status/" + user + "/{}", "POST /add_funds/" + user + "/{}", "POST /batch_init/{}/1"},
	}
	for i, path := range []string{"/batch_init/0/x/1/-1", "/batch_init/0/x/-1", "/batch_init/0/x"} {
		if r := s.Call("POST", bases[i]+path); r.Problem() != "batch-init-disabled" {
			t.Errorf("POST %s with malformed parameters: got %v, want the problem batch-init-disabled", bases[i]+path, r)
		}
	}
	takesNumber := func(route string) bool {
		return strings.Contains(route, "create/") || strings.HasSuffix(route, "/"+item+"/{}") ||
			strings.HasSuffix(route, user+"/{}")
	}
	for _, service := range stack.Services() {
		// Reset the counts of commands, because the services use EVAL when they start.
		s.must(s.shards[service][0].ConfigResetStat(context.Background()).Err())
	}
	s.concurrently(len(hostileIDs), 8, func(i int) {
		id := hostileIDs[i]
		for b, base := range bases {
			for _, route := range routes[b%3] {
				method, path, _ := strings.Cut(strings.ReplaceAll(route, "{}", url.PathEscape(id)), " ")
				r := s.Call(method, base+path)
				if r.Refused() || r.OK() && id == "007" && takesNumber(route) { // 007 is a number
					continue
				}
				t.Errorf("%s %s with %q: got %v, want 4xx", method, base+route, id, r)
			}
		}
	})
	for _, service := range stack.Services() {
		stats := s.shards[service][0].Info(context.Background(), "commandstats").Val()
		for line := range strings.Lines(stats) {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
			if strings.HasPrefix(name, "flush") || name == "keys" || name == "config" || name == "eval" || name == "shutdown" {
				t.Errorf("the Redis of %s ran the command %s, want no command from an ID", service, line)
			}
		}
	}
	sn := s.snapshot()
	for _, violation := range sn.Violations(deposits) {
		if strings.Contains(violation, "which is unexpected") { // the number 007 may change balances, but not add keys
			t.Error(violation)
		}
	}
	for id := range sn.Orders {
		if id != order {
			t.Errorf("an order has the ID %q, want only the order %q", id, order)
		}
	}
	if len(sn.Credit) != 1 {
		t.Errorf("Redis has the credits %v by user, want one user", sn.Credit)
	}
}
