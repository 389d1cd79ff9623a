package env

import (
	"maps"
	"reflect"
	"strings"
	"testing"
)

var keeper = map[string]string{
	"SHARD": "stock-12", "NODE": "1", "NODES": "a0:6379+a1:6379+a2:6379", "KEEPERS": "a0:7000+a1:7000+a2:7000",
	"KEEPER_TOKEN": "0123456789abcdef",
}

func TestParseKeeper(t *testing.T) {
	want := Keeper{
		Service: "stock", Shard: 12, Node: 1, Nodes: [3]string{"a0:6379", "a1:6379", "a2:6379"},
		Keepers: [3]string{"a0:7000", "a1:7000", "a2:7000"}, Redis: Redis{Addrs: []string{"a1:6379"}},
		Tokens: []string{"0123456789abcdef"}, State: "keeper.json", Port: 7000, Metrics: 7001,
	}
	k, err := ParseKeeper(getenv(keeper))
	if err != nil || !reflect.DeepEqual(k, want) || k.ShardName() != "stock-12" || k.Tag() != "{s12}" {
		t.Errorf("ParseKeeper: got %+v, %v; want %+v, shard stock-12 and tag {s12}", k, err, want)
	}
	vars := maps.Clone(keeper)
	maps.Copy(vars, map[string]string{
		"REDIS_ADDR": "127.0.0.1:6379", "REDIS_PASSWORD": "pwd", "REDIS_USERNAME": "user", "REDIS_DB": "2", "REDIS_TLS": "1",
		"KEEPER_TOKEN": "0123456789abcdef,fedcba9876543210",
		"STATE_FILE":   "/data/k", "PORT": "1", "METRICS_PORT": "0", "BIND": "::1", "LOG_FORMAT": "json",
	})
	want.Redis = Redis{Addrs: []string{"127.0.0.1:6379"}, Password: "pwd", Username: "user", DB: 2, TLS: true}
	want.Tokens = []string{"0123456789abcdef", "fedcba9876543210"}
	want.State, want.Port, want.Metrics, want.Bind, want.LogJSON = "/data/k", 1, 0, "::1", true
	if k, err := ParseKeeper(getenv(vars)); err != nil || !reflect.DeepEqual(k, want) {
		t.Errorf("ParseKeeper with every variable: got %+v, %v; want %+v", k, err, want)
	}
}

func TestParseKeeperRejectsInvalidValues(t *testing.T) {
	for name, values := range map[string][]string{
		"SHARD":      {"", "order", "order-", "order-01", "order--1", "gateway-0", "order-0 "},
		"NODE":       {"", "3", "-1", "01"},
		"NODES":      {"", "a:1", "a:1+b:1", "a:1+b:1+c:1+d:1", "a:1+b:1+a:1", "a:1+b:1+A:1", "a:1+b:1+c", "a:1,b:1,c:1"},
		"KEEPERS":    {"", "a:1+b:1", "a:1+b:1+b:1"},
		"REDIS_ADDR": {"a", "a:0", "a:06379", "a\n:1"},
		"REDIS_DB":   {"-1"},
		"REDIS_TLS":  {"yes"},
		"KEEPER_TOKEN": {
			"", "short", "0123456789 abcdef", "0123456789abcdefé", "0123456789abcdef,", ",", "0123456789abcdef,short",
		},
		"PORT":         {"0", "65536", "7001"},
		"METRICS_PORT": {"-1", "7000"},
		"BIND":         {"localhost"},
		"LOG_FORMAT":   {"xml"},
	} {
		for _, value := range values {
			vars := maps.Clone(keeper)
			vars[name] = value
			if _, err := ParseKeeper(getenv(vars)); err == nil {
				t.Errorf("%s=%q: got no error, want one", name, value)
			} else if name == "KEEPER_TOKEN" && strings.Contains(err.Error(), "0123456789") {
				t.Errorf("the error contains the token: %v", err)
			}
		}
	}
	_, err := ParseKeeper(getenv(nil))
	for _, name := range []string{"SHARD", "NODE", "NODES", "KEEPERS", "KEEPER_TOKEN"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+name+": ") {
			t.Errorf("without variables: the error does not name %s:\n%v", name, err)
		}
	}
}

func TestKeeperVariablesAreThoseThatParseKeeperReads(t *testing.T) {
	read := map[string]bool{}
	ParseKeeper(func(name string) string { read[name] = true; return "" })
	for _, v := range KeeperVariables {
		if !read[v.Name] {
			t.Errorf("KeeperVariables documents %s, which ParseKeeper does not read", v.Name)
		}
		delete(read, v.Name)
	}
	if len(read) > 0 {
		t.Errorf("ParseKeeper reads %v, which KeeperVariables does not document", read)
	}
}
