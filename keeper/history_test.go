package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// history records the replies that clients of a shard have received. A write adds an ID to a set and increments a
// counter, and a read returns the counter.
type history struct {
	t     *testing.T
	shard *shard
	stop  context.CancelFunc
	wait  sync.WaitGroup

	mu     sync.Mutex
	acked  map[string]bool
	floor  int64 // the largest value of the counter in any reply
	last   time.Time
	gap    time.Duration // longest time without an acknowledged batch
	failed int
	wrong  []string
}

// load starts clients that write and read until a call of finish.
func (s *shard) load(t *testing.T) *history {
	ctx, stop := context.WithCancel(t.Context())
	h := &history{t: t, shard: s, stop: stop, acked: map[string]bool{}, last: time.Now()}
	for c := range 3 {
		h.wait.Go(func() { h.run(ctx, c) })
	}
	return h
}

func (h *history) run(ctx context.Context, number int) {
	var client *redis.Client
	for i := 0; ctx.Err() == nil; i++ {
		if client == nil {
			var err error
			if client, err = h.shard.find(); err != nil {
				time.Sleep(5 * time.Millisecond)
				continue
			}
		}
		if err := h.batch(client, fmt.Sprintf("%d-%d", number, i), i%3 == 2); err != nil {
			client.Close()
			client = nil
		}
		time.Sleep(8 * time.Millisecond)
	}
	if client != nil {
		client.Close()
	}
}

// batch sends a read or a write, followed by the commands of R1 (see doc.go). If the batch is acknowledged, the history
// records the reply.
func (h *history) batch(client *redis.Client, id string, read bool) error {
	ctx := context.Background()
	h.mu.Lock()
	floor := h.floor
	h.mu.Unlock()
	conn := client.Conn()
	defer conn.Close()
	p := conn.Pipeline()
	var value *redis.Cmd
	if read {
		value = p.Do(ctx, "GET", "{o0}n")
	} else {
		p.SAdd(ctx, "{o0}ids", id)
		value = p.Do(ctx, "INCR", "{o0}n")
	}
	p.Incr(ctx, "{o0}seq")
	replicas := p.Do(ctx, "WAIT", 1, 500)
	synced := p.Do(ctx, "WAITAOF", 1, 1, 500)
	_, err := p.Exec(ctx)
	if err == redis.Nil {
		err = nil
	}
	n, _ := replicas.Int()
	disks, _ := synced.Int64Slice()
	if err == nil && (n < 1 || len(disks) != 2 || disks[0] < 1 || disks[1] < 1) {
		err = fmt.Errorf("not acknowledged: WAIT returned %d, WAITAOF %v", n, disks)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.failed++
		return err
	}
	counter := int64(0)
	switch v := value.Val().(type) {
	case int64:
		counter = v
	case string:
		counter, _ = strconv.ParseInt(v, 10, 64)
	}
	if counter < floor || !read && counter == floor {
		h.wrong = append(h.wrong, fmt.Sprintf("batch %s (read: %v): got %d, after %d", id, read, counter, floor))
	}
	h.floor = max(h.floor, counter)
	if !read {
		h.acked[id] = true
	}
	now := time.Now()
	h.gap, h.last = max(h.gap, now.Sub(h.last)), now
	return nil
}

// during calls fault to inject a fault, and waits until batches are acknowledged again. It returns the longest time
// without an acknowledged batch in this period.
func (h *history) during(fault func()) time.Duration {
	h.t.Helper()
	h.await() // an earlier gap must not count
	h.mu.Lock()
	h.gap = 0
	h.mu.Unlock()
	fault()
	h.await()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gap
}

// await waits until at least 5 more writes are acknowledged.
func (h *history) await() {
	h.t.Helper()
	acked := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.acked)
	}
	before := acked()
	h.shard.eventually("batches are acknowledged", func() bool { return acked() >= before+5 })
}

// finish stops the clients and checks the history against the data of the primary.
func (h *history) finish() {
	h.t.Helper()
	h.shard.settle()
	h.await()
	h.stop()
	h.wait.Wait()
	client := h.shard.nodes[h.shard.settle()].admin()
	defer client.Close()
	ctx := context.Background()
	ids, err := client.SMembersMap(ctx, "{o0}ids").Result()
	if err != nil {
		h.t.Fatal(err)
	}
	lost := 0
	for id := range h.acked {
		if _, ok := ids[id]; !ok {
			lost++
		}
	}
	counter, _ := client.Get(ctx, "{o0}n").Int64()
	if lost > 0 || counter < h.floor || len(h.wrong) > 0 {
		h.t.Errorf("%d of %d acknowledged writes are lost; counter %d, want at least %d; wrong replies: %v",
			lost, len(h.acked), counter, h.floor, h.wrong)
	}
	h.t.Logf("%d acknowledged writes, %d batches failed", len(h.acked), h.failed)
}
