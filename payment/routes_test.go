package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/service/servicetest"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/test/contract"
)

// instance is an instance of payment, with an order service that replies as it is told.
type instance struct {
	*servicetest.Instance
	order *fakeOrder
}

func newInstance(t *testing.T, shards int, others ...string) *instance {
	t.Helper()
	fake := newFakeOrder(t)
	i := servicetest.New(t, definition, shards, func(c *env.Config) { c.OrderPeers = append(others, fake.address) })
	testredis.Eventually(t, "the order service is found", func() bool { return len(i.Unavailable()) == 0 })
	return &instance{i, fake}
}

// create makes a user with some credit.
func (m *instance) create(t *testing.T, credit int64) string {
	t.Helper()
	w := m.Call("POST", "/create_user")
	var answer created
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != 200 || err != nil {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	if credit > 0 {
		m.Want(t, "POST", fmt.Sprintf("/add_funds/%s/%d", answer.UserID, credit), `{"done":true}`)
	}
	return answer.UserID
}

func (m *instance) credit(t *testing.T, id string, want int64) {
	t.Helper()
	m.Want(t, "GET", "/find_user/"+id, fmt.Sprintf(`{"user_id":%q,"credit":%d}`, id, want))
}

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, definition.Name, newInstance(t, 1).Public.Routes())
}

func TestUsers(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	seen := map[int]bool{}
	for range 4 {
		id := m.create(t, 0)
		at, ok := shard.Of(id)
		if !ok {
			t.Fatalf("%s was not minted", id)
		}
		seen[at] = true
		m.credit(t, id, 0)
		m.Want(t, "POST", "//add_funds//"+id+"/1000000000000", `{"done":true}`)
		m.Want(t, "POST", "/pay/"+id+"/999999999999", fmt.Sprintf(`{"msg":"user %s paid 999999999999"}`, id))
		m.credit(t, id, 1)
		m.Refuse(t, "POST", "/pay/"+id+"/2", api.InsufficientCredit)
	}
	if len(seen) != 2 {
		t.Errorf("four users are on %d of 2 shards", len(seen))
	}
	m.Want(t, "GET", "/", `{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
	m.Want(t, "GET", "/ping", `{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
}

func TestBalanceLimit(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	id := m.create(t, 10)
	m.order.says(api.NotPaid)
	m.Want(t, "POST", "/pay/"+id+"/A/10", fmt.Sprintf(`{"msg":"user %s paid 10 for order A"}`, id))
	if err := m.Shards[0].Client.Set(t.Context(), "{p0}u:"+id, int64(api.MaxBalance-5), 0).Err(); err != nil {
		t.Fatal(err)
	}
	m.Refuse(t, "POST", "/add_funds/"+id+"/6", api.BalanceLimit)
	m.Refuse(t, "POST", "/cancel/"+id+"/A", api.BalanceLimit)
	if asked := m.order.asked(); len(asked) != 0 {
		t.Errorf("a cancel that is refused has begun: %v", asked)
	}
	m.Want(t, "POST", "/add_funds/"+id+"/5", `{"done":true}`)
	m.credit(t, id, api.MaxBalance)
	m.Refuse(t, "POST", "/add_funds/"+id+"/1", api.BalanceLimit)
}

// In the path of a request, percent-encoded where they must be.
var (
	notNumbers = []string{"x", "1.5", "1.0", "1e3", "0x10", "%2B5", "1_000", "NaN", "%20", "%205", "5%20", "5%0a", "%ff", "%EF%BC%95", "--1", "-0",
		"-1", "-9223372036854775808", "1000000000001", "9007199254740992", "9223372036854775808", "18446744073709551621", strings.Repeat("9", 300)}
	noIDs = []string{"x", "99", "-1", "01", "%2B1", "1.0", "10000000", "undefined", "%20", "%C3%A9", "u:0", "%7Bp0%7Du:0", "batch", "%0d%0aSET",
		strings.Repeat("x", 300), strings.Repeat("9", 300), shard.Mint(0), shard.Mint(1), shard.Mint(7), shard.Mint(65535),
		"00000000-0000-0000-0000-000000000000", "3d1a1b5e-8f0c-4c57-9a52-0d6a9c1f0000"}
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	m.order.says(api.Paid)
	id := m.create(t, 10)
	m.Want(t, "POST", "/pay/"+id+"/A/4", fmt.Sprintf(`{"msg":"user %s paid 4 for order A"}`, id))
	m.Want(t, "POST", "/batch_init/3/7", `{"msg":"Batch init for users successful"}`)
	for _, n := range append(notNumbers, "0", "00") {
		m.Refuse(t, "POST", "/add_funds/"+id+"/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/pay/"+id+"/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/pay/"+id+"/A/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/pay/"+id+"/B/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/batch_init/"+n+"/5", api.InvalidNumber)
	}
	for _, n := range notNumbers {
		m.Refuse(t, "POST", "/batch_init/3/"+n, api.InvalidNumber)
	}
	m.Refuse(t, "POST", "/batch_init/10000001/5", api.InvalidNumber)
	m.Refuse(t, "POST", "/pay/"+id+"/"+strings.Repeat("x", api.MaxIDLength+1)+"/1", api.BadRequest)
	for _, other := range append(noIDs, strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), id+"0", id[1:], "%7B"+id+"%7D") {
		m.Refuse(t, "GET", "/find_user/"+other, api.UserNotFound)
		m.Refuse(t, "POST", "/add_funds/"+other+"/1", api.UserNotFound)
		m.Refuse(t, "POST", "/pay/"+other+"/1", api.UserNotFound)
		m.Refuse(t, "POST", "/pay/"+other+"/A/1", api.UserNotFound)
		m.Refuse(t, "POST", "/cancel/"+other+"/A", api.UserNotFound)
		m.Refuse(t, "GET", "/status/"+other+"/A", api.UserNotFound)
		m.Refuse(t, "POST", "/status/"+other+"/A", api.UserNotFound)
	}
	if asked := m.order.asked(); len(asked) != 0 {
		t.Errorf("the order service was asked about users who do not exist: %v", asked)
	}
	routes := map[string]string{"/": "GET", "/ping": "GET", "/create_user": "POST", "/find_user/" + id: "GET", "/add_funds/" + id + "/1": "POST",
		"/pay/" + id + "/1": "POST", "/pay/" + id + "/A/1": "POST", "/cancel/" + id + "/A": "POST", "/status/" + id + "/A": "GET POST",
		"/batch_init/1/1": "POST"}
	for path, allowed := range routes {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if !strings.Contains(allowed, method) {
				m.Refuse(t, method, path, api.WrongMethod)
			}
		}
		if path != "/" {
			m.Refuse(t, "POST", path+"/", api.RouteNotFound)
		}
	}
	for _, path := range []string{"/find_user", "/find_user/", "/add_funds/" + id, "/add_funds/" + id + "/", "/pay/" + id, "/pay/" + id + "/", "/pay/" + id + "/A/1/1",
		"/cancel/" + id, "/cancel/" + id + "/", "/status/" + id, "/batch_init/1", "/create_user/1", "/internal/reserve", "/internal/placement", "/healthz",
		"/readyz", "/debug/pprof/", "/drop-database", "/redis-exec"} {
		m.Refuse(t, "POST", path, api.RouteNotFound)
	}
}

func TestBatchInit(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	m.order.says(api.OrderMissing)
	m.Want(t, "POST", "/batch_init/2503/7", `{"msg":"Batch init for users successful"}`)
	for _, id := range []string{"0", "1", "999", "1000", "2502"} {
		m.credit(t, id, 7)
	}
	m.Refuse(t, "GET", "/find_user/2503", api.UserNotFound)
	for i, s := range m.Shards {
		users, err := s.Client.Keys(t.Context(), fmt.Sprintf("{p%d}u:*", i)).Result()
		if err != nil || len(users) != 1252-i {
			t.Errorf("shard %d holds %d users, %v", i, len(users), err)
		}
	}
	m.Want(t, "POST", "/pay/1/A/3", `{"msg":"user 1 paid 3 for order A"}`)
	m.Want(t, "POST", "/batch_init/2/0", `{"msg":"Batch init for users successful"}`)
	m.credit(t, "0", 0)
	m.credit(t, "1", 0)
	m.credit(t, "2", 7)
	m.Refuse(t, "POST", "/cancel/1/A", api.OrderNotFound) // the payment is forgotten
	forbidden := func(c *env.Config) { c.BatchInit = false }
	servicetest.New(t, definition, 1, forbidden).Refuse(t, "POST", "/batch_init/2/1", api.BatchDisabled)
}

// What needs a shard that is away is unavailable, with a hint to come back; everything else goes on.
func TestShardAway(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	m.order.says(api.Paid)
	m.Want(t, "POST", "/batch_init/2/7", `{"msg":"Batch init for users successful"}`)
	m.Shards[1].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(m.Cluster.Unavailable()) == 1 })
	for path, method := range map[string]string{"/find_user/1": "GET", "/add_funds/1/1": "POST", "/pay/1/1": "POST", "/pay/1/A/1": "POST",
		"/cancel/1/A": "POST", "/status/1/A": "GET", "/batch_init/2/7": "POST"} {
		w := m.Call(method, path)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), api.Unavailable.Type()) {
			t.Errorf("%s %s: %d %v %s", method, path, w.Code, w.Header(), w.Body)
		}
	}
	if asked := m.order.asked(); len(asked) != 0 {
		t.Errorf("the order service was asked before it was known what was paid directly: %v", asked)
	}
	m.credit(t, "0", 7)
	for range 4 {
		if at, _ := shard.Of(m.create(t, 0)); at != 0 {
			t.Errorf("a user was made on shard %d, which is away", at)
		}
	}
}

func TestInternalPort(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		m.Internal.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := get("/internal/placement"); code != 200 || body != `{"service":"payment","shards":1,"modulus":1}` {
		t.Errorf("placement: %d %s", code, body)
	}
	if code, body := get("/readyz"); code != 200 || body != `{"ready":true}` {
		t.Errorf("ready: %d %s", code, body)
	}
	m.order.server.Close()
	testredis.Eventually(t, "the order service is known to be away", func() bool {
		code, body := get("/readyz")
		return code == 503 && strings.HasPrefix(body, `{"ready":false,"missing":["order: `)
	})
}
