package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/common/testredis"
)

// Orphans lists the undecided orders of processes that are not connected. The state and the due time of an order do not
// matter.
func TestOrphansAreTheOrdersOfMissingProcesses(t *testing.T) {
	s, client := openStore(t)
	restore(t, client, "o:a s=RUNNING by=dead\no:b s=ABORTING by=dead\no:c s=RUNNING by=gone\no:d s=RUNNING by=lives\n"+
		"o:e s=RUNNING\no:f s=PAID by=dead\n"+
		"undecided a at now+5\nundecided b at now-5\nundecided c at now+5\nundecided d at now\nundecided e at now\n"+
		"undecided missing at now", time.Now())
	got, err := s.Orphans(t.Context(), s.Shards()[0], Incarnations{"lives": true, s.by: true})
	if err != nil || len(got) != 2 {
		t.Fatalf("orphans: got %v, error %v; want those of the processes \"dead\" and \"gone\"", got, err)
	}
	for by, want := range map[string]string{"dead": "[a b]", "gone": "[c]"} {
		var ids []string
		for _, o := range got[by] {
			ids = append(ids, o.ID)
		}
		slices.Sort(ids)
		if fmt.Sprint(ids) != want {
			t.Errorf("orphans of %s: got %v, want %s", by, ids, want)
		}
	}
}

// Each call of the script looks at a limited number of orders, and together the calls find every orphan.
func TestOrphansOfManyOrders(t *testing.T) {
	s, client := openStore(t)
	const orders = 2*orphanScan + 500
	p := client.Pipeline()
	for i := range orders {
		id := fmt.Sprint(i)
		p.HSet(t.Context(), s.Shards()[0].Key(orderKey(id)), "s", "RUNNING", "by", "dead")
		p.Do(t.Context(), "ZADD", s.Shards()[0].Key(undecidedKey), i, id)
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.ConfigResetStat(t.Context())
	got, err := s.Orphans(t.Context(), s.Shards()[0], Incarnations{s.by: true})
	found := map[string]bool{}
	for _, o := range got["dead"] {
		found[o.ID] = true
	}
	if err != nil || len(found) != orders || len(got["dead"]) != orders {
		t.Errorf("orphans: got %d, %d of them different, error %v; want %d, all different",
			len(got["dead"]), len(found), err, orders)
	}
	if stats := client.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, "cmdstat_zrange:calls=3,") {
		t.Errorf("the statistics of the commands are\n%s\nwant three calls of ZRANGE", stats)
	}
}

// Connected lists all connected processes of the service, including this process, and no process of another service.
func TestConnectedProcesses(t *testing.T) {
	c, servers := testredis.Open(t, "order", 1, Scripts)
	first, second := New(c), New(testredis.Connect(t, "order", servers, Scripts))
	other := servers[0].Client.Conn()
	defer other.Close()
	if err := other.ClientSetName(t.Context(), "checkout:stock:other:1").Err(); err != nil {
		t.Fatal(err)
	}
	got, err := first.Connected(t.Context(), first.Shards()[0])
	if err != nil || len(got) != 2 || !got[first.by] || !got[second.by] {
		t.Errorf("connected: got %v, error %v; want %s and %s", got, err, first.by, second.by)
	}
}

// TakeUnconfirmed makes unreadable entries due later, like all entries that it takes, so they do not block the others.
func TestUnreadableEntriesDoNotBlockTheOthers(t *testing.T) {
	s, client := openStore(t)
	unreadable := []string{
		"x", "A 1 0", "A 1 0 0 0", "A soon 0 0", "A 0 0 0", "A -5 0 0", "A 9223372036854775807 0 0", "A 1 0,x 0", "A 1 0 y",
		" 1 0 0", fmt.Sprintf("%0300d 1 0 0", 1), "A 1e9 0 0",
	}
	key := s.Shards()[0].Key(unconfirmedKey)
	for _, entry := range append(unreadable, "B 1764410000000 0,2 1") {
		if err := client.Do(t.Context(), "ZADD", key, 1, entry).Err(); err != nil {
			t.Fatal(err)
		}
	}
	taken, errs, err := s.TakeUnconfirmed(t.Context(), s.Shards()[0], 100, 10*time.Second)
	if err != nil || len(taken) != 1 || taken[0].Record != "B" || len(errs) != len(unreadable) {
		t.Errorf("entries: got %+v, %d unreadable, error %v; want B, %d unreadable",
			taken, len(errs), err, len(unreadable))
	}
	if n := client.ZCount(t.Context(), key, "-inf", "1000").Val(); n != 0 {
		t.Errorf("%d entries are still due, want 0", n)
	}
}
