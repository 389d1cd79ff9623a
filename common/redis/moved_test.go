package redis

import (
	"net"
	"strings"
	"testing"
)

func TestMovedTo(t *testing.T) {
	t.Parallel()
	from := &net.TCPAddr{IP: net.ParseIP("10.0.0.9"), Port: 7000}
	for text, want := range map[string]string{
		"MOVED 3999 10.0.0.7:6379":                  "10.0.0.7:6379",
		"MOVED 3999 node-1.example:6380":            "node-1.example:6380",
		"MOVED 3999 fd00::7:6379":                   "[fd00::7]:6379",
		"MOVED 3999 :6379":                          "10.0.0.9:6379", // the host is that of the sender
		"MOVED 3999":                                "",
		"MOVED":                                     "",
		"ASK 3999 10.0.0.7:6379":                    "",
		"CLUSTERDOWN Hash slot not served":          "",
		"ERR Script attempted MOVED 1 10.0.0.7:999": "",
	} {
		if got := movedTo(value{kind: '-', text: text}, from); got != want {
			t.Errorf("%q leads to %q, want %q", text, got, want)
		}
	}
	if got := movedTo(value{kind: '$', text: "MOVED 1 10.0.0.7:1"}, from); got != "" {
		t.Errorf("a string leads to %q, want no address", got)
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	slots := func(ids ...string) value {
		all := value{kind: '*'}
		for _, id := range ids {
			node := value{kind: '*', list: []value{{}, {kind: ':', text: "6379"}, {kind: '$', text: id}}}
			all.list = append(all.list, value{kind: '*', list: []value{{kind: ':'}, {kind: ':'}, node}})
		}
		return all
	}
	disabled := value{kind: '-', text: "ERR This instance has cluster support disabled"}
	for name, row := range map[string]struct {
		engine bool
		info   string
		slots  value
		want   string // part of the error; "" means no error
	}{
		"a single server":                   {false, "# Cluster\r\ncluster_enabled:0\r\n", disabled, ""},
		"a cluster, but no engine":          {false, "# Cluster\r\ncluster_enabled:1\r\n", value{}, "belongs to a cluster"},
		"an engine":                         {true, "cluster_enabled:1\r\n", slots("a"), ""},
		"an engine with several slot range": {true, "cluster_enabled:1\r\n", slots("a", "a"), ""},
		"an engine with two shards":         {true, "cluster_enabled:1\r\n", slots("a", "b", "a"), "has 2 shards"},
		"no cluster":                        {true, "cluster_enabled:0\r\n", disabled, "belongs to no cluster"},
		"a user without CLUSTER SLOTS":      {true, "", value{kind: '-', text: "NOPERM no permission"}, ""},
	} {
		err := (&Shard{engine: row.engine}).layout(row.info, row.slots)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got the error %v, want the text %q in it (empty: want no error)", name, err, row.want)
		}
		if err != nil && (!refused(err) || reasonOf(err) != Clustered) {
			t.Errorf("%s: got %v, want a refusal with the reason %q", name, err, Clustered)
		}
	}
}
