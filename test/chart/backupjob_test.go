package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// TestBackupThatCannotStartGateway checks that a failed backup retries the start of the gateway. If the gateway stays
// stopped, the exit status makes the Job retry, and the annotation keeps the number of gateways.
func TestBackupThatCannotStartGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method      string // of the failing requests about the gateway
		first, last int    // numbers of the failing requests; GET 1 comes before PATCH 1, and PATCH 1 stops the gateway
		status      int
		gateways    int
		annotation  string
	}{
		"one GET fails":                          {"GET", 2, 2, 1, 3, ""},
		"one PATCH fails":                        {"PATCH", 2, 2, 1, 3, ""},
		"every GET fails":                        {"GET", 2, 99, 143, 0, "3"},
		"every PATCH fails":                      {"PATCH", 2, 99, 143, 0, "3"},
		"the state of the gateway is not known":  {"GET", 1, 99, 143, 3, ""},
		"the script gets SIGTERM while it tries": {"GET", 2, 2, 1, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, interrupt, requests := newFakeAPI(), make(chan struct{}), 0
			f.metrics = func() string { return "" }
			f.refuse = func(method string) bool {
				if method == c.method {
					requests++
				}
				refused := method == c.method && requests >= c.first && requests <= c.last
				if refused && strings.Contains(name, "SIGTERM") {
					close(interrupt)
				}
				return refused
			}
			output, err := f.backup(t, interrupt)
			if exitStatus(err) != c.status || f.replicas != c.gateways || f.annotation != c.annotation {
				t.Errorf("got %v, %d gateways, annotation %q; want exit status %d, %d gateways, annotation %q:\n%s",
					err, f.replicas, f.annotation, c.status, c.gateways, c.annotation, output)
			}
		})
	}
}

// TestBackupAfterKilledRun checks how many gateways run after a backup whose predecessor was killed:
//   - if none ran before: the number that the killed run has stored, even if the backup fails at once
//   - if an operator had started some by hand: as many as before
func TestBackupAfterKilledRun(t *testing.T) {
	t.Parallel()
	f := newFakeAPI()
	f.replicas, f.annotation, f.snapshots = 0, "3", nil
	if output, err := f.backup(t, nil); err == nil || f.replicas != 3 || f.annotation != "" {
		t.Errorf("without snapshots: got error %v, %d gateways, annotation %q; want an error, 3 gateways, "+
			"no annotation:\n%s", err, f.replicas, f.annotation, output)
	}
	f = newFakeAPI()
	f.replicas, f.annotation = 5, "3"
	if output, err := f.backup(t, nil); err != nil || f.replicas != 5 || f.annotation != "" {
		t.Errorf("started by hand: got error %v, %d gateways, annotation %q; want no error, 5 gateways, "+
			"no annotation:\n%s", err, f.replicas, f.annotation, output)
	}
}

// TestBackupPods checks that a backup does nothing:
//   - while the pod of another backup runs, unless that pod is terminating, as on a lost node
//   - after an earlier pod of its Job has failed, unless that pod was killed
func TestBackupPods(t *testing.T) {
	t.Parallel()
	const (
		others = "app.kubernetes.io/name=backup,app.kubernetes.io/instance=shop-1"
		job    = "batch.kubernetes.io/controller-uid=uid-1"
		own    = `{"items": [{"metadata": {"name": "backup-1"}, "status": {"phase": "Running"}}`
	)
	for name, c := range map[string]struct {
		selector, pods string
		want           string // in the output; empty: the backup succeeds
	}{
		"alone": {others, own + "]}", ""},
		"another backup": {others, own + `, {"metadata": {}, "status": {"phase": "Pending"}}]}`,
			"another backup of this release is running"},
		"a pod on a lost node": {others, own + `, {"metadata": {"deletionTimestamp": "2026-11-30T03:00:00Z"},
			"status": {"phase": "Running"}}]}`, ""},
		"a failed pod": {job, own + `, {"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}}]}`,
			"not retried"},
		"a killed pod": {job, own + `, {"status": {"containerStatuses": [{"state": {"terminated": {
			"exitCode": 143, "reason": "Error"}}}]}}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeAPI()
			f.pods = map[string]string{c.selector: c.pods}
			f.old(4, "checkout-backup-state")
			output, err := f.backup(t, nil)
			status := map[bool]int{true: 1}[c.want != ""]
			if exitStatus(err) != status || !strings.Contains(output, c.want) || (len(f.events) == 0) != (c.want != "") {
				t.Errorf("got %v, events %q; want exit status %d and the message %q:\n%s", err, f.events, status, c.want,
					output)
			}
			if c.want != "" && len(f.snapshots) != 1 {
				t.Errorf("got the snapshots %v, want only the snapshot of the earlier backup", f.snapshots)
			}
		})
	}
}
