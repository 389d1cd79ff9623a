package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"checkout/common/testredis"
	"checkout/test/stack"
)

// TestEngineShards runs the services with REDIS_DURABLE=engine: each shard is a cluster with one primary and one
// replica. Failovers of all shards under load must neither lose nor repeat a write. The clusters are Valkey servers
// with asynchronous replication, where only a graceful failover loses no write. So all failovers are graceful.
func TestEngineShards(t *testing.T) {
	clusters := map[string]*testredis.Cluster{}
	for _, service := range stack.Services() {
		clusters[service] = testredis.StartCluster(t)
	}
	s := start(t, stack.Config{
		Instances: 2, Shards: 1, Env: map[string][]string{"": {"REDIS_DURABLE=engine"}},
		Proxy: func(_, to, addr string) (string, error) {
			if service, ok := strings.CutPrefix(to, "redis-"); ok {
				return clusters[strings.TrimSuffix(service, "-0")].Nodes[0].Addr, nil
			}
			return addr, nil
		},
	})
	const price, credit, pieces = 5, 100_000, 10_000
	user := create(t, s, "/payment/create_user", "user_id")
	item := create(t, s, fmt.Sprintf("/stock/item/create/%d", price), "item_id")
	post := func(path string) int {
		status, _ := request(t, http.MethodPost, s.Gateway()+path, "")
		return status
	}
	if got := post(fmt.Sprintf("/payment/add_funds/%s/%d", user, credit)); got != http.StatusOK {
		t.Fatalf("add funds: got the status %d", got)
	}
	if got := post(fmt.Sprintf("/stock/add/%s/%d", item, pieces)); got != http.StatusOK {
		t.Fatalf("add stock: got the status %d", got)
	}
	var paid, failed atomic.Int64
	buy := func() bool { // any request may fail during a failover
		created, body := request(t, http.MethodPost, s.Gateway()+"/orders/create/"+user, "")
		var order struct {
			ID string `json:"order_id"`
		}
		return created == http.StatusOK && json.Unmarshal([]byte(body), &order) == nil &&
			post(fmt.Sprintf("/orders/addItem/%s/%s/1", order.ID, item)) == http.StatusOK &&
			post("/orders/checkout/"+order.ID) == http.StatusOK
	}
	stopped := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
					if buy() {
						paid.Add(1)
					} else {
						failed.Add(1)
					}
				}
			}
		})
	}
	more := func(n int64) {
		want := paid.Load() + n
		eventually(t, "checkouts succeed", func() bool { return paid.Load() >= want })
	}
	for _, service := range stack.Services() {
		more(20)
		clusters[service].Failover(t, 1, "") // now the services have the address of a replica
	}
	more(20)
	close(stopped)
	clients.Wait()
	t.Logf("%d purchases succeeded, and %d failed", paid.Load(), failed.Load())
	number := func(path, field string) (n int64) {
		_, body := request(t, http.MethodGet, s.Gateway()+path, "")
		if _, text, ok := strings.Cut(body, fmt.Sprintf("%q:", field)); ok {
			fmt.Sscan(text, &n)
		}
		return n
	}
	var sold, spent int64
	eventually(t, "every purchase is decided", func() bool { // an order may be paid after a 503
		sold = pieces - number("/stock/find/"+item, "stock")
		spent = credit - number("/payment/find_user/"+user, "credit")
		return spent == sold*price && sold >= paid.Load()
	})
	if sold > paid.Load()+failed.Load() {
		t.Errorf("%d pieces are sold, want at most one for each of %d paid and %d failed purchases",
			sold, paid.Load(), failed.Load())
	}
}
