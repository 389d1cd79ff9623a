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
	"checkout/common/web"
	"checkout/test/contract"
)

// instance is an instance of stock.
type instance struct{ *servicetest.Instance }

func newInstance(t *testing.T, shards int) instance {
	return instance{servicetest.New(t, definition, shards)}
}

// create creates an item and returns its ID.
func (stock instance) create(t *testing.T, price int64) string {
	t.Helper()
	w := stock.Call("POST", fmt.Sprintf("/item/create/%d", price))
	var response created
	if err := json.Unmarshal(w.Body.Bytes(), &response); w.Code != 200 || err != nil {
		t.Fatalf("create an item: got %d %s, want 200 and an ID", w.Code, w.Body)
	}
	return response.ItemID
}

func TestItemsAreSpreadOverTheShards(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 2)
	seen := map[int]bool{}
	for price := range int64(4) {
		id := stock.create(t, price)
		at, ok := shard.Of(id)
		if !ok {
			t.Fatalf("create: got the ID %s, want a minted one", id)
		}
		seen[at] = true
		stock.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"item_id":%q,"price":%d,"stock":0}`, id, price))
		stock.Want(t, "POST", "/add/"+id+"/1000000000000", fmt.Sprintf(`{"msg":"1000000000000 added to item %s"}`, id))
		stock.Want(t, "POST", "/subtract/"+id+"/999999999999",
			fmt.Sprintf(`{"msg":"999999999999 subtracted from item %s"}`, id))
		stock.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"item_id":%q,"price":%d,"stock":1}`, id, price))
		stock.Refuse(t, "POST", "/subtract/"+id+"/2", api.InsufficientStock)
		stock.Want(t, "POST", "/subtract/"+id+"/1", fmt.Sprintf(`{"msg":"1 subtracted from item %s"}`, id))
	}
	if len(seen) != 2 {
		t.Errorf("4 items are on %d of 2 shards, want both", len(seen))
	}
	stock.Want(t, "GET", "/", `{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
	stock.Want(t, "GET", "/ping",
		`{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
}

func TestAddRejectsStockAboveTheLimit(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 1)
	id := stock.create(t, 1)
	if err := stock.Shards[0].Client.Set(t.Context(), "{s0}i:"+id, int64(api.MaxBalance-5), 0).Err(); err != nil {
		t.Fatal(err)
	}
	stock.Refuse(t, "POST", "/add/"+id+"/6", api.BalanceLimit)
	stock.Want(t, "POST", "/add/"+id+"/5", fmt.Sprintf(`{"msg":"5 added to item %s"}`, id))
	stock.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"item_id":%q,"price":1,"stock":9007199254740991}`, id))
	stock.Refuse(t, "POST", "/add/"+id+"/1", api.BalanceLimit)
}

func TestInvalidInputChangesNothing(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 2)
	id := stock.create(t, 5)
	stock.Want(t, "POST", "/add/"+id+"/10", fmt.Sprintf(`{"msg":"10 added to item %s"}`, id))
	stock.Want(t, "POST", "/batch_init/3/7/2", `{"msg":"Batch init for stock successful"}`)
	for _, n := range servicetest.NotNumbers {
		stock.Refuse(t, "POST", "/item/create/"+n, api.InvalidNumber)
		stock.Refuse(t, "POST", "/batch_init/3/"+n+"/5", api.InvalidNumber)
		stock.Refuse(t, "POST", "/batch_init/3/5/"+n, api.InvalidNumber)
	}
	for _, n := range append([]string{"0", "00"}, servicetest.NotNumbers...) {
		stock.Refuse(t, "POST", "/add/"+id+"/"+n, api.InvalidNumber)
		stock.Refuse(t, "POST", "/subtract/"+id+"/"+n, api.InvalidNumber)
		stock.Refuse(t, "POST", "/batch_init/"+n+"/5/5", api.InvalidNumber)
	}
	stock.Refuse(t, "POST", "/batch_init/10001/5/5", api.InvalidNumber)
	for _, other := range servicetest.NotIDs(id, "{s0}i:0") {
		stock.Refuse(t, "GET", "/find/"+other, api.ItemNotFound)
		stock.Refuse(t, "POST", "/add/"+other+"/1", api.ItemNotFound)
		stock.Refuse(t, "POST", "/subtract/"+other+"/1", api.ItemNotFound)
	}
	routes := map[string]string{
		"/": "GET", "/ping": "GET", "/item/create/5": "POST", "/find/" + id: "GET", "/add/" + id + "/1": "POST",
		"/subtract/" + id + "/1": "POST", "/batch_init/1/1/1": "POST",
	}
	for path, allowed := range routes {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
			if method != allowed {
				stock.Refuse(t, method, path, api.WrongMethod)
			}
		}
		if path != "/" {
			stock.Refuse(t, allowed, path+"/", api.RouteNotFound)
			stock.Refuse(t, allowed, path+"/1", api.RouteNotFound)
		}
	}
	for _, path := range []string{
		"/item/create", "/item/create/", "/find", "/find/", "/add/" + id, "/add/" + id + "/", "/add//1", "/subtract/" + id,
		"/batch_init/1/1", "/internal/reserve", "/internal/prices", "/healthz", "/readyz", "/debug/pprof/",
		"/drop-database", "/redis-exec",
	} {
		stock.Refuse(t, "POST", path, api.RouteNotFound)
	}
}

func TestBatchInitOverwritesItems(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 2)
	stock.Want(t, "POST", "/batch_init/2503/7/2", `{"msg":"Batch init for stock successful"}`)
	for _, id := range []string{"0", "1", "999", "1000", "2502"} {
		stock.Want(t, "GET", "/find/"+id, fmt.Sprintf(`{"item_id":%q,"price":2,"stock":7}`, id))
	}
	stock.Refuse(t, "GET", "/find/2503", api.ItemNotFound)
	for i, s := range stock.Shards {
		items, err := s.Client.Keys(t.Context(), fmt.Sprintf("{s%d}i:*", i)).Result()
		if err != nil || len(items) != 1252-i {
			t.Errorf("shard %d holds %d items, error %v; want %d", i, len(items), err, 1252-i)
		}
	}
	stock.Want(t, "POST", "/subtract/1/3", `{"msg":"3 subtracted from item 1"}`)
	stock.Want(t, "POST", "/batch_init/2/0/0", `{"msg":"Batch init for stock successful"}`)
	stock.Want(t, "GET", "/find/0", `{"item_id":"0","price":0,"stock":0}`)
	stock.Want(t, "GET", "/find/1", `{"item_id":"1","price":0,"stock":0}`)
	stock.Want(t, "GET", "/find/2", `{"item_id":"2","price":2,"stock":7}`)
	forbidden := func(c *env.Config) { c.BatchInit = false }
	servicetest.New(t, definition, 1, forbidden).Refuse(t, "POST", "/batch_init/2/1/1", api.BatchDisabled)
}

// Requests for a shard that is down fail with 503 and Retry-After. All other requests succeed.
func TestDownShardFailsOnlyItsRequests(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 2)
	stock.Want(t, "POST", "/batch_init/2/7/2", `{"msg":"Batch init for stock successful"}`)
	stock.KillShard(t, 1)
	for path, method := range map[string]string{"/find/1": "GET", "/add/1/1": "POST", "/subtract/1/1": "POST",
		"/batch_init/2/7/2": "POST"} {
		stock.WantUnavailable(t, method, path)
	}
	stock.Want(t, "GET", "/find/0", `{"item_id":"0","price":2,"stock":7}`)
	stock.Want(t, "GET", "/ping",
		`{"service":"stock","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":false}]}`)
	for range 4 {
		if at, _ := shard.Of(stock.create(t, 1)); at != 0 {
			t.Errorf("an item was created on shard %d, which is down", at)
		}
	}
	stock.KillShard(t, 0)
	stock.WantUnavailable(t, "POST", "/item/create/5")
}

func TestPricesReportsEachItem(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 2)
	post := func(body string) *httptest.ResponseRecorder {
		return stock.CallInternal("POST", "/internal/prices", body)
	}
	stock.Want(t, "POST", "/batch_init/2/7/2", `{"msg":"Batch init for stock successful"}`)
	a, b := stock.create(t, 5), stock.create(t, 1000000000000)
	body := fmt.Sprintf(`[%q,"x",%q,"0","1","2",%q]`, a, b, a)
	want := `[{"code":1,"price":5},{"code":2,"price":0},{"code":1,"price":1000000000000},{"code":1,"price":2},` +
		`{"code":1,"price":2},{"code":2,"price":0},{"code":1,"price":5}]`
	if w := post(body); w.Code != 200 || w.Body.String() != want {
		t.Errorf("prices: got %d %s, want 200 %s", w.Code, w.Body, want)
	}
	for _, bad := range []string{"", "{}", "[1]", "[", "[" + strings.Repeat(`"0",`, web.MaxEntries) + `"0"]`} {
		if w := post(bad); w.Code != 400 {
			t.Errorf("prices with the body %.20s: got %d %s, want 400", bad, w.Code, w.Body)
		}
	}
	stock.Shards[1].Kill()
	if w := post(`["0","1","x"]`); w.Body.String() != `[{"code":1,"price":2},{"code":0,"price":0},{"code":2,"price":0}]` {
		t.Errorf("prices with shard 1 down: got %d %s, want code 0 (PriceUnknown) for item 1", w.Code, w.Body)
	}
}

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, definition.Name, newInstance(t, 1).Public.Routes())
}

func TestInternalPortReportsShardMapAndReadiness(t *testing.T) {
	t.Parallel()
	stock := newInstance(t, 1)
	stock.WantInternal(t, "/internal/placement", 200,
		`{"service":"stock","shards":1,"modulus":1,"identities":["`+stock.Cluster.Identities()[0]+`"]}`)
	stock.WantInternal(t, "/readyz", 200, `{"ready":true}`)
	stock.KillShard(t, 0)
	stock.WantInternal(t, "/readyz", 503, `{"ready":false,"missing":["shard 0"]}`)
	stock.WantInternal(t, "/healthz", 200, `{"status":"alive"}`)
}
