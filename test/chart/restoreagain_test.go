package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// with returns the files of a cluster with one changed file.
func with(files map[string]string, name, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = text
	return files
}

// TestRestoreFindsKubectl checks that k8s/restore uses the kubectl in PATH, with the options in KUBECTL.
func TestRestoreFindsKubectl(t *testing.T) {
	for _, kubectl := range []string{"", "kubectl --context x"} {
		dir := t.TempDir()
		_, _, output, err := restore(t, dir, cluster, []string{"KUBECTL=" + kubectl, "PATH=" + dir + ":" + os.Getenv("PATH")})
		if err != nil || !strings.HasPrefix(output, "20261101-030000 ") {
			t.Errorf("KUBECTL=%q: got error %v, want a list of backups:\n%s", kubectl, err, output)
		}
	}
}

// TestRestoreAgainAfterStart checks a second run after a failed first run. The second run must take another snapshot
// of the current data if the instances may have changed the data in between:
//   - The first run has started the instances.
//   - The first run has not started the instances, but an operator has.
func TestRestoreAgainAfterStart(t *testing.T) {
	dir := t.TempDir()
	for _, fail := range []string{"rollout status deployment", "create -f " + dir} {
		_, created, output, err := restore(t, dir, with(cluster, "fail", fail), nil, "b")
		if err == nil || !strings.Contains(created, "kind: VolumeSnapshot\n") {
			t.Fatalf("first run with a failing %q: got error %v, want a failure after a copy of the current data:\n%s",
				fail, err, output)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "checkout-restore-*"))
		if strings.HasPrefix(fail, "rollout") && len(left) > 0 {
			t.Errorf("after the start of the instances: got the files %v, want none", left)
		}
		for _, name := range []string{"log", "created"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		_, created, output, err = restore(t, dir, cluster, nil, "b")
		if err != nil || !strings.Contains(created, "kind: VolumeSnapshot\n") {
			t.Errorf("second run after a failing %q: got error %v, created\n%s\nwant a copy of the current data\n%s", fail, err,
				created, output)
		}
	}
}

// TestRestoreAfterAbandonedRun checks that k8s/restore does not use the annotations of an earlier run if the system has
// run since.
func TestRestoreAfterAbandonedRun(t *testing.T) {
	files := maps.Clone(cluster)
	maps.Copy(files, map[string]string{
		"workloads": "statefulset.apps/order-redis-0\nstatefulset.apps/order-redis-1\ndeployment.apps/order-1\n",
		"replicas":  "5", "annotation": "2",
		"log": `patch statefulset/order-redis-0 -p {"metadata":{"annotations":{"restore-primary":"2"}}}` + "\n",
	})
	log, created, output, err := restore(t, t.TempDir(), files, nil, "b")
	text := strings.Join(log, "\n")
	if err != nil || !strings.Contains(text, `patch deployment.apps/order-1 -p {"metadata":{"annotations":{`+
		`"restore-replicas":"5"}}`) || !strings.Contains(created, "{persistentVolumeClaimName: data-order-redis-0-1}") {
		t.Errorf("got error %v, want 5 instances and a copy of the present primary, ran\n%s\ncreated\n%s\n%s", err, text,
			created, output)
	}
}

// TestRestoreAndBackups checks how k8s/restore handles the CronJob, a running backup and a killed backup.
func TestRestoreAndBackups(t *testing.T) {
	const message = "the CronJob backup is suspended"
	files := with(cluster, "cronjob", "cronjob.batch/backup\n")
	log, _, output, err := restore(t, t.TempDir(), files, nil, "b")
	if err != nil || strings.Contains(output, message) || !strings.HasPrefix(log[0], "patch cronjob backup") ||
		!strings.Contains(log[len(log)-1], `{"suspend":false}`) {
		t.Errorf("got error %v, ran %q; want the CronJob suspended until the end:\n%s", err, log, output)
	}
	_, _, output, err = restore(t, t.TempDir(), with(files, "fail", "rollout status deployment"), nil, "b")
	if err == nil || !strings.Contains(output, message) {
		t.Errorf("failing rollout: got error %v, want the message %q:\n%s", err, message, output)
	}

	log, _, output, err = restore(t, t.TempDir(), with(files, "backup-pods", "backup-1-x \n"), nil, "b")
	if err == nil || !strings.Contains(output, "a backup is running") || !slices.Equal(log, []string{""}) {
		t.Errorf("during a backup: got error %v, ran %q; want \"a backup is running\" and no command:\n%s",
			err, log, output)
	}
	lost := with(files, "backup-pods", "backup-1-x 2026-11-30T03:00:00Z\n")
	maps.Copy(lost, map[string]string{"replicas": "0", "annotation": "", "backup-replicas": "4"})
	log, _, output, err = restore(t, t.TempDir(), lost, nil, "b")
	if text := strings.Join(log, "\n"); err != nil || !strings.Contains(text, `gateway -p {"metadata":{"annotations":`+
		`{"restore-replicas":"4"}},"spec":{"replicas":0}}`) || !strings.Contains(text, `"backup-replicas":null`) {
		t.Errorf("after a killed backup: got error %v, ran %q; want 4 gateways afterwards:\n%s", err, log, output)
	}
}

// withoutEvicted is an option of kubectl. Nothing deletes the pods that Kubernetes has evicted, so no script may wait
// for them.
const withoutEvicted = "--field-selector=status.phase!=Succeeded,status.phase!=Failed"

// TestRestoreWhenGetFails checks that k8s/restore does not treat an object as missing if a get command fails.
func TestRestoreWhenGetFails(t *testing.T) {
	replicated := maps.Clone(cluster)
	replicated["snapshots"] = "data-order-redis-0 b-data-order-redis-0 true 10Gi\n"
	replicated["workloads"] = "statefulset.apps/order-redis-0\ndeployment.apps/order-1\ndeployment.apps/gateway\n"
	replicated["replicas"] = "0"               // an earlier run has stopped the workloads
	for get, never := range map[string]string{ // never: a command that must not run; "": no such command
		"get cronjob": "patch", "restore-primary}": "statefulset", "nodeSelector": "create -f -\ncreate -f -",
		"labels.checkout-backup": "", "get deployment -l": "patch deployment",
	} {
		args := []string{"b"}
		if strings.HasPrefix(get, "labels") {
			args = nil
		}
		log, _, output, err := restore(t, t.TempDir(), with(replicated, "fail-once", get), nil, args...)
		if err == nil || never != "" && strings.Contains(strings.Join(log, "\n"), never) {
			t.Errorf("failing %q: got error %v, ran %q; want an error, and no command with %q (\"\": any command):\n%s",
				get, err, log, never, output)
		}
	}
	dir := t.TempDir()
	_, _, output, err := restore(t, dir, with(cluster, "fail-once", "get pods -l app.kubernetes.io/instance=checkout,"+
		"app.kubernetes.io/name=name"), nil, "b")
	polls, _ := os.ReadFile(filepath.Join(dir, "polls"))
	// The first workload needs three polls: a failure, a running pod, and no pod. The other two need one poll each.
	if err != nil || strings.Count(string(polls), withoutEvicted) != 5 {
		t.Errorf("failing get pods: got error %v, want 5 polls that ignore evicted pods, got\n%s\n%s", err, polls, output)
	}
}
