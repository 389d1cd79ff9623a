package store

import (
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"checkout/common/list"
	"checkout/common/shard"
)

// openUnreadable returns a store with one readable order and three unreadable ones: one key has the wrong type, one
// field "dl" is not a number, and one field "t" is not a number. All four orders are undecided.
func openUnreadable(t *testing.T) (s *Store, readable string) {
	t.Helper()
	s, client := openStore(t)
	var ids []string
	for i := range 4 {
		id := shard.Mint(0)
		ids = append(ids, id)
		client.HSet(t.Context(), "{o0}o:"+id, "s", StateRunning, "a", "A", "u", "U", "t", 1, "q", 1, "k", 1,
			"dl", time.Now().UnixMilli(), "by", "dead")
		client.ZAdd(t.Context(), "{o0}undecided", goredis.Z{Score: float64(i), Member: id})
		client.ZAdd(t.Context(), "{o0}orders", goredis.Z{Member: id})
	}
	client.Set(t.Context(), "{o0}o:"+ids[0], "a string", 0)
	client.HSet(t.Context(), "{o0}o:"+ids[1], "dl", "soon", "h", "B")
	client.HSet(t.Context(), "{o0}o:"+ids[2], "t", "much")
	return s, ids[3]
}

// The backlog counts all four orders and lists two of them: the order with a wrong field "t", and the readable order.
// The backlog does not read the field "t".
func TestBacklogWithUnreadableOrders(t *testing.T) {
	s, readable := openUnreadable(t)
	got, err := s.Backlog(t.Context(), s.Shards()[0], 10)
	if err != nil || got.Undecided != 4 || len(got.Orders) != 2 || got.Orders[1].OrderID != readable {
		t.Errorf("got %+v, %v; want 4 undecided orders and a list of two, the second %s", got, err, readable)
	}
}

func TestOrphansWithUnreadableOrders(t *testing.T) {
	s, _ := openUnreadable(t)
	got, err := s.Orphans(t.Context(), s.Shards()[0], Incarnations{"me": true})
	if err != nil || len(got["dead"]) != 3 {
		t.Errorf("got the orphans %v, %v; want the three orders of \"dead\"", got, err)
	}
}

// Lists skip unreadable orders, even if a page would end at such an order.
func TestListsSkipUnreadableOrders(t *testing.T) {
	s, readable := openUnreadable(t)
	for _, state := range []string{"", Undecided} {
		var found []string
		for page := (list.Page{Limit: 1}); ; {
			got, err := s.List(t.Context(), Query{State: state}, page)
			if err != nil {
				t.Fatalf("list the orders with state %q: %v", state, err)
			}
			for _, o := range got.Data {
				found = append(found, o.ID)
			}
			if !got.HasMore {
				break
			}
			if page.After, err = list.ParseCursor(got.NextCursor, list.IsID); err != nil {
				t.Fatal(err)
			}
		}
		if want := fmt.Sprint([]string{readable}); fmt.Sprint(found) != want {
			t.Errorf("list with state %q: got the orders %v, want %s", state, found, want)
		}
	}
}
