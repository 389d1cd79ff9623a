package redisdb_test

import (
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"checkout/common/redisdb"
	"checkout/common/testredis"
)

// count is a script that must not be repeated.
var count = redisdb.MustScript(fstest.MapFS{"lua/count.lua": {Data: []byte("#!lua\nreturn redis.call('INCR', KEYS[1])\n")}}, "count")

var scripts = []*redisdb.Script{count}

func TestHang(t *testing.T) {
	for _, callers := range []int{100, 1000, 8000} {
		db, servers := testredis.Open(t, "order", 1, scripts)
		at := db.Shards()[0]
		at.Run(t.Context(), count, []string{"{o0}c"})
		servers[0].Pause()
		var longest time.Duration
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				start := time.Now()
				_, err := at.Run(t.Context(), count, []string{"{o0}c"})
				mu.Lock()
				longest = max(longest, time.Since(start))
				mu.Unlock()
				if err == nil {
					t.Error("no error")
				}
			})
		}
		wg.Wait()
		servers[0].Resume()
		t.Log(callers, longest)
	}
}
