package participant_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/list"
	"checkout/common/participant"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// object is an object of a list: a counter with one attribute.
type object struct {
	id                 string
	counter, attribute int64
}

// pages returns all objects of a list, read in pages of the given size, and the number of pages.
func pages(t *testing.T, c *participant.Counters, limit int) (all []object, n int) {
	t.Helper()
	page := list.Page{Limit: limit}
	for {
		got, err := participant.List(t.Context(), c, page, []string{"p:"}, func(id string, values []int64) object {
			return object{id, values[0], values[1]}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 100 || len(got.Data) > limit {
			t.Fatalf("page %d has %d objects, want at most 100 pages of at most %d objects", n, len(got.Data), limit)
		}
		all = append(all, got.Data...)
		if !got.HasMore {
			return all, n
		}
		if page.After, err = list.ParseCursor(got.NextCursor, list.IsID); err != nil {
			t.Fatal(err)
		}
	}
}

func openCounters(t *testing.T, shards int) (*participant.Counters, *cluster.Cluster, []*testredis.Server) {
	t.Helper()
	c, servers := testredis.Open(t, "stock", shards, participant.Scripts)
	kind := participant.Kind{Noun: "item", Prefix: "i:", NotFound: api.ItemNotFound, Insufficient: api.InsufficientStock,
		Listed: true}
	return participant.NewCounters(c, c.NewMinter(1, 1), kind), c, servers
}

// Every page size lists the same objects: minted IDs, and then decimal IDs, both in descending order.
func TestListReturnsEveryObjectOnce(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		counters, c, servers := openCounters(t, shards)
		if all, n := pages(t, counters, 5); len(all) != 0 || n != 1 {
			t.Errorf("an empty service: got %v on %d pages, want one empty page", all, n)
		}
		var want []object
		for i := range 10 {
			id, err := counters.Create(t.Context(), nil, participant.Attribute{Prefix: "p:", Value: int64(i)})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, object{id, 0, int64(i)})
		}
		slices.SortFunc(want, func(a, b object) int { return list.Compare(a.id, b.id) })
		prices := []participant.Attribute{{Prefix: "p:", Value: 5}}
		if err := counters.BatchInit(t.Context(), 7, 9, prices); err != nil {
			t.Fatal(err)
		}
		testredis.Eventually(t, "the number of decimal IDs is known", func() bool { return c.Decimals() == 7 })
		for id := 6; id >= 0; id-- {
			if id == 4 { // delete this item
				servers[id%shards].Client.Del(t.Context(), c.Shards()[id%shards].Key("i:4"))
				continue
			}
			want = append(want, object{fmt.Sprint(id), 9, 5})
		}
		for _, limit := range []int{1, 2, 3, 7, 15, 16, 17, 100} {
			if got, n := pages(t, counters, limit); !slices.Equal(got, want) || n > len(want)/limit+shards+1 {
				t.Errorf("%d shards, limit %d: got\n%v on %d pages, want at most objects/limit+shards+1 pages, and\n%v",
					shards, limit, got, n, want)
			}
		}
		servers[0].Kill()
		testredis.Eventually(t, "the list is unavailable", func() bool {
			_, err := participant.List(t.Context(), counters, list.Page{Limit: 1}, nil,
				func(id string, _ []int64) string { return id })
			return errors.Is(err, api.Unavailable)
		})
	}
}

// A list skips an object with a value that is not a number.
func TestListSkipsUnreadableObjects(t *testing.T) {
	t.Parallel()
	counters, _, servers := openCounters(t, 1)
	var ids []string
	for i := range 3 {
		id := shard.Mint(0)
		ids = append(ids, id)
		servers[0].Client.MSet(t.Context(), "{s0}i:"+id, i, "{s0}p:"+id, 1)
		servers[0].Client.ZAdd(t.Context(), "{s0}ids", goredis.Z{Member: id})
	}
	servers[0].Client.Set(t.Context(), "{s0}i:"+ids[1], "many", 0)
	if all, _ := pages(t, counters, 1); len(all) != 2 || all[0].id != ids[2] || all[1].id != ids[0] {
		t.Errorf("list: got %v, want the last and then the first of %v", all, ids)
	}
}

// A counter on a Redis that was emptied is unavailable, and not missing.
func TestAnEmptiedRedisHasNoMissingCounters(t *testing.T) {
	t.Parallel()
	counters, _, servers := openCounters(t, 1)
	id, err := counters.Create(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	servers[0].Client.FlushAll(t.Context())
	if _, err := counters.Find(t.Context(), id); !errors.Is(err, api.Unavailable) {
		t.Errorf("find a counter on an emptied Redis: got %v, want %v", err, api.Unavailable)
	}
}
