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

type instance struct{ *servicetest.Instance }

func newInstance(t *testing.T, shards int) instance {
	return instance{servicetest.New(t, definition, shards)}
}

func (m instance) create(t *testing.T, price int64) string {
	t.Helper()
	w := m.Call("POST", fmt.Sprintf("/item/create/%d", price))
	var answer created
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != 200 || err != nil {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	return answer.ItemID
}

func TestItems(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	seen := map[int]bool{}
	for price := range int64(4) {
		id := m.create(t, price)
		at, ok := shard.Of(id)
		if !ok {
			t.Fatalf("%s was not minted", id)
		}
		seen[at] = true
		m.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"price":%d,"stock":0}`, price))
		m.Want(t, "POST", "/add/"+id+"/1000000000000", fmt.Sprintf(`{"msg":"1000000000000 added to item %s"}`, id))
		m.Want(t, "POST", "//subtract/"+id+"//999999999999", fmt.Sprintf(`{"msg":"999999999999 subtracted from item %s"}`, id))
		m.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"price":%d,"stock":1}`, price))
		m.Refuse(t, "POST", "/subtract/"+id+"/2", api.InsufficientStock)
		m.Want(t, "POST", "/subtract/"+id+"/1", fmt.Sprintf(`{"msg":"1 subtracted from item %s"}`, id))
	}
	if len(seen) != 2 {
		t.Errorf("four items are on %d of 2 shards", len(seen))
	}
	m.Want(t, "GET", "/", `{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
	m.Want(t, "GET", "/ping", `{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
}

func TestBalanceLimit(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	id := m.create(t, 1)
	if err := m.Shards[0].Client.Set(t.Context(), "{s0}i:"+id, int64(api.MaxBalance-5), 0).Err(); err != nil {
		t.Fatal(err)
	}
	m.Refuse(t, "POST", "/add/"+id+"/6", api.BalanceLimit)
	m.Want(t, "POST", "/add/"+id+"/5", fmt.Sprintf(`{"msg":"5 added to item %s"}`, id))
	m.Want(t, "GET", "/find/"+id, `{"price":1,"stock":9007199254740991}`)
	m.Refuse(t, "POST", "/add/"+id+"/1", api.BalanceLimit)
}

// In the path of a request, percent-encoded where they must be.
var (
	notNumbers = []string{"x", "1.5", "1.0", "1e3", "0x10", "%2B5", "1_000", "NaN", "%20", "%205", "5%20", "5%0a", "%ff", "%EF%BC%95", "--1", "-0",
		"-1", "-9223372036854775808", "1000000000001", "9007199254740992", "9223372036854775808", "18446744073709551621", strings.Repeat("9", 300)}
	noIDs = []string{"x", "99", "-1", "01", "%2B1", "1.0", "10000000", "undefined", "%20", "%C3%A9", "i:0", "%7Bs0%7Di:0", "batch", "%0d%0aSET",
		strings.Repeat("x", 300), strings.Repeat("9", 300), shard.Mint(0), shard.Mint(1), shard.Mint(7), shard.Mint(65535),
		"00000000-0000-0000-0000-000000000000", "3d1a1b5e-8f0c-4c57-9a52-0d6a9c1f0000"}
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	id := m.create(t, 5)
	m.Want(t, "POST", "/add/"+id+"/10", fmt.Sprintf(`{"msg":"10 added to item %s"}`, id))
	m.Want(t, "POST", "/batch_init/3/7/2", `{"msg":"Batch init for stock successful"}`)
	for _, n := range notNumbers {
		m.Refuse(t, "POST", "/item/create/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/batch_init/3/"+n+"/5", api.InvalidNumber)
		m.Refuse(t, "POST", "/batch_init/3/5/"+n, api.InvalidNumber)
	}
	for _, n := range append(notNumbers, "0", "00") {
		m.Refuse(t, "POST", "/add/"+id+"/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/subtract/"+id+"/"+n, api.InvalidNumber)
		m.Refuse(t, "POST", "/batch_init/"+n+"/5/5", api.InvalidNumber)
	}
	m.Refuse(t, "POST", "/batch_init/10000001/5/5", api.InvalidNumber)
	for _, other := range append(noIDs, strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), id+"0", id[1:], "%7B"+id+"%7D") {
		m.Refuse(t, "GET", "/find/"+other, api.ItemNotFound)
		m.Refuse(t, "POST", "/add/"+other+"/1", api.ItemNotFound)
		m.Refuse(t, "POST", "/subtract/"+other+"/1", api.ItemNotFound)
	}
	routes := map[string]string{"/": "GET", "/ping": "GET", "/item/create/5": "POST", "/find/" + id: "GET", "/add/" + id + "/1": "POST",
		"/subtract/" + id + "/1": "POST", "/batch_init/1/1/1": "POST"}
	for path, allowed := range routes {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if method != allowed {
				m.Refuse(t, method, path, api.WrongMethod)
			}
		}
		if path != "/" {
			m.Refuse(t, allowed, path+"/", api.RouteNotFound)
			m.Refuse(t, allowed, path+"/1", api.RouteNotFound)
		}
	}
	for _, path := range []string{"/item/create", "/item/create/", "/find", "/find/", "/add/" + id, "/add/" + id + "/", "/add//1", "/subtract/" + id,
		"/batch_init/1/1", "/internal/reserve", "/internal/prices", "/healthz", "/readyz", "/debug/pprof/", "/drop-database", "/redis-exec"} {
		m.Refuse(t, "POST", path, api.RouteNotFound)
	}
}

func TestBatchInit(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	m.Want(t, "POST", "/batch_init/2503/7/2", `{"msg":"Batch init for stock successful"}`)
	for _, id := range []string{"0", "1", "999", "1000", "2502"} {
		m.Want(t, "GET", "/find/"+id, `{"price":2,"stock":7}`)
	}
	m.Refuse(t, "GET", "/find/2503", api.ItemNotFound)
	for i, s := range m.Shards {
		items, err := s.Client.Keys(t.Context(), fmt.Sprintf("{s%d}i:*", i)).Result()
		if err != nil || len(items) != 1252-i {
			t.Errorf("shard %d holds %d items, %v", i, len(items), err)
		}
	}
	m.Want(t, "POST", "/subtract/1/3", `{"msg":"3 subtracted from item 1"}`)
	m.Want(t, "POST", "/batch_init/2/0/0", `{"msg":"Batch init for stock successful"}`)
	m.Want(t, "GET", "/find/0", `{"price":0,"stock":0}`)
	m.Want(t, "GET", "/find/1", `{"price":0,"stock":0}`)
	m.Want(t, "GET", "/find/2", `{"price":2,"stock":7}`)
	forbidden := func(c *env.Config) { c.BatchInit = false }
	servicetest.New(t, definition, 1, forbidden).Refuse(t, "POST", "/batch_init/2/1/1", api.BatchDisabled)
}

// What needs a shard that is away is unavailable, with a hint to come back; everything else goes on.
func TestShardAway(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	m.Want(t, "POST", "/batch_init/2/7/2", `{"msg":"Batch init for stock successful"}`)
	m.Shards[1].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(m.Cluster.Unavailable()) == 1 })
	for path, method := range map[string]string{"/find/1": "GET", "/add/1/1": "POST", "/subtract/1/1": "POST", "/batch_init/2/7/2": "POST"} {
		w := m.Call(method, path)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), api.Unavailable.Type()) {
			t.Errorf("%s %s: %d %v %s", method, path, w.Code, w.Header(), w.Body)
		}
	}
	m.Want(t, "GET", "/find/0", `{"price":2,"stock":7}`)
	m.Want(t, "GET", "/ping", `{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":false}]}`)
	for range 4 {
		if at, _ := shard.Of(m.create(t, 1)); at != 0 {
			t.Errorf("an item was made on shard %d, which is away", at)
		}
	}
	m.Shards[0].Kill()
	testredis.Eventually(t, "both shards are known to be down", func() bool { return len(m.Cluster.Unavailable()) == 2 })
	if w := m.Call("POST", "/item/create/5"); w.Code != 503 {
		t.Errorf("create without any shard: %d %s", w.Code, w.Body)
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 2)
	ask := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		m.Internal.ServeHTTP(w, httptest.NewRequest("POST", "/internal/prices", strings.NewReader(body)))
		return w
	}
	m.Want(t, "POST", "/batch_init/2/7/2", `{"msg":"Batch init for stock successful"}`)
	a, b := m.create(t, 5), m.create(t, 1000000000000)
	body := fmt.Sprintf(`[%q,"x",%q,"0","1","2",%q]`, a, b, a)
	want := `[{"code":1,"price":5},{"code":2,"price":0},{"code":1,"price":1000000000000},{"code":1,"price":2},{"code":1,"price":2},{"code":2,"price":0},{"code":1,"price":5}]`
	if w := ask(body); w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	for _, bad := range []string{"", "{}", "[1]", "[", "[" + strings.Repeat(`"0",`, maxPrices) + `"0"]`} {
		if w := ask(bad); w.Code != 400 {
			t.Errorf("%.20s: %d %s", bad, w.Code, w.Body)
		}
	}
	m.Shards[1].Kill()
	if w := ask(`["0","1","x"]`); w.Body.String() != `[{"code":1,"price":2},{"code":0,"price":0},{"code":2,"price":0}]` {
		t.Errorf("with a shard away: %d %s", w.Code, w.Body)
	}
}

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, definition.Name, newInstance(t, 1).Public.Routes())
}

func TestInternalPort(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		m.Internal.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := get("/internal/placement"); code != 200 || body != `{"service":"stock","shards":1,"modulus":1}` {
		t.Errorf("placement: %d %s", code, body)
	}
	if code, body := get("/readyz"); code != 200 || body != `{"ready":true}` {
		t.Errorf("ready: %d %s", code, body)
	}
	m.Shards[0].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(m.Cluster.Unavailable()) == 1 })
	if code, body := get("/readyz"); code != 503 || body != `{"ready":false,"missing":["shard 0"]}` {
		t.Errorf("not ready: %d %s", code, body)
	}
	if code, body := get("/healthz"); code != 200 || body != `{"status":"alive"}` {
		t.Errorf("healthy: %d %s", code, body)
	}
}
