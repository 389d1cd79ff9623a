package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeKubectl is a stand-in for kubectl in tests of k8s/restore. It responds to get commands and to "keeper status",
// and logs all other commands:
//   - Each "get pods" of a workload adds a line to the file "polls". Only one of these commands prints a pod.
//   - A command that contains the text in the file "fail" fails.
//   - The first command that contains the text in the file "fail-once" fails without output.
const fakeKubectl = `#!/bin/sh
until [ "$1" = -n ]; do shift; done
shift 2 # -n namespace
case "$*" in *"get pods"*app.kubernetes.io/name=name*) echo "$*" >>"$FAKE/polls" ;; esac
[ ! -s "$FAKE/fail-once" ] || case "$*" in *"$(cat "$FAKE/fail-once")"*) rm "$FAKE/fail-once"; exit 1 ;; esac
case "$*" in
*app.kubernetes.io/name=backup*) cat "$FAKE/backup-pods" ;;
*"get volumesnapshot"*volumeSnapshotClassName*) echo fast ;;
*"get volumesnapshot"*restoreSize*) cat "$FAKE/snapshots" ;;
*"get volumesnapshot"*) printf '%s\n' 20261101-030000 20261102-030000 20261102-030000 ;;
*"get pvc"*) cat "$FAKE/claims" ;;
*"get statefulset,deployment"*) cat "$FAKE/workloads" ;;
*restore-primary}*) sed -n 's/.*"restore-primary":"\([0-9]\)".*/\1/p' "$FAKE/log" | tail -n 1 ;;
*"/keeper status"*) printf '%s\n' 'NODE REDIS ROLE' '0 a:1 replica' '1 b:1 primary' '2 c:1 replica' ;;
*"command[2]"*) echo valkey-server ;;
*template.spec*) echo '{"some":"setting"}' ;;
*{.status.phase}*) echo Succeeded ;;
*restore-replicas}*) cat "$FAKE/annotation" ;;
*backup-replicas}*) cat "$FAKE/backup-replicas" ;;
*"get namespace"*) echo uid-1 ;;
*"get deployment -l"*) cat "$FAKE/running" ;;
*spec.replicas*) cat "$FAKE/replicas" ;;
*labels.app*) echo name ;;
*"get pods"*) if [ -e "$FAKE/asked" ]; then exit 0; fi; touch "$FAKE/asked"; echo pod/name ;;
*"get cronjob"*) cat "$FAKE/cronjob" ;;
*) echo "$*" >>"$FAKE/log"
	case "$*" in *"create -f"*) cat ${3#-} >>"$FAKE/created" ;; esac ;;
esac
[ ! -s "$FAKE/fail" ] || case "$*" in *"$(cat "$FAKE/fail")"*) exit 1 ;; esac
`

// restore runs k8s/restore with fakeKubectl in a directory with these files. It returns the commands, the created
// objects and the output.
func restore(t *testing.T, dir string, files map[string]string, environ []string, args ...string) (log []string,
	created, output string, err error) {
	t.Helper()
	for name, text := range map[string]string{"replicas": "2", "running": "2 2", "backup-replicas": "", "backup-pods": "",
		"cronjob": ""} {
		if _, ok := files[name]; !ok {
			files = maps.Clone(files)
			files[name] = text
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(fakeKubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "k8s/restore"), args...)
	cmd.Env = append(append(os.Environ(), "FAKE="+dir, "KUBECTL="+dir+"/kubectl", "TMPDIR="+dir), environ...)
	out, err := cmd.CombinedOutput()
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	objects, _ := os.ReadFile(filepath.Join(dir, "created"))
	return strings.Split(strings.TrimSpace(string(text)), "\n"), string(objects), string(out), err
}

var cluster = map[string]string{
	"snapshots": "data-order-redis-0 b-data-order-redis-0 true 10Gi\n" +
		"data-order-redis-1 b-data-order-redis-1 true 10Gi\n",
	// the claim of shard 1 is lost, and shard 2 was added after the backup
	"claims": "data-order-redis-0 20Gi premium\ndata-order-redis-2 20Gi premium\n", "annotation": "2", "fail": "",
	"workloads": "statefulset.apps/order-redis\ndeployment.apps/order-1\ndeployment.apps/gateway\n",
}

// TestRestore checks the order of the commands, and the claims that the commands create.
func TestRestore(t *testing.T) {
	log, created, output, err := restore(t, t.TempDir(), cluster, nil, "b")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, log,
		`patch deployment.apps/order-1…"restore-replicas":"2"…"replicas":0`, "patch deployment.apps/gateway…0",
		"patch statefulset.apps/order-redis…0", "create -f -", "create -f -", "wait volumesnapshot",
		"label volumesnapshot … checkout-backup-state-", "delete pvc data-order-redis-0", "delete pvc data-order-redis-2",
		"create -f …checkout-restore-default-uid-1-checkout-b.yaml",
		`patch statefulset.apps/order-redis…"restore-replicas":null…"replicas":2`,
		"rollout status statefulset.apps/order-redis",
		"patch deployment.apps/order-1…2", "patch deployment.apps/gateway…2", "rollout status", "rollout status")
	parts := strings.SplitN(created, "---\n", 2)
	want := "checkout-backup-state: incomplete}\n  annotations: {argocd.argoproj.io/sync-options: Prune=false, " +
		"argocd.argoproj.io/compare-options: IgnoreExtraneous}\nspec:\n  volumeSnapshotClassName: fast\n"
	if kept := strings.Count(parts[0], want); kept != 2 {
		t.Errorf("%d incomplete snapshots of the current data, want 2:\n%s", kept, parts[0])
	}
	want = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data-order-redis-0
  labels: {app.kubernetes.io/name: order-redis, app.kubernetes.io/instance: 'checkout'}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: premium
  resources: {requests: {storage: 20Gi}}
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: b-data-order-redis-0}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data-order-redis-1
  labels: {app.kubernetes.io/name: order-redis, app.kubernetes.io/instance: 'checkout'}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Gi}}
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: b-data-order-redis-1}
`
	if parts[1] != want {
		t.Errorf("claims:\n%s\nwant:\n%s", parts[1], want)
	}
}

// TestRestoreReplicated checks a restore to replicated shards. In the backup to restore, shard 0 is replicated, and
// shard 1 is a single shard.
//   - First, the script takes a backup of the current volume of each primary.
//   - Then node 0 of each shard gets the data, without the epoch and the promise. The other nodes get new volumes.
func TestRestoreReplicated(t *testing.T) {
	files := map[string]string{
		"snapshots": "data-order-redis-0-2 b-data-order-redis-0-2 true 10Gi\n" +
			"data-order-redis-1 b-data-order-redis-1 true 10Gi\n",
		"claims": "data-order-redis-0-0 20Gi premium\ndata-order-redis-0-1 20Gi premium\n", "annotation": "3", "fail": "",
		"workloads": "statefulset.apps/order-redis-0\nstatefulset.apps/order-redis-1\ndeployment.apps/order-1\n",
	}
	log, created, output, err := restore(t, t.TempDir(), files, nil, "b")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, log, "patch deployment.apps/order-1…0", `patch statefulset/order-redis-0…"restore-primary":"1"`,
		`patch statefulset/order-redis-1…"restore-primary":"1"`,
		"patch statefulset.apps/order-redis-0…0", "patch statefulset.apps/order-redis-1…0", "create -f -", "create -f -",
		"wait volumesnapshot", "label volumesnapshot", "delete pod restore-order-redis-0", "delete pod restore-order-redis-1",
		"delete pvc data-order-redis-0-0", "delete pvc data-order-redis-0-1",
		"create -f …checkout-restore-default-uid-1-checkout-b.yaml", "create -f -", "create -f -",
		"delete pod restore-order-redis-0", "delete pod restore-order-redis-1",
		`patch statefulset.apps/order-redis-0…"restore-primary":null…"replicas":3`,
		"patch statefulset.apps/order-redis-1…3",
		"exec order-redis-0-0 -c keeper -- /keeper init --if-needed",
		"exec order-redis-1-0 -c keeper -- /keeper init --if-needed", "rollout status statefulset.apps/order-redis-0",
		"rollout status statefulset.apps/order-redis-1", "patch deployment.apps/order-1…3", "rollout status")
	for _, want := range []string{
		"source: {persistentVolumeClaimName: data-order-redis-0-1}",
		"name: data-order-redis-0-0\n  labels: {app.kubernetes.io/name: order-redis-0, ",
		"storageClassName: premium\n  resources: {requests: {storage: 20Gi}}\n" +
			"  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: b-data-order-redis-0-2}",
		"name: data-order-redis-1-0\n", "name: b-data-order-redis-1}",
		"cli del '{o0}epoch'", "cli del '{o1}epoch'", `cli="valkey-cli `, "claimName: data-order-redis-1-0}",
	} {
		if !strings.Contains(created, want) {
			t.Errorf("the created objects lack %q:\n%s", want, created)
		}
	}
	if n := strings.Count(created, "kind: PersistentVolumeClaim\n"); n != 2 {
		t.Errorf("created %d claims, want 2 (for node 0 of each shard)", n)
	}
}

// TestRestoreContinues checks that a second run continues a first run that failed after the claims were deleted. The
// second run uses the sizes and classes that the first run has stored, and takes no snapshot of partly restored
// data.
func TestRestoreContinues(t *testing.T) {
	dir := t.TempDir()
	first := map[string]string{"fail": "create -f " + dir}
	for name, text := range cluster {
		if name != "fail" {
			first[name] = text
		}
	}
	if _, _, output, err := restore(t, dir, first, nil, "b"); err == nil {
		t.Fatalf("the first run succeeded, want a failure:\n%s", output)
	}
	for _, name := range []string{"log", "created"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	log, created, output, err := restore(t, dir, map[string]string{"claims": "", "fail": "", "running": "0 0"}, nil, "b")
	if err != nil || !strings.Contains(created, "storageClassName: premium\n  resources: {requests: {storage: 20Gi}}") ||
		strings.Contains(created, "kind: VolumeSnapshot\n") {
		t.Errorf("second run: got error %v, want the old size and class, no snapshot; output:\n%s\ncreated\n%s\nran %q",
			err, output, created, log)
	}
}

// TestRestoreRefuses checks that k8s/restore changes nothing if the backup is not complete, or if the release cannot
// hold all shards of the backup. The test also checks the list of backups, and that DISCARD=1 waits for no snapshot.
func TestRestoreRefuses(t *testing.T) {
	const first, second = "data-order-redis-0 x true 10Gi\n", "data-order-redis-1-0 x true 10Gi\n"
	stopped := with(with(cluster, "replicas", "0"), "annotation", "1")
	replicated := with(cluster, "workloads", "statefulset.apps/order-redis-0\ndeployment.apps/order-1\n")
	for _, c := range []struct {
		files           map[string]string
		snapshots, want string
	}{
		{cluster, "", "there is no complete backup b"},
		{cluster, "data-order-redis-0 b-data-order-redis-0 false 10Gi\n", "is not ready to use"},
		{cluster, "data-order-redis-0-1 b-data-order-redis-0-1 true 10Gi\n", "b is a backup of replicated shards"},
		{cluster, first + "data-order-redis-10 x true 10Gi\n", "b has no snapshot of shard 1 of order"},
		{cluster, "data-order-redis-1 x true 10Gi\n", "b has no snapshot of shard 0 of order"},
		{cluster, first + "data-stock-redis-0 x true 10Gi\n", "1 shards of stock, and the release checkout has 0"},
		{with(cluster, "workloads", cluster["workloads"]+"statefulset.apps/stock-redis\n"), first,
			"b has no snapshot of shard 0 of stock"},
		{with(cluster, "replicas", "1"), cluster["snapshots"], "--set shards=2"},
		{stopped, cluster["snapshots"], "b has 2 shards of order, and the release checkout has 1"},
		{replicated, first + second, "--set shards=2"},
	} {
		snapshots, want := c.snapshots, c.want
		files := with(c.files, "snapshots", snapshots)
		log, _, output, err := restore(t, t.TempDir(), files, nil, "b")
		if err == nil || !strings.Contains(output, want) || !slices.Equal(log, []string{""}) {
			t.Errorf("snapshots %q: got error %v, ran %q, output %q; want an error, no command, and %q in the output",
				snapshots, err, log, output, want)
		}
	}
	if _, _, output, err := restore(t, t.TempDir(), cluster, nil); err != nil ||
		output != "20261101-030000 (1 volumes)\n20261102-030000 (2 volumes)\n" {
		t.Errorf("list the backups: got error %v, output %q, want 1 and 2 volumes", err, output)
	}
	if log, _, output, err := restore(t, t.TempDir(), cluster, []string{"DISCARD=1"}, "b"); err != nil ||
		slices.ContainsFunc(log, func(call string) bool { return strings.HasPrefix(call, "wait") }) {
		t.Errorf("DISCARD=1: got error %v, ran %q; want no error and no wait\n%s", err, log, output)
	}
}
