package participant

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/peer"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/common/web"
)

// serve starts an HTTP server with the participant's routes. It returns the address of the server.
func serve(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	gin.SetMode(gin.TestMode)
	srv := web.NewServer(false)
	NewReservations(c, "i:").Routes(srv.Internal)
	srv.Internal.GET(peer.ShardMapPath, web.JSON(func(*gin.Context) (api.ShardMap, error) {
		return api.ShardMap{Service: "stock", Shards: len(c.Shards()), Modulus: c.Modulus()}, nil
	}))
	server := httptest.NewServer(srv.Internal)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// An invalid request is rejected as a whole and changes nothing.
func TestInvalidRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 1, Scripts)
	address := serve(t, c)
	id := put(t, servers, 0, 5)
	good := fmt.Sprintf(`{"id":"A","until":%d,"lines":[{"id":%q,"n":1}]}`, int64(far), id)
	many := ""
	for i := range smallCart {
		many += fmt.Sprintf(`{"id":"%d","n":1},`, i)
	}
	before := servers[0].Dump(t)
	steps := []string{"", "{", "{}", `"x"`, "[1]", `[{"id":"A"}]`, `[{"until":1,"lines":[{"id":"x","n":1}]}]`,
		fmt.Sprintf(`[%s,{"id":"B","until":%d,"lines":[]}]`, good, int64(far)),
		fmt.Sprintf(`[{"id":"A","lines":[{"id":%q,"n":1}]}]`, id),                             // no deadline
		fmt.Sprintf(`[{"id":"A","until":-5,"lines":[{"id":%q,"n":1}]}]`, id),                  // a negative deadline
		fmt.Sprintf(`[{"id":"A","until":9223372036854775807,"lines":[{"id":%q,"n":1}]}]`, id), // after api.MaxTime
		fmt.Sprintf(`[{"id":"A","until":1,"lines":[{"id":%q,"n":-1}]}]`, id),                  // would add instead of reserve
		fmt.Sprintf(`[{"id":"A","until":1,"lines":[{"id":%q,"n":9007199254740992}]}]`, id),    // too large for Lua
		fmt.Sprintf(`[{"id":"A","until":1,"lines":[{"id":%q,"n":99999999999999999999}]}]`, id),
		fmt.Sprintf(`[{"id":"A","until":1,"lines":[{"id":%q,"n":1.5}]}]`, id),
		// one counter twice: the script would subtract only one line, but record both
		fmt.Sprintf(`[{"id":"A","until":%d,"lines":[{"id":%q,"n":1},{"id":%q,"n":1}]}]`, int64(far), id, id),
		// one counter twice in a large cart
		fmt.Sprintf(`[{"id":"A","until":%d,"lines":[%s{"id":"7","n":1}]}]`, int64(far), many),
		fmt.Sprintf(`[{"id":%q,"until":1,"lines":[{"id":%q,"n":1}]}]`, strings.Repeat("A", api.MaxIDLength+1), id),
		"[" + strings.Repeat(good+",", web.MaxEntries) + good + "]",
		fmt.Sprintf(`[{"id":"A","until":1,"lines":[%s{"id":"x","n":1}]}]`, manyLines(api.MaxItems)),
	}
	confirms := []string{"", "{", "{}", `[{"record":"","until":1,"shards":[0]}]`, `[{"record":"A","shards":[0]}]`,
		`[{"record":"A","until":0,"shards":[0]}]`,
		"[" + strings.Repeat(`{"record":"A","until":1},`, web.MaxEntries) + `{"record":"A","until":1}]`}
	for path, bodies := range map[string][]string{reservePath: steps, releasePath: steps, refundPath: steps,
		confirmPath: confirms} {
		for _, body := range bodies {
			response, err := http.Post("http://"+address+path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			var problem api.Problem
			if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
				t.Errorf("%s %.80s: decode the problem: %v", path, body, err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusBadRequest || problem.Type != api.BadRequest.Type() {
				t.Errorf("%s %.80s: got status %d, %+v; want 400 bad-request", path, body, response.StatusCode, problem)
			}
		}
	}
	if after := servers[0].Dump(t); !maps.Equal(before, after) {
		t.Errorf("rejected requests changed the shard to %v, want no change", after)
	}
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"%d","n":1},`, i)
	}
	return b.String()
}

// newClient returns a client of the participant at an address. First, it waits until the participant is available.
func newClient(t *testing.T, address string) *Client {
	t.Helper()
	p := peer.New("stock", []string{address}, "", nil, nil)
	t.Cleanup(p.Close)
	testredis.Eventually(t, "the participant is available", func() bool { return p.Unavailable() == "" })
	return NewClient(p)
}

func TestClientRunsEveryStep(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	client := newClient(t, serve(t, c))
	a, b := put(t, servers, 0, 5), put(t, servers, 1, 5)
	paid := attempt(far, api.Line{ID: a, Quantity: 2}, api.Line{ID: b, Quantity: 3})
	refused, aborted := attempt(far, api.Line{ID: a, Quantity: 9}), attempt(far, api.Line{ID: b, Quantity: 1})
	for range 2 {
		if got := client.Reserve(t.Context(), paid); got.Code != api.Reserved || !slices.Equal(got.Shards, []int{0, 1}) {
			t.Errorf("reserve: got %+v, want RESERVED on both shards", got)
		}
		if got := client.Reserve(t.Context(), refused); got.Code != api.Refused || got.Reason != api.Insufficient ||
			got.ID != a {
			t.Errorf("reserve too much: got %+v, want REFUSED", got)
		}
		if got := client.Release(t.Context(), aborted); got.Code != api.Released {
			t.Errorf("release: got %+v, want RELEASED", got)
		}
		if got := client.Reserve(t.Context(), attempt(1, api.Line{ID: a, Quantity: 1})); got.Code != api.Expired {
			t.Errorf("reserve past the deadline: got %+v, want EXPIRED", got)
		}
		done, err := client.Confirm(t.Context(), []api.Confirmation{confirmation(paid.ID, 0, 1), confirmation("x", 5)})
		if err != nil || !slices.Equal(done, []api.Done{{OK: true}, {}}) {
			t.Errorf("confirm: got %v and the error %v, want OK for the first record only", done, err)
		}
	}
	if x, y := counter(t, servers, a), counter(t, servers, b); x != 3 || y != 2 {
		t.Errorf("counters: got %d and %d, want 3 and 2", x, y)
	}
	if got := client.Refund(t.Context(), paid); got.Code != api.Refunded {
		t.Errorf("refund: got %+v, want REFUNDED", got)
	}
	many := make([]api.Confirmation, 2*web.MaxEntries+1)
	for i := range many {
		many[i] = confirmation(shard.Mint(0), i%2)
	}
	if done, err := client.Confirm(t.Context(), many); err != nil || len(done) != len(many) ||
		slices.Contains(done, api.Done{}) {
		t.Errorf("confirm %d records: got %d replies and the error %v, want OK for each", len(many), len(done), err)
	}
}

// An unresponsive shard delays only the attempts that use this shard.
func TestUnresponsiveShardDelaysOnlyItsAttempts(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	client := newClient(t, serve(t, c))
	good, paused := put(t, servers, 0, 10_000), put(t, servers, 1, 10_000)
	line := api.Line{ID: paused, Quantity: 1}
	two := []api.Attempt{attempt(far, line), attempt(far, line)}
	whilePaused(t, c, servers, 1, "two attempts in one call both get ShardHangs", func() bool {
		got := NewReservations(c, "i:").Reserve(t.Context(), two)
		return got[0].Reason == api.ShardHangs && got[1].Reason == api.ShardHangs
	})
	whilePaused(t, c, servers, 1, "attempts on the other shard are faster", func() bool {
		var working sync.WaitGroup
		// hangs counts the attempts that got ShardHangs. Attempts that begin after the shard became unhealthy may
		// get another reason.
		var ended, hangs atomic.Int32
		for range 20 {
			working.Go(func() {
				got := client.Reserve(t.Context(), attempt(far, line))
				if ended.Add(1); got.Code != api.Unknown {
					t.Errorf("reserve on the paused shard: got %+v, want an unknown outcome", got)
				}
				if got.Reason == api.ShardHangs {
					hangs.Add(1)
				}
			})
		}
		for range 20 {
			if got := client.Reserve(t.Context(), attempt(far, api.Line{ID: good, Quantity: 1})); got.Code != api.Reserved {
				t.Errorf("reserve on the other shard: got %+v, want RESERVED", got)
			}
		}
		faster := ended.Load() == 0
		working.Wait()
		return faster && hangs.Load() > 0
	})
}

// A shard that has never replied to this instance does not count as hanging: the instance has just started, and
// another instance may get a reply.
func TestAShardThatNeverRepliedDoesNotHang(t *testing.T) {
	t.Parallel()
	c := cluster.Open("stock", env.Redis{Addrs: []string{"127.0.0.1:1"}}, Scripts)
	defer c.Close()
	time.Sleep(600 * time.Millisecond)
	item := api.Line{ID: shard.Mint(0), Quantity: 1}
	got := NewReservations(c, "i:").Reserve(t.Context(), []api.Attempt{attempt(far, item)})
	if got[0].Reason != api.ShardDown || c.Shards()[0].Hung() {
		t.Errorf("reserve on a shard that never replied: got %+v, want ShardDown and Hung false", got[0])
	}
}
