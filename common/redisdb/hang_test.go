package redisdb_test

import (
	"sync"
	"testing"
	"fmt"
	"sort"
	"time"

	"checkout/common/testredis"
)

func TestHang2(t *testing.T) {
	for _, callers := range []int{100, 8000} {
		db, servers := testredis.Open(t, "order", 1, scripts)
		at := db.Shards()[0]
		at.Run(t.Context(), count, []string{"{o0}c"})
		servers[0].Pause()
		hist := map[string]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				start := time.Now()
				_, err := at.Run(t.Context(), count, []string{"{o0}c"})
				mu.Lock()
				hist[fmt.Sprintf("%.1f %v", time.Since(start).Seconds(), err)]++
				mu.Unlock()
			})
		}
		wg.Wait()
		var keys []string
		for k := range hist { keys = append(keys, k) }
		sort.Strings(keys)
		for _, k := range keys { t.Log(k, hist[k]) }
		start := time.Now()
		at.Run(t.Context(), count, []string{"{o0}c"})
		t.Log("next", time.Since(start))
		servers[0].Resume()
		start = time.Now()
		for { if _, err := at.Run(t.Context(), count, []string{"{o0}c"}); err == nil {break}; time.Sleep(time.Millisecond)}
		t.Log("back after", time.Since(start))
	}
}
