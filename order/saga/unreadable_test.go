package saga

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	goredis "github.com/redis/go-redis/v9"

	"checkout/common/shard"
	"checkout/order/store"
)

// Recovery counts undecided orders that it cannot read. They become due again later, so that recovery reaches the other
// orders. Entries of the set "undecided" that name no order are removed.
func TestUnreadableOrdersDoNotStopRecovery(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user, client := shard.Mint(0), shard.Mint(0), s.at("{o0}")
	id := s.order(user, map[string]int64{item: 1})
	begun, err := s.store.Begin(t.Context(), id, mintAttempt(""), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Abort(t.Context(), id, begun.Attempt, reasonTimeout, store.Steps{}); err != nil {
		t.Fatal(err)
	}
	client.ZAdd(t.Context(), "{o0}undecided", goredis.Z{Score: 2, Member: id})
	for i := range recoverBatch {
		unreadable := shard.Mint(0)
		s.set("{o0}o:"+unreadable, 1) // a string instead of a hash
		client.ZAdd(t.Context(), "{o0}undecided", goredis.Z{Score: 1, Member: unreadable},
			goredis.Z{Score: 1, Member: fmt.Sprint("no ID ", i)})
	}
	r := NewRecovery(s.co)
	for range 3 {
		r.recoverDue(t.Context(), s.store.Shards()[0])
	}
	if state := s.state(id); state != store.StateOpen {
		t.Errorf("the readable order is %s, want OPEN", state)
	}
	if n := testutil.ToFloat64(s.co.unreadable); n != recoverBatch {
		t.Errorf("counted %v unreadable orders, want %d", n, recoverBatch)
	}
	if n := client.ZCard(t.Context(), "{o0}undecided").Val(); n != recoverBatch {
		t.Errorf("%d orders are undecided, want the %d unreadable ones", n, recoverBatch)
	}
}

// An undecided order with an unreadable cart is counted, so that an operator learns of it.
func TestAnUndecidedOrderWithAnUnreadableCartIsCounted(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, client := shard.Mint(0), s.at("{o0}")
	id := s.order(shard.Mint(0), map[string]int64{item: 1})
	if _, err := s.store.Begin(t.Context(), id, mintAttempt(""), ""); err != nil {
		t.Fatal(err)
	}
	client.HSet(t.Context(), "{o0}o:"+id, "i:"+item, "garbage", "lease", 1)
	client.ZAdd(t.Context(), "{o0}undecided", goredis.Z{Score: 1, Member: id})
	NewRecovery(s.co).recoverDue(t.Context(), s.store.Shards()[0])
	if n := testutil.ToFloat64(s.co.unreadable); n != 1 {
		t.Errorf("counted %v unreadable orders, want 1", n)
	}
}
