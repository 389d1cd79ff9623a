package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// fakeAPI is an API server and an order instance for the backup script.
type fakeAPI struct {
	sync.Mutex
	replicas, generation int
	annotation           string                       // the number of gateways that a run has stored; empty: none
	snapshots            map[string]map[string]string // labels by name
	events               []string                     // changes, in order
	metrics              func() string                // returns the metrics of the order instance
	status               func(gateways int) string    // returns the status of each snapshot
	afterCreate          func()                       // runs after the creation of each snapshot
	environ              []string                     // variables of the script that get the URL of the metrics
	pods                 map[string]string            // the response to each selector of pods
	refuse               func(method string) bool     // reports whether a request about the gateway gets 403
}

const settledMetrics = `checkout_undecided{service="order",shard="0"} 0
checkout_undecided{service="order",shard="1"} 0
checkout_undecided_age_seconds{service="order",shard="0"} 0
checkout_unconfirmed{service="order",shard="0"} 0
checkout_unconfirmed{service="order",shard="1"} 0
`

const claims = "data-order-redis-0 data-order-redis-1 data-stock-redis-0"

func newFakeAPI() *fakeAPI {
	return &fakeAPI{
		replicas: 3, generation: 7, snapshots: map[string]map[string]string{},
		metrics: func() string { return settledMetrics },
		status: func(gateways int) string { // a snapshot is ready when the gateway runs again
			return fmt.Sprintf(`{"creationTime": "2026-11-30T03:00:00Z", "readyToUse": %v}`, gateways > 0)
		},
		afterCreate: func() {}, refuse: func(string) bool { return false },
	}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.Lock()
	defer f.Unlock()
	body, _ := io.ReadAll(r.Body)
	const snapshots = "/apis/snapshot.storage.k8s.io/v1/namespaces/shop/volumesnapshots"
	name := strings.TrimPrefix(r.URL.Path, snapshots+"/")
	selector := r.URL.Query().Get("labelSelector")
	answer := any(map[string]any{})
	switch {
	case r.URL.Path == "/metrics":
		fmt.Fprint(w, f.metrics())
		return
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/gateway") && f.refuse(r.Method):
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/apis/apps/v1/namespaces/shop/deployments/gateway":
		if r.Method == "PATCH" {
			f.patchGateway(body)
		}
		answer = f.gateway()
	case r.URL.Path == "/api/v1/namespaces/shop/pods" &&
		selector == "app.kubernetes.io/name=gateway,app.kubernetes.io/instance=shop-1":
		pods := f.replicas
		if !strings.Contains(r.URL.Query().Get("fieldSelector"), "status.phase!=Failed") {
			pods++ // an evicted pod
		}
		answer = map[string]any{"items": make([]int, pods)}
	case r.URL.Path == "/api/v1/namespaces/shop/pods":
		answer = json.RawMessage(cmp.Or(f.pods[selector], "{}"))
	case f.snapshots == nil:
		w.WriteHeader(http.StatusNotFound) // the cluster has no CSI snapshots
	case r.URL.Path == snapshots && r.Method == "POST":
		var o struct {
			Metadata struct {
				Name                string
				Labels, Annotations map[string]string
			}
			Spec struct {
				VolumeSnapshotClassName string
				Source                  struct{ PersistentVolumeClaimName string }
			}
		}
		if json.Unmarshal(body, &o) != nil || unpruned(o.Metadata.Annotations) != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		f.snapshots[o.Metadata.Name] = o.Metadata.Labels
		f.event("snapshot %s of class %s", o.Spec.Source.PersistentVolumeClaimName, o.Spec.VolumeSnapshotClassName)
		f.afterCreate()
	case r.URL.Path == snapshots && r.Method == "DELETE":
		maps.DeleteFunc(f.snapshots, func(_ string, labels map[string]string) bool { return selects(selector, labels) })
	case r.URL.Path == snapshots:
		var items []any
		for _, labels := range f.snapshots {
			if selects(selector, labels) {
				items = append(items, map[string]any{"metadata": map[string]any{"labels": labels}})
			}
		}
		answer = map[string]any{"items": items}
	case f.snapshots[name] == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		if r.Method == "PATCH" && string(body) == `{"metadata":{"labels":{"checkout-backup-state":null}}}` {
			delete(f.snapshots[name], "checkout-backup-state")
		}
		answer = map[string]any{"metadata": map[string]any{"name": name, "creationTimestamp": "2026-11-30T02:59:59Z"},
			"status": json.RawMessage(f.status(f.replicas))}
	}
	text, _ := json.MarshalIndent(answer, "", "  ") // the script asks for pretty=true
	_, _ = w.Write(text)
}

// unpruned checks the annotations for Argo CD of an object that is not in the Git repository. Without them, Argo CD
// could delete the object or treat the application as out of sync.
func unpruned(annotations map[string]string) error {
	if annotations["argocd.argoproj.io/sync-options"] != "Prune=false" ||
		annotations["argocd.argoproj.io/compare-options"] != "IgnoreExtraneous" {
		return fmt.Errorf("annotations for Argo CD: got %v, want Prune=false and IgnoreExtraneous", annotations)
	}
	return nil
}

func (f *fakeAPI) event(format string, args ...any) {
	f.events = append(f.events, fmt.Sprintf(format, args...))
}

func (f *fakeAPI) patchGateway(body []byte) {
	var patch struct {
		Metadata struct{ Annotations map[string]*string }
		Spec     struct{ Replicas *int }
	}
	_ = json.Unmarshal(body, &patch)
	if value := patch.Metadata.Annotations["backup-replicas"]; value != nil {
		f.annotation = *value
	} else {
		f.annotation = ""
	}
	if patch.Spec.Replicas != nil {
		f.replicas, f.generation = *patch.Spec.Replicas, f.generation+1
		f.event("%d gateways", f.replicas)
	}
}

func (f *fakeAPI) gateway() any {
	annotations := map[string]string{"deployment.kubernetes.io/revision": "4"}
	if f.annotation != "" {
		annotations["backup-replicas"] = f.annotation
	}
	type object struct { // as in a Deployment, spec comes before status: the script reads the first field "replicas"
		Metadata any `json:"metadata"`
		Spec     any `json:"spec"`
		Status   any `json:"status"`
	}
	return object{map[string]any{"annotations": annotations, "generation": f.generation},
		map[string]any{"replicas": f.replicas}, map[string]any{"observedGeneration": 1, "replicas": 9}}
}

// selects reports whether a selector of the form "a=b,c,!d" selects the labels.
func selects(selector string, labels map[string]string) bool {
	for part := range strings.SplitSeq(selector, ",") {
		name, value, hasValue := strings.Cut(part, "=")
		name, not := strings.CutPrefix(name, "!")
		got, exists := labels[name]
		if not == exists || hasValue && got != value {
			return false
		}
	}
	return true
}

// old adds a backup that was taken on this day of November 2026. Each of the labels gets the value "incomplete".
func (f *fakeAPI) old(day int, labels ...string) {
	f.snapshots[fmt.Sprintf("202611%02d-data-order-redis-0", day)] = map[string]string{
		"app.kubernetes.io/instance": "shop-1", "checkout-backup": fmt.Sprintf("202611%02d-030000", day)}
	for _, label := range labels {
		f.snapshots[fmt.Sprintf("202611%02d-data-order-redis-0", day)][label] = "incomplete"
	}
}
