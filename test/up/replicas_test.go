package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestThreeNodesOfEachShard checks that a system with three nodes of each shard loses no credit when the console kills
// a primary. After a restore, each shard must have three nodes again.
func TestThreeNodesOfEachShard(t *testing.T) {
	data, backup := t.TempDir(), t.TempDir()
	cfg := stack.Config{
		Instances: 1, Replicas: stack.Copies, Dir: data, Env: map[string][]string{"": {"CONSOLE=demo"}},
	}
	gateway, out, stop := startUp(t, cfg)
	user := strings.Split(call(t, "POST", gateway+"/payment/create_user"), `"`)[3]
	call(t, "POST", gateway+"/payment/add_funds/"+user+"/5")

	demo := demoOf(t, gateway)
	response, body := send(t, "POST", demo.URL+"/kill/redis-payment-0-0", "X-Token", demo.Token)
	if response.StatusCode != http.StatusOK || !strings.Contains(body, `"keeper-payment-0-2"`) {
		t.Errorf("kill the primary: got %d and %s, want 200 and all components", response.StatusCode, body)
	}
	began := time.Now()
	credit := ""
	for ; credit == "" && time.Since(began) < testTimeout; time.Sleep(10 * time.Millisecond) {
		if response, err := http.Get(gateway + "/payment/find_user/" + user); err == nil {
			if text, err := io.ReadAll(response.Body); err == nil && response.StatusCode == http.StatusOK {
				credit = string(text)
			}
			response.Body.Close()
		}
	}
	if !strings.Contains(credit, `"credit":5`) {
		t.Errorf("after the failover, the user has %s, want 5", credit)
	}
	t.Logf("failover of payment: %v", time.Since(began))
	out.await(t, "restarted redis-payment-0-0")

	if text, err := runScript(t, data, "backup", backup); err != nil {
		t.Fatalf("backup: %v\n%s", err, text)
	}
	out.await(t, "started the gateway on SIGUSR2")
	call(t, "POST", gateway+"/payment/add_funds/"+user+"/10")
	stop()
	text, err := runScript(t, data, "backup", t.TempDir())
	if err == nil || !strings.Contains(text, "start make up first") {
		t.Errorf("backup of a stopped system: got %v, want \"start make up first\" in:\n%s", err, text)
	}
	t.Setenv("REPLICAS", "1")
	text, err = runScript(t, data, "restore", backup)
	if err == nil || !strings.Contains(text, "set REPLICAS=3; nothing was changed") {
		t.Errorf("restore to single shards: got %v, want \"set REPLICAS=3\" in:\n%s", err, text)
	}
	t.Setenv("REPLICAS", "")
	if text, err := runScript(t, data, "restore", backup); err != nil {
		t.Fatalf("restore: %v\n%s", err, text)
	}
	gateway, _, stop = startUp(t, cfg)
	if body := call(t, "GET", gateway+"/payment/find_user/"+user); !strings.Contains(body+",", `"credit":5`) {
		t.Errorf("the restored system has %s, want the credit 5", body)
	}
	stop()
}
