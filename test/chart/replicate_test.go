package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// replicateKubectl is a stand-in for kubectl in tests of k8s/replicate. It keeps the claims in the folder "claims",
// logs all commands except get, and adds a line to the file "polls" for each "get pods". A command that contains the
// text in the file "fail" fails. The first command that contains the text in the file "fail-once" also fails.
const replicateKubectl = `#!/bin/sh
until [ "$1" = -n ]; do shift; done
shift 2 # -n namespace
case "$*" in "get pods"*) echo "$*" >>"$FAKE/polls" ;; "get "*) ;; *) echo "$*" >>"$FAKE/log" ;; esac
[ ! -s "$FAKE/fail" ] || case "$*" in *"$(cat "$FAKE/fail")"*) exit 1 ;; esac
[ ! -s "$FAKE/fail-once" ] || case "$*" in *"$(cat "$FAKE/fail-once")"*) rm "$FAKE/fail-once"; exit 1 ;; esac
case "$*" in
"get pvc -l"*) ls "$FAKE/claims" ;;
"get pvc "*metadata.name*) [ ! -e "$FAKE/claims/$3" ] || echo "$3=$(cat "$FAKE/claims/$3")" ;;
"get pvc "*volumeName*) cat "$FAKE/claims/$3" ;;
"get pvc "*storageClassName*) echo fast ;;
"get pvc "*storage*) echo 10Gi ;;
"get pvc "*uid*) echo "uid-of-$3" ;;
"get pv "*annotations*) cat "$FAKE/policy-$3" 2>/dev/null || true ;;
"get pv "*persistentVolumeReclaimPolicy*) echo Delete ;;
"get deployment"*) printf '%s\n' deployment.apps/order-1 deployment.apps/gateway ;;
"patch pv "*'"Retain"'*) echo Delete >"$FAKE/policy-$3" ;;
"patch pv "*'"checkout-reclaim-policy":null'*) rm "$FAKE/policy-$3" ;;
"create -f -") tee "$FAKE/created" | sed -n 's/^  name: //p;s/^  volumeName: //p' |
	{ read -r name; read -r volume; echo "$volume" >"$FAKE/claims/$name"; } ;;
"delete pvc "*) rm "$FAKE/claims/$3" ;;
esac
`

// replicate runs k8s/replicate with replicateKubectl. It returns the commands and the output.
func replicate(t *testing.T, dir, fail string, args ...string) (log []string, output string, err error) {
	t.Helper()
	for name, text := range map[string]string{"kubectl": replicateKubectl, "fail": fail, "log": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(root, "k8s/replicate"), args...)
	cmd.Env = append(os.Environ(), "FAKE="+dir, "KUBECTL=", "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	return strings.Split(strings.TrimSpace(string(text)), "\n"), string(out), err
}

func withClaims(t *testing.T, claims map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, volume := range claims {
		path := filepath.Join(dir, "claims", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(volume+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func claimsIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "claims"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		volume, _ := os.ReadFile(filepath.Join(dir, "claims", e.Name()))
		list = append(list, e.Name()+"="+strings.TrimSpace(string(volume)))
	}
	return strings.Join(list, " ")
}

var single = map[string]string{"data-order-redis-0": "v0", "data-order-redis-1": "v1", "data-stock-redis-0": "v2"}

const renamed = "data-order-redis-0-0=v0 data-order-redis-1-0=v1 data-stock-redis-0-0=v2"

// TestReplicate checks that k8s/replicate renames every claim and keeps its volume, and that undo renames the claims
// back.
func TestReplicate(t *testing.T) {
	dir := withClaims(t, single)
	log, output, err := replicate(t, dir, "")
	if got := claimsIn(t, dir); err != nil || got != renamed || !strings.Contains(output, "--force-conflicts") {
		t.Fatalf("got the claims %s, error %v; want the claims %s, and --force-conflicts in the output:\n%s",
			got, err, renamed, output)
	}
	rename := []string{
		`patch pv…"checkout-reclaim-policy":"Delete"…"persistentVolumeReclaimPolicy":"Retain"`, "create -f -",
		`patch pv…"claimRef":{"name":"data-…-0","namespace":"default","uid":"uid-of-data-`, "delete pvc data-",
	}
	want := []string{"scale deployment.apps/order-1 --replicas=0", "scale deployment.apps/gateway --replicas=0",
		"delete statefulset order-redis", "delete statefulset stock-redis", "delete statefulset payment-redis"}
	for range single {
		want = append(want, rename...)
	}
	for range single {
		want = append(want, "wait pvc data-",
			`patch pv…"checkout-reclaim-policy":null…"persistentVolumeReclaimPolicy":"Delete"`)
	}
	inOrder(t, log, want...)
	created, _ := os.ReadFile(filepath.Join(dir, "created"))
	for _, part := range []string{"app.kubernetes.io/name: stock-redis-0, app.kubernetes.io/instance: 'checkout'",
		"storageClassName: fast", "storage: 10Gi", "volumeName: v2"} {
		if !strings.Contains(string(created), part) {
			t.Errorf("the claim has no %q:\n%s", part, created)
		}
	}
	if _, output, err := replicate(t, dir, ""); err == nil || !strings.Contains(output, "no shards") {
		t.Errorf("a second run: got error %v, want an error with \"no shards\":\n%s", err, output)
	}
	if _, output, err := replicate(t, dir, "", "undo"); err != nil ||
		claimsIn(t, dir) != "data-order-redis-0=v0 data-order-redis-1=v1 data-stock-redis-0=v2" {
		t.Errorf("undo: got the claims %s, error %v; want the original claims:\n%s", claimsIn(t, dir), err, output)
	}
}

// TestReplicateRefuses checks that k8s/replicate changes nothing if the shards already have three nodes.
func TestReplicateRefuses(t *testing.T) {
	after := map[string]string{"data-order-redis-0-0": "v0", "data-order-redis-0-1": "v1", "data-order-redis-0-2": "v2"}
	for _, args := range [][]string{nil, {"undo"}, {"all"}} {
		if log, output, err := replicate(t, withClaims(t, after), "", args...); err == nil || log[0] != "" {
			t.Errorf("k8s/replicate %v after the upgrade: ran %q, error %v; want no command, and an error\n%s",
				args, log, err, output)
		}
	}
}

// TestReplicateAgain checks that a second run completes the work, after a failure at any command of the first run.
func TestReplicateAgain(t *testing.T) {
	for _, failing := range []string{"scale", "delete statefulset", "Retain", "create", "claimRef",
		"delete pvc data-order-redis-1", "wait pvc data-order", "wait pvc data-stock",
		`"checkout-reclaim-policy":null`} {
		dir := withClaims(t, single)
		if _, output, err := replicate(t, dir, failing); err == nil {
			t.Errorf("with a failing %q: got no error\n%s", failing, output)
		}
		_, output, err := replicate(t, dir, "")
		policies, _ := filepath.Glob(filepath.Join(dir, "policy-*"))
		if got := claimsIn(t, dir); err != nil || got != renamed || len(policies) > 0 {
			t.Errorf("again after a failing %q: got the claims %s, policies not restored %v, error %v\n%s",
				failing, got, policies, err, output)
		}
	}
}

// TestReplicateFindsOtherVolume checks that k8s/replicate changes nothing if the old and the new claim of a shard have
// different volumes. For example, a "helm rollback" may have created the old claim again.
func TestReplicateFindsOtherVolume(t *testing.T) {
	both := map[string]string{"data-order-redis-0-0": "v0", "data-order-redis-1-0": "v1", "data-order-redis-1": "empty"}
	for _, args := range [][]string{nil, {"undo"}} {
		dir := withClaims(t, both)
		log, output, err := replicate(t, dir, "", args...)
		if err == nil || !strings.Contains(output, "have different volumes") || log[0] != "" {
			t.Errorf("k8s/replicate %v: ran %q, error %v; want no command, and \"have different volumes\" in\n%s",
				args, log, err, output)
		}
	}
}

// TestReplicateWhenGetFails checks that k8s/replicate does not treat an object as missing if a get command fails.
func TestReplicateWhenGetFails(t *testing.T) {
	for get, never := range map[string]string{ // never: a command that must not run; "": the run must succeed
		"get deployment": "delete", "get pvc data-stock-redis-0-0": "scale", "get pvc -l": "scale", "get pods": "",
	} {
		dir := withClaims(t, single)
		if err := os.WriteFile(filepath.Join(dir, "fail-once"), []byte(get), 0o600); err != nil {
			t.Fatal(err)
		}
		log, output, err := replicate(t, dir, "")
		text := strings.Join(log, "\n")
		if failed := err != nil; failed != (never != "") || failed && strings.Contains(text, never) {
			t.Errorf("failing %q: error %v, ran %q; want a failure before %q (\"\": no failure)\n%s",
				get, err, log, never, output)
		}
		// k8s/replicate polls the pods of 6 components once each, and repeats the failed poll.
		polls, _ := os.ReadFile(filepath.Join(dir, "polls"))
		if never == "" && strings.Count(string(polls), withoutEvicted) != 7 {
			t.Errorf("failing %q: want 7 polls that ignore evicted pods, got\n%s", get, polls)
		}
	}
}
