package main

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

// backup runs the backup script until it exits. When interrupt is closed, backup sends SIGTERM to the script.
func (f *fakeAPI) backup(t *testing.T, interrupt <-chan struct{}) (output string, err error) {
	t.Helper()
	server := httptest.NewTLSServer(f)
	defer server.Close()
	plain := httptest.NewServer(f)
	defer plain.Close()
	account := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, text := range map[string][]byte{"ca.crt": certificate, "token": []byte("secret")} {
		if err := os.WriteFile(filepath.Join(account, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", filepath.Join(root, chartDir, "files/backup"))
	cmd.Env = append(os.Environ(), "ACCOUNT="+account, "KUBERNETES_API="+server.URL, "NAMESPACE=shop", "RELEASE=shop-1",
		"JOB_UID=uid-1", "CLAIMS="+claims, "ORDER_METRICS=http://127.0.0.1:1/metrics "+plain.URL+"/metrics", "ORDER_SHARDS=2",
		"SNAPSHOT_CLASS=fast", "KEEP=2", "STOP_SECONDS=3", "READY_SECONDS=3", "no_proxy=127.0.0.1")
	for _, name := range f.environ {
		cmd.Env = append(cmd.Env, name+"="+plain.URL+"/metrics")
	}
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-interrupt
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}()
	err = cmd.Wait()
	return text.String(), err
}

// TestBackup checks a whole backup: the gateway stops, the orders settle, all volumes are saved, the gateway starts
// before the snapshots are ready, and old backups are deleted.
func TestBackup(t *testing.T) {
	t.Parallel()
	f := newFakeAPI()
	f.old(1)
	f.old(2)
	f.old(3)
	f.old(4, "checkout-backup-state") // from a killed run
	polls := 0
	f.metrics = func() string { // one order is undecided, then one shard does not reply
		polls++
		switch polls {
		case 1:
			return strings.Replace(settledMetrics, `undecided{service="order",shard="1"} 0`,
				`undecided{service="order",shard="1"} 1`, 1)
		case 2:
			return strings.Replace(settledMetrics, "checkout_unconfirmed{service=\"order\",shard=\"0\"} 0\n", "", 1)
		}
		f.event("settled")
		return settledMetrics
	}
	output, err := f.backup(t, nil)
	want := []string{"0 gateways", "settled", "snapshot data-order-redis-0 of class fast",
		"snapshot data-order-redis-1 of class fast", "snapshot data-stock-redis-0 of class fast", "settled", "3 gateways"}
	if err != nil || !slices.Equal(f.events, want) || f.annotation != "" {
		t.Errorf("got error %v, annotation %q; want no error, no annotation\n%s\ngot events %q\nwant events %q", err,
			f.annotation, output, f.events, want)
	}
	backups := map[string]int{}
	for _, labels := range f.snapshots {
		backups[labels["checkout-backup"]]++
		if _, incomplete := labels["checkout-backup-state"]; incomplete {
			t.Errorf("a complete backup has a snapshot with the labels %v, want no checkout-backup-state", labels)
		}
	}
	volumes := slices.Sorted(maps.Values(backups))
	if !slices.Equal(volumes, []int{1, 3}) || backups["20261103-030000"] != 1 {
		t.Errorf("volumes of each backup: %v, want 1 of 20261103-030000, and 3 of the new backup", backups)
	}
}

// TestBackupFails checks that a backup that fails leaves no snapshot, and that the gateway runs afterwards.
func TestBackupFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(f *fakeAPI)
		want   string // in the output
		events []string
	}{
		"an order stays undecided": {
			func(f *fakeAPI) {
				f.metrics = func() string { return strings.Replace(settledMetrics, " 0", " 2", 1) }
			},
			"orders are still undecided or unconfirmed", []string{"0 gateways", "3 gateways"},
		},
		"no order instance replies": {
			func(f *fakeAPI) { f.metrics = func() string { return "" } },
			"orders are still undecided or unconfirmed", []string{"0 gateways", "3 gateways"},
		},
		"no snapshot is taken": {
			func(f *fakeAPI) {
				f.status = func(int) string { return `{"error": {"message": "no quota"}}` }
				f.events = nil
			},
			"no quota", nil,
		},
		"a checkout starts during the backup": {
			func(f *fakeAPI) {
				f.afterCreate = func() { f.metrics = func() string { return strings.Replace(settledMetrics, " 0", " 1", 1) } }
			},
			"a request reached the services during the backup", nil,
		},
		"an operator starts the gateway": {
			func(f *fakeAPI) { f.afterCreate = func() { f.replicas, f.generation = 5, f.generation+1 } },
			"the gateway was changed during the backup", nil,
		},
		"the snapshots are never ready": {
			func(f *fakeAPI) {
				f.status = func(int) string { return `{"creationTime": "2026-11-30T03:00:00Z", "readyToUse": false}` }
			},
			"the snapshots were not ready in time", nil,
		},
		"the cluster has no snapshots": {
			func(f *fakeAPI) { f.snapshots = nil }, "404", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeAPI()
			c.change(f)
			output, err := f.backup(t, nil)
			replicas := 3
			if name == "an operator starts the gateway" {
				replicas = 5
			}
			if err == nil || !strings.Contains(output, c.want) || f.replicas != replicas || f.annotation != "" ||
				len(f.snapshots) > 0 || c.events != nil && !slices.Equal(f.events, c.events) {
				t.Errorf("got error %v, %d gateways, annotation %q, snapshots %v, events %q; want an error, %d gateways, "+
					"no annotation, no snapshot, events %q (empty: any), and %q in the output:\n%s", err, f.replicas, f.annotation,
					f.snapshots, f.events, replicas, c.events, c.want, output)
			}
		})
	}
}

// nodesMetrics returns the metrics of an instance whose replicated shards 0 and 1 have the given nodes as primaries.
// The number 3 means no primary. Node 2 is not in sync, unless it is a primary.
func nodesMetrics(primaries ...int) string {
	var text strings.Builder
	for shard, primary := range primaries {
		for node := range 3 {
			inSync := 1
			if node != primary {
				fmt.Fprintf(&text, "redis_shard_node_lag_batches{node=\"%d\",service=\"order\",shard=\"%d\"} 0\n", node, shard)
				inSync = map[bool]int{true: 1}[node < 2]
			}
			fmt.Fprintf(&text, "redis_shard_node_in_sync{node=\"%d\",service=\"order\",shard=\"%d\"} %d\n", node, shard, inSync)
		}
	}
	return text.String()
}

// TestBackupOfReplicatedShards checks that a backup saves only the volumes of the primaries. The backup must fail if
// a shard fails over during the backup or has no primary.
func TestBackupOfReplicatedShards(t *testing.T) {
	t.Parallel()
	replicatedAPI := func(primaries ...int) *fakeAPI {
		f := newFakeAPI()
		f.environ = []string{"STOCK_METRICS", "PAYMENT_METRICS"}
		f.metrics = func() string { return settledMetrics + nodesMetrics(primaries...) }
		return f
	}
	f := replicatedAPI(1, 2)
	output, err := f.backup(t, nil)
	want := []string{"0 gateways", "snapshot data-order-redis-0-1 of class fast",
		"snapshot data-order-redis-1-2 of class fast", "snapshot data-stock-redis-0-1 of class fast", "3 gateways"}
	if err != nil || !slices.Equal(f.events, want) || len(f.snapshots) != 3 {
		t.Errorf("got error %v, want none\n%s\ngot events %q\nwant events %q\ngot snapshots %v, want 3", err, output,
			f.events, want, f.snapshots)
	}
	f = replicatedAPI(1, 2)
	f.afterCreate = func() { f.metrics = func() string { return settledMetrics + nodesMetrics(0, 2) } }
	if output, err := f.backup(t, nil); err == nil || !strings.Contains(output, "failed over during the backup") ||
		f.replicas != 3 || len(f.snapshots) > 0 {
		t.Errorf("failover: error %v, %d gateways, snapshots %v; want an error, 3 gateways, no snapshot:\n%s", err,
			f.replicas, f.snapshots, output)
	}
	f = replicatedAPI(1, 3)
	if output, err := f.backup(t, nil); err == nil || !strings.Contains(output, "a shard has no primary") ||
		f.replicas != 3 {
		t.Errorf("no primary: error %v, %d gateways; want an error, 3 gateways:\n%s", err, f.replicas, output)
	}
}

// TestInterruptedBackup checks that a backup that gets SIGTERM starts the gateway again. If a backup is killed, the
// next one starts the gateway.
func TestInterruptedBackup(t *testing.T) {
	t.Parallel()
	f, interrupt := newFakeAPI(), make(chan struct{})
	f.metrics = sync.OnceValue(func() string { close(interrupt); return "" })
	if output, err := f.backup(t, interrupt); err == nil || f.replicas != 3 || f.annotation != "" {
		t.Errorf("after SIGTERM: got error %v, %d gateways, annotation %q; want an error, 3 gateways, no annotation:\n%s",
			err, f.replicas, f.annotation, output)
	}
	f = newFakeAPI()
	f.replicas, f.annotation = 0, "3"
	if output, err := f.backup(t, nil); err != nil || f.replicas != 3 || f.annotation != "" || len(f.snapshots) != 3 {
		t.Errorf("after a killed run: got error %v, %d gateways, annotation %q; want no error, 3 gateways, "+
			"no annotation, 3 snapshots:\n%s", err, f.replicas, f.annotation, output)
	}
}

// TestBackupObjects checks the CronJob and its script. The pod may connect only to the monitoring ports of order.
// With replicated shards, the pod may connect to the monitoring ports of all services.
func TestBackupObjects(t *testing.T) {
	s := load(t, parse(t, `{machines: 2, order: {shards: 2}, backup: {enabled: true, schedule: "0 4 * * *", keep: 3,
		snapshotClass: fast}}`))
	job := of[*batch.CronJob](s, "CronJob")["backup"].Spec
	template := job.JobTemplate.Spec.Template
	env := map[string]string{}
	for _, v := range template.Spec.Containers[0].Env {
		if env[v.Name] = v.Value; v.ValueFrom != nil {
			env[v.Name] = v.ValueFrom.FieldRef.FieldPath
		}
	}
	want := map[string]string{"NAMESPACE": "metadata.namespace", "RELEASE": release, "KEEP": "3", "SNAPSHOT_CLASS": "fast",
		"CLAIMS":        "data-order-redis-0 data-order-redis-1 data-stock-redis-0 data-payment-redis-0",
		"ORDER_METRICS": "http://order-1:5002/metrics http://order-2:5002/metrics", "ORDER_SHARDS": "2",
		"JOB_UID": "metadata.labels['batch.kubernetes.io/controller-uid']",
	}
	if !maps.Equal(env, want) || job.Schedule != "0 4 * * *" || job.ConcurrencyPolicy != batch.ForbidConcurrent {
		t.Errorf("CronJob: got %+v, environment %v; want schedule 0 4 * * *, no concurrent runs, environment %v",
			job, env, want)
	}
	if p := job.JobTemplate.Spec.PodFailurePolicy; p != nil {
		t.Errorf("got the pod failure policy %+v, want none, so that Kubernetes replaces the pod of a lost node", p)
	}
	checkTolerations(t, "backup", template)
	s3 := load(t, parse(t, "{machines: 2, redis: {replicas: 3}, backup: {enabled: true}}"))
	env = environment(of[*batch.CronJob](s3, "CronJob")["backup"].Spec.JobTemplate.Spec.Template)
	for name, want := range map[string]string{
		"CLAIMS":          "data-order-redis-0 data-stock-redis-0 data-payment-redis-0",
		"STOCK_METRICS":   "http://stock-1:5002/metrics http://stock-2:5002/metrics",
		"PAYMENT_METRICS": "http://payment-1:5002/metrics http://payment-2:5002/metrics",
	} {
		if env[name] != want {
			t.Errorf("replicated shards: %s is %q, want %q", name, env[name], want)
		}
	}
	script, err := os.ReadFile(filepath.Join(root, chartDir, "files/backup"))
	if got := of[*core.ConfigMap](s, "ConfigMap")["backup"].Data["backup"]; err != nil ||
		strings.TrimSpace(got) != strings.TrimSpace(string(script)) {
		t.Errorf("ConfigMap backup differs from files/backup: %v", err)
	}
	if template.Spec.ServiceAccountName != "backup" || !*template.Spec.AutomountServiceAccountToken {
		t.Errorf("want a pod with the service account %q and its token, got %+v", "backup", template.Spec)
	}
	*template.Spec.AutomountServiceAccountToken = false // the only rule that the backup may break
	checkRestricted(t, "backup", template.Spec)
	for _, service := range services {
		for _, port := range []int{5000, 5001, 5002} {
			for _, c := range []struct {
				s    *system
				want bool
			}{{s, service == "order" && port == 5002}, {s3, port == 5002}} {
				templates, _ := c.s.pods()
				if got := c.s.allowsIngress(template.Labels, templates[service+"-1"].Labels, port); got != c.want {
					t.Errorf("backup may connect to port %d of %s: %v, want %v", port, service, got, c.want)
				}
			}
		}
	}
	if _, err := render(root, parse(t, "backup: {enabled: true, schedule: daily}")); err == nil {
		t.Error("render with backup.schedule=daily: got no error, want one")
	}
	for kind, objects := range load(t, nil).objects {
		if objects["backup"] != nil {
			t.Errorf("%s backup exists by default, want none", kind)
		}
	}
}
