package redis_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"checkout/common/testredis"
)

// A process that gets too little processor time does not mistake its own delays for a failure of the shard. Each
// goroutine of this test waits for seconds until it runs again, which is longer than any timeout of a command.
func TestStarvedProcessKeepsItsShards(t *testing.T) {
	c, _ := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	before := len(c.Events().After(0))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	end := time.Now().Add(8 * time.Second)
	var running sync.WaitGroup
	for range 300 {
		running.Go(func() {
			for time.Now().Before(end) {
			}
		})
	}
	for range 20 {
		running.Go(func() {
			for time.Now().Before(end) {
				if _, err := at.Run(t.Context(), count, counter); err != nil {
					t.Errorf("run a script: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	if all := c.Events().After(0); len(all) > before {
		t.Errorf("got the events %+v, want none", all[before:])
	}
}
