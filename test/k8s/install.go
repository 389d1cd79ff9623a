package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkout/test/check"
)

// upgrade installs or upgrades the system with these values.
func (r *run) upgrade(ctx context.Context, values string) error {
	args := []string{"upgrade", "--install", release, chartDir, "-f", "k8s/minikube.yaml",
		"--set", "image.prefix=" + r.prefix + "," + values}
	if r.values != "" {
		args = append(args, "--set", r.values)
	}
	_, err := r.chart(ctx, args...)
	return err
}

const (
	oneShard  = "machines=1,shards=1"
	twoShards = "machines=2,shards=2,gateway.replicas=2"
	updated   = twoShards + ",image.tag=next"
	grown     = "machines=3,shards=3,gateway.replicas=2,image.tag=next"
)

// change calls do, waits until everything is ready, and prints the duration of both.
func (r *run) change(ctx context.Context, what string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.Logf("%s, everything ready after %.1f s", what, time.Since(began).Seconds())
	return nil
}

func (r *run) installOne(ctx context.Context) error { return r.install(ctx, oneShard) }
func (r *run) installTwo(ctx context.Context) error { return r.install(ctx, twoShards) }

func (r *run) install(ctx context.Context, values string) error {
	if err := r.newNamespace(ctx); err != nil {
		return err
	}
	if err := r.change(ctx, "installed", func() error { return r.upgrade(ctx, values) }); err != nil {
		return err
	}
	restarts, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	for pod, n := range restarts {
		if !strings.HasSuffix(n, "/0") {
			return fmt.Errorf("install: pod %s restarted: %s", pod, n)
		}
	}
	if _, err := r.chart(ctx, "test", release, "--timeout", "2m"); err != nil {
		return err
	}
	r.Logf("helm test passed: it checked out an order")
	return r.buy(ctx)
}

// suite runs the Python suite and the consistency run. It then deletes all data, because both runs overwrite paid
// orders with batch_init.
func (r *run) suite(ctx context.Context) (err error) {
	url := "http://gateway." + r.namespace + ".svc.cluster.local"
	if r.inside == nil {
		if url, err = r.gateway(ctx); err != nil {
			return err
		}
	}
	python := slices.Concat(r.inside, r.python)
	failed := r.Python(ctx, python, url, "-m", "unittest", "-q", "test_microservices")
	if failed == nil {
		failed = r.Python(ctx, python, url, "consistency.py")
	}
	shards, closeShards, err := r.openShards(ctx)
	if err != nil {
		return errors.Join(failed, err)
	}
	defer closeShards()
	return errors.Join(failed, shards.Empty(ctx))
}

// reinstall uninstalls and reinstalls the system. All data must still exist, although the password changes.
func (r *run) reinstall(ctx context.Context) error {
	s, err := r.openShop(ctx)
	if err != nil {
		return err
	}
	if err := r.closeShop(ctx, s, 0); err != nil {
		return err
	}
	if err := r.remove(ctx, 3); err != nil {
		return err
	}
	if err := r.upgrade(ctx, oneShard); err != nil {
		return err
	}
	return r.audit(ctx, s)
}

func (r *run) uninstall(ctx context.Context) error { return r.remove(ctx, 9) }

// remove uninstalls the system, and checks that only its volumes remain.
func (r *run) remove(ctx context.Context, volumes int) error {
	if _, err := r.chart(ctx, "uninstall", release); err != nil {
		return err
	}
	return r.onlyVolumes(ctx, volumes)
}

// onlyVolumes waits until the namespace contains only this number of volumes and the objects in others.
func (r *run) onlyVolumes(ctx context.Context, volumes int, others ...string) error {
	kinds, err := r.kube(ctx, "api-resources", "--namespaced", "--verbs=list", "-o", "name")
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(strings.Fields(kinds), func(kind string) bool { return strings.HasPrefix(kind, "events") })
	return check.Poll(ctx, recoveryTimeout, func(ctx context.Context) error {
		left, err := r.kube(ctx, "get", strings.Join(list, ","), "-o", "name", "--ignore-not-found")
		if err != nil {
			return err
		}
		n := 0
		for name := range strings.FieldsSeq(left) {
			switch {
			case strings.HasPrefix(name, "persistentvolumeclaim/data-"):
				n++
			case name != "configmap/kube-root-ca.crt" && name != "serviceaccount/default" && !slices.Contains(others, name):
				return fmt.Errorf("object not removed: %s", name)
			}
		}
		if n != volumes {
			return fmt.Errorf("%d volumes remain, want %d", n, volumes)
		}
		return nil
	})
}
