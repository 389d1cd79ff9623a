package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
)

func TestCartScripts(t *testing.T) {
	s, client := openStore(t)
	addItem := func(item string, quantity, price int64) func(context.Context) error {
		return func(ctx context.Context) error { return s.AddItem(ctx, nil, id, item, quantity, price) }
	}
	removeItem := func(item string, quantity int64) func(context.Context) error {
		return func(ctx context.Context) error { return s.RemoveItem(ctx, nil, id, item, quantity) }
	}
	create := func(ctx context.Context) error { return s.Create(ctx, nil, id, "U") }
	remove := func(ctx context.Context) error { return s.Remove(ctx, nil, id) }
	full := "o:O " + manyItems(api.MaxItems) + " k=1000 q=1000 s=OPEN t=0 u=U"
	inState := func(state string) string { return strings.Replace(openOrder, "OPEN", state, 1) }
	for _, r := range []struct {
		name   string
		before string
		call   func(context.Context) error
		want   error
		after  string
	}{
		{"create DONE", "", create, nil, emptyOrder + "\norders O at 0\norders:U O at 0"},
		{"create TAKEN", openOrder, create, ErrTaken, openOrder},
		{"add_item NOT_FOUND", "", addItem("x", 1, 5), api.OrderNotFound, ""},
		{"add_item DONE", emptyOrder, addItem("x", 3, 5), nil, "o:O i:x=3@5 k=1 q=3 s=OPEN t=15 u=U"},
		{"add_item DONE, another item", openOrder, addItem("z", 1, 0), nil,
			"o:O i:x=2@5 i:y=1@7,3@8 i:z=1@0 k=3 q=7 s=OPEN t=41 u=U"},
		{"add_item DONE, more pieces", openOrder, addItem("x", 1, 5), nil,
			"o:O i:x=3@5 i:y=1@7,3@8 k=2 q=7 s=OPEN t=46 u=U"},
		{"add_item DONE, another price", openOrder, addItem("x", 1, 50), nil,
			"o:O i:x=2@5,1@50 i:y=1@7,3@8 k=2 q=7 s=OPEN t=91 u=U"},
		{"add_item DONE, one of two prices", openOrder, addItem("y", 2, 7), nil,
			"o:O i:x=2@5 i:y=3@7,3@8 k=2 q=8 s=OPEN t=55 u=U"},
		{"add_item DONE, a price that is the prefix of another", "o:O i:x=2@50 k=1 q=2 s=OPEN t=100 u=U",
			addItem("x", 1, 5), nil, "o:O i:x=2@50,1@5 k=1 q=3 s=OPEN t=105 u=U"},
		{"add_item NOT_OPEN, RUNNING", inState("RUNNING"), addItem("x", 1, 5), api.OrderNotOpen, inState("RUNNING")},
		{"add_item NOT_OPEN, ABORTING", inState("ABORTING"), addItem("x", 1, 5), api.OrderNotOpen, inState("ABORTING")},
		{"add_item NOT_OPEN, PAID", inState("PAID"), addItem("x", 1, 5), api.OrderNotOpen, inState("PAID")},
		{"add_item FULL, items", full, addItem("new", 1, 5), api.CartFull, full},
		{"add_item DONE, an item of a full cart", full, addItem("i0000", 1, 0), nil,
			strings.Replace(strings.Replace(full, "i:i0000=1@0", "i:i0000=2@0", 1), "q=1000", "q=1001", 1)},
		{"add_item DONE, up to the maximum of pieces", openOrder, addItem("x", api.MaxPieces-6, 5), nil,
			"o:O i:x=9996@5 i:y=1@7,3@8 k=2 q=10000 s=OPEN t=50011 u=U"},
		{"add_item FULL, pieces", openOrder, addItem("x", api.MaxPieces-5, 5), api.CartFull, openOrder},
		{"add_item DONE, up to the largest total", "o:O k=0 q=0 s=OPEN t=7199254740991 u=U", addItem("x", 9000, 1e12), nil,
			"o:O i:x=9000@1000000000000 k=1 q=9000 s=OPEN t=9007199254740991 u=U"},
		{"add_item LIMIT", "o:O k=0 q=0 s=OPEN t=7199254740992 u=U", addItem("x", 9000, 1e12), api.BalanceLimit,
			"o:O k=0 q=0 s=OPEN t=7199254740992 u=U"},
		{"remove_item NOT_FOUND", "", removeItem("x", 1), api.OrderNotFound, ""},
		{"remove_item DONE", openOrder, removeItem("x", 1), nil, "o:O i:x=1@5 i:y=1@7,3@8 k=2 q=5 s=OPEN t=36 u=U"},
		{"remove_item DONE, all pieces", openOrder, removeItem("x", 2), nil, "o:O i:y=1@7,3@8 k=1 q=4 s=OPEN t=31 u=U"},
		{"remove_item DONE, pieces of two prices", openOrder, removeItem("y", 4), nil,
			"o:O i:x=2@5 k=1 q=2 s=OPEN t=10 u=U"},
		{"remove_item DONE, the last price", openOrder, removeItem("y", 3), nil,
			"o:O i:x=2@5 i:y=1@7 k=2 q=3 s=OPEN t=17 u=U"},
		{"remove_item NOT_IN_ORDER", openOrder, removeItem("z", 1), api.ItemNotInOrder, openOrder},
		{"remove_item TOO_FEW", openOrder, removeItem("y", 5), api.TooFewInOrder, openOrder},
		{"remove_item NOT_OPEN", inState("PAID"), removeItem("x", 1), api.OrderNotOpen, inState("PAID")},
		{"remove DONE", openOrder, remove, nil, ""},
		{"remove DONE, leaves the lists", openOrder + "\norders O at 0\norders:U O at 0", remove, nil, ""},
		{"remove NOT_FOUND", "", remove, api.OrderNotFound, ""},
		{"remove NOT_OPEN, RUNNING", inState("RUNNING"), remove, api.OrderNotOpen, inState("RUNNING")},
		{"remove NOT_OPEN, CANCELLED", inState("CANCELLED"), remove, api.OrderNotOpen, inState("CANCELLED")},
	} {
		t.Run(r.name, func(t *testing.T) {
			now := time.Now()
			restore(t, client, r.before, now)
			if err := r.call(context.Background()); !errors.Is(err, r.want) {
				t.Errorf("%s: got the error %v, want %v", r.name, err, r.want)
			}
			if after := snapshot(t, client, now); after != r.after {
				t.Errorf("after the call:\n%s\nwant\n%s", after, r.after)
			}
		})
	}
}

func manyItems(n int) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf("i:i%04d=1@0", i))
	}
	return strings.Join(items, " ")
}

func TestBatchInitOverwritesUnlessUndecided(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	if err := s.BatchInit(ctx, 1200, 10, 20, 3); err != nil {
		t.Fatal(err)
	}
	for _, number := range []int{0, 1, 499, 500, 1199} {
		o, err := s.Find(ctx, shard.FormatDecimal(number))
		if err != nil || o.State != StateOpen || o.Total != 6 || len(o.Lines) != 2 ||
			o.Lines[0].ItemID == o.Lines[1].ItemID || o.Lines[0].Price != 3 {
			t.Errorf("find order %d: got %+v, %v; want two lines with a total of 6", number, o, err)
		}
	}
	if _, err := s.Find(ctx, "1200"); !errors.Is(err, api.OrderNotFound) {
		t.Errorf("find order 1200: got %v, want order-not-found", err)
	}
	if a, err := s.Begin(ctx, "7", "A", ""); err != nil || a.Code != CodeStarted {
		t.Fatalf("begin: got %+v, %v; want STARTED", a, err)
	}
	before := client.HGetAll(ctx, "{o0}o:8").Val()
	if err := s.BatchInit(ctx, 1200, 10, 20, 3); !errors.Is(err, api.BatchUndecided) {
		t.Errorf("batch_init of a running order: got %v, want batch-undecided", err)
	}
	if after := client.HGetAll(ctx, "{o0}o:8").Val(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("a rejected batch_init has changed order 8 from %v to %v", before, after)
	}
	if err := s.BatchInit(ctx, 5, 10, 20, 3); err != nil {
		t.Errorf("batch_init of other orders: got %v, want success", err)
	}
	// A checkout may begin after BatchInit's check, so the script "batch_init" checks the orders again. Batch B has the
	// marker, but order 7 is undecided. Batch C has lost the marker, so a later batch_init may have written the orders.
	const marker = "{o0}overwriting"
	client.Set(ctx, marker, "B", 0)
	for _, row := range []struct {
		batch, second string
		want          int64
	}{{"B", "7", cartUndecided}, {"C", "8", cartInterrupted}} {
		keys := []string{"{o0}o:6", "{o0}o:" + row.second, marker}
		reply, err := s.Shards()[0].Run(ctx, batchInitScript, keys, row.batch, 1, 0, 0, 1, 0, 0, 1)
		if err != nil || reply.Int(0) != row.want {
			t.Errorf("the script \"batch_init\" of batch %s returned %d (%v), want %d", row.batch, reply.Int(0), err, row.want)
		}
	}
	if o, _ := s.Find(ctx, "6"); o.Total != 6 {
		t.Errorf("order 6 was overwritten: got %+v, want the total 6", o)
	}
}

// After shards were added, batch_init deletes every order with a decimal ID. batch_init must not delete an undecided
// order, because the reservations of that order would have no owner.
func TestBatchInitAfterGrowthKeepsUndecidedOrders(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, Scripts)
	ctx, s := context.Background(), New(c)
	if err := s.BatchInit(ctx, 1200, 10, 20, 3); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Begin(ctx, "1100", "A", ""); err != nil || a.Code != CodeStarted {
		t.Fatalf("begin: got %+v, %v; want STARTED", a, err)
	}
	s = New(testredis.Connect(t, "order", append(servers, testredis.Start(t)), Scripts))
	before := servers[0].Dump(t)
	if err := s.BatchInit(ctx, 5, 10, 20, 3); !errors.Is(err, api.BatchUndecided) ||
		!strings.Contains(err.Error(), "order 1100") {
		t.Errorf("batch_init that would delete a running order: got %v, want batch-undecided for order 1100", err)
	}
	if after := servers[0].Dump(t); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Error("a rejected batch_init has changed the shard")
	}
	// A checkout may begin after BatchInit's check, so the script "delete" checks the orders again.
	const marker = "{o0}overwriting"
	servers[0].Client.Set(ctx, marker, "B", 0)
	keys := []string{"{o0}o:1099", "{o0}o:1100", marker}
	for batch, want := range map[string]int64{"B": cartUndecided, "C": cartInterrupted} {
		reply, err := s.Shards()[0].Run(ctx, deleteScript, keys, batch)
		if err != nil || reply.Int(0) != want || servers[0].Client.Exists(ctx, keys[0], keys[1]).Val() != 2 {
			t.Errorf("the script \"delete\" of batch %s returned %d (%v), want %d and both orders",
				batch, reply.Int(0), err, want)
		}
	}
	servers[0].Client.Del(ctx, marker)
	for _, step := range []func() (Result, error){
		func() (Result, error) { return s.Abort(ctx, "1100", "A", "given-up", Steps{}) },
		func() (Result, error) { return s.Close(ctx, "1100", "A") },
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.BatchInit(ctx, 5, 10, 20, 3); err != nil {
		t.Errorf("batch_init of decided orders: got %v, want success", err)
	}
	if _, err := s.Find(ctx, "1100"); !errors.Is(err, api.OrderNotFound) {
		t.Errorf("find order 1100 after batch_init: got %v, want order-not-found", err)
	}
}

// If batch_init chooses one item twice for an order, the order has one line of two pieces.
func TestBatchInitMergesEqualItems(t *testing.T) {
	s, _ := openStore(t)
	ctx := context.Background()
	if err := s.BatchInit(ctx, 3, 1, 1, 1e12); err != nil {
		t.Fatal(err)
	}
	o, err := s.Find(ctx, "2")
	if err != nil || len(o.Lines) != 1 || o.Lines[0] != (api.OrderLine{ItemID: "0", Quantity: 2, Price: 1e12}) ||
		o.Total != 2e12 || o.User != "0" {
		t.Errorf("find order 2: got %+v, %v; want user 0, and one line: item 0, 2 pieces at 1e12", o, err)
	}
}
