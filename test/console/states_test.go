package console

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"checkout/test/stack"
)

var (
	//go:embed numbers.js
	numbersScript string
	//go:embed lists.js
	listsScript string
	//go:embed merge.js
	mergeScript string
	//go:embed wait.js
	waitScript string
)

// maxDelay is how long the page may show an old state after the overviews have the new one, in ms by the clock of the
// page.
const maxDelay = 2000

// attempts is the maximum number of times that the test makes a change. The test repeats a change that the page shows
// late, because a busy host may delay the page.
const attempts = 3

// checkStates kills, pauses and starts components, and makes a Redis refuse writes. The page must show each change
// within maxDelay in one of the attempts.
func checkStates(b *browser, s *stack.Stack) {
	b.t.Helper()
	value[bool](b, waitScript)
	resume := func(_ context.Context, name string) error { return s.Resume(name) }
	demand := func(replicas string) func(string) error { // the Redis has no replica, so "1" makes it refuse writes
		return func(string) error {
			client := redis.NewClient(&redis.Options{Addr: s.RedisAddrs("stock")[0]})
			defer client.Close()
			return client.ConfigSet(context.Background(), "min-replicas-to-write", replicas).Err()
		}
	}
	for _, tt := range []struct {
		component string
		stop      func(string) error
		start     func(context.Context, string) error
		shows     string
	}{
		{"stock-1", s.Kill, s.Start, "instance 1/2 of stock is unavailable"},
		{"order-2", s.Pause, resume, "instance 2/2 of order is unavailable"},
		{"redis-stock-1", s.Pause, resume, "shard 1 of stock is unhealthy"},
		{"redis-stock-0", demand("1"), func(_ context.Context, name string) error { return demand("0")(name) },
			"shard 0 of stock refuses writes"},
		{"redis-payment-0", s.Kill, s.Start, "shard 0 of payment is unhealthy"},
	} {
		delay := maxDelay + 1.
		for try := 0; try < attempts && delay > maxDelay; try++ {
			if err := tt.stop(tt.component); err != nil {
				b.t.Fatal(err)
			}
			stopped := value[float64](b, fmt.Sprintf(`(async () => {
				const gone = broken(), seen = shown(%q);
				return await seen - await gone;
			})()`, tt.shows))
			b.picture("console-without-" + tt.component)
			if err := tt.start(b.Context, tt.component); err != nil {
				b.t.Fatal(err)
			}
			started := value[float64](b, `(async () => {
				const back = healthy(), seen = shown("All services are healthy.");
				return await seen - await back;
			})()`)
			b.t.Logf("%s: the page showed the stop after %.0f ms, the return after %.0f ms", tt.component, stopped, started)
			delay = max(stopped, started)
		}
		if delay > maxDelay {
			b.t.Errorf("%s: in each of %d attempts, the page showed a change more than %d ms after the overviews",
				tt.component, attempts, maxDelay)
		}
	}
	b.shows("#events", "Shard 0 of payment is back after ")
	value[bool](b, `(() => {
		const links = [...document.querySelectorAll("#events button")];
		links.find((link) => link.innerText === "Shard 0 of payment").click();
		return true;
	})()`)
	b.shows(".node.marked", "shard 0")
}

// checkNumbers compares the numbers of the page with the overviews. No request may change the numbers during the
// comparison.
func checkNumbers(b *browser) {
	b.t.Helper()
	b.report(numbersScript)
}

// checkMerge checks that events of several instances become one event only if they report the same fact.
func checkMerge(b *browser) {
	b.t.Helper()
	got := value[[]string](b, mergeScript)
	want := []string{
		"2500 shard_unavailable 0 0 1/2", "2100 shard_back 0 1100 1/2,2/2", "1300 shard_unavailable 1 0 2/2",
		"1000 shard_unavailable 0 0 1/2,2/2", "5 instance_started  0 2/2", "0 instance_started  0 1/2",
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("got the merged events %q, want %q", got, want)
	}
}

// checkLists compares the first three pages of each list of the console with the API.
func checkLists(b *browser) {
	b.t.Helper()
	b.report(listsScript)
}
