package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/list"
	"checkout/common/service/servicetest"
	"checkout/common/shard"
)

// The function "pages" reads a list page by page, and returns the order IDs.
func pages(t *testing.T, s *servicetest.Instance, query string, limit int) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		path := fmt.Sprintf("/list?limit=%d&%s", limit, query)
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		var page api.List[api.OrderSummary]
		w := s.Call("GET", path)
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Data) > limit {
			t.Fatalf("%s: got %d %s, %v; want 200 and at most limit orders", path, w.Code, w.Body, err)
		}
		for _, order := range page.Data {
			ids = append(ids, order.OrderID)
		}
		if !page.HasMore {
			return ids
		}
		if cursor = page.NextCursor; cursor == "" || len(ids) > 1000 {
			t.Fatalf("%s: has_more without a next_cursor, or after more than 1,000 orders: %q", path, ids)
		}
	}
}

func TestListOrders(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 3)
	set := func(id, state string) {
		at, err := s.Cluster.Locate(id)
		if err != nil {
			t.Fatal(err)
		}
		client := s.Shards[at.Index].Client
		client.HSet(t.Context(), at.Key("o:"+id), "s", state, "a", "A", "by", "me", "dl", 1_764_410_030_000, "h", "BP3,6,9")
		if state == "RUNNING" {
			client.Do(t.Context(), "ZADD", at.Key("undecided"), 1, id)
		}
	}
	if w := s.Call("GET", "/list"); w.Code != 200 || w.Body.String() != `{"data":[],"has_more":false}` {
		t.Fatalf("list without orders: got %d %s, want 200 and an empty list", w.Code, w.Body)
	}
	var minted, ofU, paid, running []string
	for i := range 23 {
		user := string(rune('U' + i%2))
		var order created
		json.Unmarshal(s.Call("POST", "/create/"+user).Body.Bytes(), &order)
		minted = append(minted, order.OrderID)
		if user == "U" {
			ofU = append(ofU, order.OrderID)
		}
		switch i % 5 {
		case 1:
			set(order.OrderID, "PAID")
			paid = append(paid, order.OrderID)
		case 2:
			set(order.OrderID, "RUNNING")
			running = append(running, order.OrderID)
		}
	}
	s.Call("POST", "/batch_init/7/1/1/5")
	set("3", "PAID")
	set("5", "RUNNING")
	all := append(slices.Clone(minted), "0", "1", "2", "3", "4", "5", "6")
	removed := minted[20] // an OPEN order of U
	if w := s.Call("DELETE", "/remove/"+removed); w.Code != 200 {
		t.Fatalf("remove: got %d %s, want 200", w.Code, w.Body)
	}
	byU := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(ofU, id) })
	}
	for query, want := range map[string][]string{
		"":                          all,
		"user_id=U":                 ofU,
		"user_id=nobody":            nil,
		"state=PAID":                append(slices.Clone(paid), "3"),
		"state=undecided":           append(slices.Clone(running), "5"),
		"state=RUNNING":             append(slices.Clone(running), "5"),
		"state=CANCELLED":           nil,
		"state=ABORTING":            nil,
		"state=PAID&user_id=U":      byU(paid),
		"state=undecided&user_id=U": byU(running),
	} {
		want = slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id == removed })
		slices.SortFunc(want, list.Compare)
		for _, limit := range []int{1, 4, 100} {
			if got := pages(t, s, query, limit); !slices.Equal(got, want) {
				t.Errorf("%q, limit %d: got\n%q, want\n%q", query, limit, got, want)
			}
		}
	}
	last := minted[len(minted)-2]
	s.Want(t, "GET", "/list?user_id=V&limit=1", `{"data":[{"order_id":"`+last+`","user_id":"V","status":"PAID",`+
		`"total_cost":0,"pieces":0}],"has_more":true,"next_cursor":"`+list.Cursor(last)+`"}`)

	for path, want := range map[string]*api.Error{
		"/list?limit=0": api.InvalidNumber, "/list?cursor=x": api.BadRequest, "/list?state=paid": api.BadRequest,
		"/list?state=": api.BadRequest, "/list?user_id=": api.BadRequest,
		"/list?user_id=" + strings.Repeat("u", api.MaxIDLength+1): api.BadRequest,
	} {
		s.Refuse(t, "GET", path, want)
	}

	body := `{"user_id":"V","limit":2}`
	w := s.CallInternal("POST", "/internal/orders", body)
	var page api.List[api.PaidOrder]
	err := json.Unmarshal(w.Body.Bytes(), &page)
	if err != nil || w.Code != 200 || len(page.Data) != 2 || page.Data[0].OrderID != last || !page.HasMore ||
		page.Data[0].PaidAt != 1_764_410_000_009 || page.Data[0].RefundedAt != 0 {
		t.Errorf("purchases: got %d %s, %v; want 200, two orders (the newest paid at 1764410000009) and has_more",
			w.Code, w.Body, err)
	}
	for _, body := range []string{`{"limit":2}`, `{"user_id":"V"}`, `{"user_id":"V","limit":2,"cursor":"x"}`} {
		if w := s.CallInternal("POST", "/internal/orders", body); w.Code != 400 {
			t.Errorf("purchases of %s: %d %s, want 400", body, w.Code, w.Body)
		}
	}
	s.KillShard(t, 1)
	s.WantUnavailable(t, "GET", "/list")
	// The internal route responds with 200 even if a shard is unavailable. After a 503, payment would treat this instance
	// as unhealthy.
	w = s.CallInternal("POST", "/internal/orders", `{"user_id":"V","limit":2}`)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"unavailable":true`) {
		t.Errorf("purchases while a shard is unavailable: %d %s, want 200 and unavailable", w.Code, w.Body)
	}
}

// For a page of undecided orders, a shard sends little data, even if its set "undecided" has thousands of entries.
// Pages omit orders that do not exist.
func TestListOfManyUndecidedOrdersIsBounded(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 2)
	s.Call("POST", "/batch_init/5/1/1/5")
	want := []string{"4", "3"}
	for range 7 {
		var order created
		json.Unmarshal(s.Call("POST", "/create/U").Body.Bytes(), &order)
		want = append(want, order.OrderID)
	}
	slices.SortFunc(want, list.Compare)
	for _, id := range want {
		at, err := s.Cluster.Locate(id)
		if err != nil {
			t.Fatal(err)
		}
		client := s.Shards[at.Index].Client
		client.HSet(t.Context(), at.Key("o:"+id), "s", "RUNNING", "u", "U")
		client.ZAdd(t.Context(), at.Key("undecided"), redis.Z{Member: id})
	}
	check := func(when string) {
		for _, query := range []string{"state=undecided", "state=RUNNING&user_id=U"} {
			for _, limit := range []int{1, 3, 100} {
				if got := pages(t, s, query, limit); !slices.Equal(got, want) {
					t.Errorf("%s: %q, limit %d: got\n%q, want\n%q", when, query, limit, got, want)
				}
			}
		}
	}
	check("few undecided orders")
	many := make([]redis.Z, 20_000) // these orders do not exist
	for i := range many {
		many[i].Member = shard.Mint(1)
	}
	if err := s.Shards[1].Client.ZAdd(t.Context(), s.Cluster.Shards()[1].Key("undecided"), many...).Err(); err != nil {
		t.Fatal(err)
	}
	check("many undecided orders")
	sent := func() (bytes int) {
		info := s.Shards[1].Client.InfoMap(t.Context(), "stats").Item("Stats", "total_net_output_bytes")
		fmt.Sscan(info, &bytes)
		return bytes
	}
	before := sent()
	s.Call("GET", "/list?state=undecided&limit=1")
	if bytes := sent() - before; before == 0 || bytes > 100_000 {
		t.Errorf("a page made the shard send %d bytes, want at most 100,000", bytes)
	}
}

// With LISTS=0, the list routes are disabled, and the route "create" does not write the index that they read.
func TestListsAreDisabled(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1, func(c *env.Config) { c.Lists = false })
	if w := s.Call("POST", "/create/U"); w.Code != 200 {
		t.Fatalf("create: got %d %s, want 200", w.Code, w.Body)
	}
	s.Refuse(t, "GET", "/list", api.ListsDisabled)
	for key := range s.Dump(t) {
		if strings.Contains(key, "orders") {
			t.Errorf("create wrote %s, want no index", key)
		}
	}
}
