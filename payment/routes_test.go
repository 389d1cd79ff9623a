package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/peer"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/common/web"
	"checkout/test/contract"
)

// machine is one machine of the service under test, with its shards and an order service that answers as it is told.
type machine struct {
	*server
	srv    *web.Server
	shards []*testredis.Server
	order  *fakeOrder
}

func newMachine(t *testing.T, shards int) *machine {
	t.Helper()
	gin.SetMode(gin.TestMode)
	db, servers := testredis.Open(t, service, shards, slices.Concat(scripts, participant.Scripts))
	fake := newFakeOrder(t)
	order := peer.New("order", []string{fake.address})
	t.Cleanup(order.Close)
	testredis.Eventually(t, "the order service is found", func() bool { return order.Unavailable() == "" })
	m := &machine{&server{db: db, users: &store{db: db, ids: db.NewMinter(1, 1)}, orders: newOrders(order), machine: "1/1", batchAllowed: true},
		web.NewServer(false), servers, fake}
	m.routes(m.srv)
	return m
}

// call sends a request to the public port.
func (m *machine) call(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.srv.Public.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// want checks an answer of 200.
func (m *machine) want(t *testing.T, method, path, body string) {
	t.Helper()
	if w := m.call(method, path); w.Code != 200 || w.Body.String() != body {
		t.Errorf("%s %s: %d %s, want 200 %s", method, path, w.Code, w.Body, body)
	}
}

// refuse checks that a request fails with want and changes nothing.
func (m *machine) refuse(t *testing.T, method, path string, want *api.Error) {
	t.Helper()
	before := m.dump(t)
	w := m.call(method, path)
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %.80s: %d %s: %v", method, path, w.Code, w.Body, err)
	}
	if w.Code != web.Status(want) || p.Status != w.Code || p.Type != want.Type() || p.Title != want.Title || p.RequestID == "" {
		t.Errorf("%s %.80s: %d %+v, want %s", method, path, w.Code, p, want.Name)
	}
	if after := m.dump(t); !maps.Equal(before, after) {
		t.Errorf("%s %.80s has changed\n%v to\n%v", method, path, before, after)
	}
}

func (m *machine) dump(t *testing.T) testredis.State {
	t.Helper()
	all := testredis.State{}
	for _, s := range m.shards {
		maps.Copy(all, s.Dump(t))
	}
	return all
}

// create makes a user with some credit.
func (m *machine) create(t *testing.T, credit int64) string {
	t.Helper()
	w := m.call("POST", "/create_user")
	var answer created
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != 200 || err != nil {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	if credit > 0 {
		m.want(t, "POST", fmt.Sprintf("/add_funds/%s/%d", answer.UserID, credit), `{"done":true}`)
	}
	return answer.UserID
}

func (m *machine) credit(t *testing.T, id string, want int64) {
	t.Helper()
	m.want(t, "GET", "/find_user/"+id, fmt.Sprintf(`{"user_id":%q,"credit":%d}`, id, want))
}

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, service, newMachine(t, 1).srv.Public.Routes())
}

func TestUsers(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 2)
	seen := map[int]bool{}
	for range 4 {
		id := m.create(t, 0)
		at, ok := shard.Of(id)
		if !ok {
			t.Fatalf("%s was not minted", id)
		}
		seen[at] = true
		m.credit(t, id, 0)
		m.want(t, "POST", "//add_funds//"+id+"/1000000000000", `{"done":true}`)
		m.want(t, "POST", "/pay/"+id+"/999999999999", fmt.Sprintf(`{"msg":"user %s paid 999999999999"}`, id))
		m.credit(t, id, 1)
		m.refuse(t, "POST", "/pay/"+id+"/2", api.InsufficientCredit)
	}
	if len(seen) != 2 {
		t.Errorf("four users are on %d of 2 shards", len(seen))
	}
	m.want(t, "GET", "/", `{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
	m.want(t, "GET", "/ping", `{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
}

func TestBalanceLimit(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	id := m.create(t, 10)
	m.order.says(api.NotPaid)
	m.want(t, "POST", "/pay/"+id+"/A/10", fmt.Sprintf(`{"msg":"user %s paid 10 for order A"}`, id))
	if err := m.shards[0].Client.Set(t.Context(), "{p0}u:"+id, int64(api.MaxBalance-5), 0).Err(); err != nil {
		t.Fatal(err)
	}
	m.refuse(t, "POST", "/add_funds/"+id+"/6", api.BalanceLimit)
	m.refuse(t, "POST", "/cancel/"+id+"/A", api.BalanceLimit)
	if asked := m.order.asked(); len(asked) != 0 {
		t.Errorf("a cancel that is refused has begun: %v", asked)
	}
	m.want(t, "POST", "/add_funds/"+id+"/5", `{"done":true}`)
	m.credit(t, id, api.MaxBalance)
	m.refuse(t, "POST", "/add_funds/"+id+"/1", api.BalanceLimit)
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
	m := newMachine(t, 2)
	m.order.says(api.Paid)
	id := m.create(t, 10)
	m.want(t, "POST", "/pay/"+id+"/A/4", fmt.Sprintf(`{"msg":"user %s paid 4 for order A"}`, id))
	m.want(t, "POST", "/batch_init/3/7", `{"msg":"Batch init for users successful"}`)
	for _, n := range append(notNumbers, "0", "00") {
		m.refuse(t, "POST", "/add_funds/"+id+"/"+n, api.InvalidNumber)
		m.refuse(t, "POST", "/pay/"+id+"/"+n, api.InvalidNumber)
		m.refuse(t, "POST", "/pay/"+id+"/A/"+n, api.InvalidNumber)
		m.refuse(t, "POST", "/pay/"+id+"/B/"+n, api.InvalidNumber)
		m.refuse(t, "POST", "/batch_init/"+n+"/5", api.InvalidNumber)
	}
	for _, n := range notNumbers {
		m.refuse(t, "POST", "/batch_init/3/"+n, api.InvalidNumber)
	}
	m.refuse(t, "POST", "/batch_init/10000001/5", api.InvalidNumber)
	m.refuse(t, "POST", "/pay/"+id+"/"+strings.Repeat("x", api.MaxIDLength+1)+"/1", api.BadRequest)
	for _, other := range append(noIDs, strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), id+"0", id[1:], "%7B"+id+"%7D") {
		m.refuse(t, "GET", "/find_user/"+other, api.UserNotFound)
		m.refuse(t, "POST", "/add_funds/"+other+"/1", api.UserNotFound)
		m.refuse(t, "POST", "/pay/"+other+"/1", api.UserNotFound)
		m.refuse(t, "POST", "/pay/"+other+"/A/1", api.UserNotFound)
		m.refuse(t, "POST", "/cancel/"+other+"/A", api.UserNotFound)
		m.refuse(t, "GET", "/status/"+other+"/A", api.UserNotFound)
		m.refuse(t, "POST", "/status/"+other+"/A", api.UserNotFound)
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
				m.refuse(t, method, path, api.WrongMethod)
			}
		}
		if path != "/" {
			m.refuse(t, "POST", path+"/", api.RouteNotFound)
		}
	}
	for _, path := range []string{"/find_user", "/find_user/", "/add_funds/" + id, "/add_funds/" + id + "/", "/pay/" + id, "/pay/" + id + "/", "/pay/" + id + "/A/1/1",
		"/cancel/" + id, "/cancel/" + id + "/", "/status/" + id, "/batch_init/1", "/create_user/1", "/internal/reserve", "/internal/placement", "/healthz",
		"/readyz", "/debug/pprof/", "/drop-database", "/redis-exec"} {
		m.refuse(t, "POST", path, api.RouteNotFound)
	}
}

func TestBatchInit(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 2)
	m.order.says(api.OrderMissing)
	m.want(t, "POST", "/batch_init/2503/7", `{"msg":"Batch init for users successful"}`)
	for _, id := range []string{"0", "1", "999", "1000", "2502"} {
		m.credit(t, id, 7)
	}
	m.refuse(t, "GET", "/find_user/2503", api.UserNotFound)
	for i, s := range m.shards {
		users, err := s.Client.Keys(t.Context(), fmt.Sprintf("{p%d}u:*", i)).Result()
		if err != nil || len(users) != 1252-i {
			t.Errorf("shard %d holds %d users, %v", i, len(users), err)
		}
	}
	m.want(t, "POST", "/pay/1/A/3", `{"msg":"user 1 paid 3 for order A"}`)
	m.want(t, "POST", "/batch_init/2/0", `{"msg":"Batch init for users successful"}`)
	m.credit(t, "0", 0)
	m.credit(t, "1", 0)
	m.credit(t, "2", 7)
	m.refuse(t, "POST", "/cancel/1/A", api.OrderNotFound) // the payment is forgotten
	m.batchAllowed = false
	m.refuse(t, "POST", "/batch_init/2/1", api.BatchDisabled)
}

// What needs a shard that is away is unavailable, with a hint to come back; everything else goes on.
func TestShardAway(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 2)
	m.order.says(api.Paid)
	m.want(t, "POST", "/batch_init/2/7", `{"msg":"Batch init for users successful"}`)
	m.shards[1].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(m.db.Unavailable()) == 1 })
	for path, method := range map[string]string{"/find_user/1": "GET", "/add_funds/1/1": "POST", "/pay/1/1": "POST", "/pay/1/A/1": "POST",
		"/cancel/1/A": "POST", "/status/1/A": "GET", "/batch_init/2/7": "POST"} {
		w := m.call(method, path)
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

func TestInternalDoor(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		m.srv.Internal.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
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
