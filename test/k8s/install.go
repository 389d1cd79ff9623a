package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
)

// upgrade installs or upgrades the system with these values.
func (r *run) upgrade(ctx context.Context, values string) error {
	return r.deploy(ctx, chartDir, "-f", "k8s/minikube.yaml", "--set", values)
}

// reuseValues upgrades the system, and changes only the given values.
func (r *run) reuseValues(ctx context.Context, values string) error {
	_, err := r.chart(ctx, "upgrade", release, chartDir, "--reset-then-reuse-values", "--set", values)
	return err
}

// deploy installs or upgrades the system with a chart and options for Helm.
func (r *run) deploy(ctx context.Context, chart string, options ...string) error {
	args := append([]string{"upgrade", "--install", release, chart, "--set", "image.prefix=" + r.prefix}, options...)
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

// change performs an action and waits until everything is ready. It logs how long both take.
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

func (r *run) installOne(ctx context.Context) error {
	if err := r.install(ctx, func() error { return r.upgrade(ctx, oneShard) }); err != nil {
		return err
	}
	return r.testAgain(ctx)
}

// testAgain checks that `helm test` fails without a gateway, and passes again with a gateway.
func (r *run) testAgain(ctx context.Context) error {
	if _, err := r.kube(ctx, "scale", "deployment/gateway", "--replicas=0"); err != nil {
		return err
	}
	// While a gateway is stopping, helm test may pass.
	if _, err := r.kube(ctx, "wait", "--for=delete", "pod", "-l", ours+",app.kubernetes.io/name=gateway",
		"--timeout=60s"); err != nil {
		return err
	}
	if _, err := r.chart(ctx, "test", release, "--timeout", "10s"); err == nil {
		return errors.New("helm test passed without a gateway, want a failure")
	}
	if _, err := r.kube(ctx, "scale", "deployment/gateway", "--replicas=1"); err != nil {
		return err
	}
	if err := r.rolledOut(ctx); err != nil {
		return err
	}
	_, err := r.chart(ctx, "test", release, "--timeout", "2m")
	return err
}

// chart1 is an old chart to upgrade from. Its instances are StatefulSets, and its release contains the Secret with the
// password.
const chart1 = "test/k8s/testdata/checkout-1.0.0.tgz"

func (r *run) installChart1(ctx context.Context) error {
	return r.install(ctx, func() error {
		values := "batchInit=true,console=true,machine.memoryMi=256,redis.maxmemoryMi=256,redis.storage.size=2Gi,"
		return r.deploy(ctx, chart1, "--set", values+twoShards)
	})
}

// upgradeChart1 upgrades from chart 1 under load, with the commands in docs/deploy.md. No request may fail, the
// password must stay the same, and no Redis may restart.
func (r *run) upgradeChart1(ctx context.Context) error {
	instances := []string{"statefulset", "order", "stock", "payment"}
	sets := func(args ...string) error {
		_, err := r.kube(ctx, slices.Concat(args[:1], instances, args[1:])...)
		return err
	}
	password, err := r.password(ctx)
	if err != nil {
		return err
	}
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	return r.underLoad(ctx, 0, func(*shop.Shop) error {
		if err := sets("annotate", "helm.sh/resource-policy=keep"); err != nil {
			return err
		}
		if err := r.change(ctx, "upgraded", func() error { return r.upgrade(ctx, twoShards) }); err != nil {
			return err
		}
		if err := sets("scale", "--replicas=1"); err != nil {
			return err
		}
		if _, err := r.kube(ctx, "wait", "--for=delete", "pod/order-2", "pod/stock-2", "pod/payment-2",
			"--timeout=60s"); err != nil {
			return err
		}
		if err := r.change(ctx, "old instances removed", func() error { return sets("delete") }); err != nil {
			return err
		}
		now, err := r.restarts(ctx)
		if err != nil {
			return err
		}
		for pod := range now {
			if strings.Contains(pod, "-redis-") && now[pod] != before[pod] {
				return fmt.Errorf("the upgrade has replaced or restarted Redis pod %s: UID/restarts were %s, are %s",
					pod, before[pod], now[pod])
			}
		}
		kept, err := r.password(ctx)
		if err == nil && kept != password {
			err = errors.New("the upgrade has changed the password")
		}
		return err
	})
}

// install creates an empty namespace, installs the system with the given function, and checks that the system works.
func (r *run) install(ctx context.Context, do func() error) error {
	if err := r.newNamespace(ctx); err != nil {
		return err
	}
	if err := r.change(ctx, "installed", do); err != nil {
		return err
	}
	restarts, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	for pod, n := range restarts {
		if _, counts, _ := strings.Cut(n, "/"); counts == "" || strings.Trim(counts, "0,") != "" {
			return fmt.Errorf("install: pod %s: restart counts are %q, want only 0", pod, counts)
		}
	}
	if _, err := r.chart(ctx, "test", release, "--timeout", "2m"); err != nil {
		return err
	}
	r.Logf("helm test checked out an order")
	return r.buy(ctx)
}

// suite runs the Python suite and the consistency run. Then it deletes all data: both scripts overwrite paid
// orders with batch_init, and a later audit would report these orders as violations.
func (r *run) suite(ctx context.Context) (err error) {
	url := "http://gateway." + r.namespace + ".svc.cluster.local"
	if len(r.inside) == 0 {
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

// reinstall uninstalls and reinstalls the system. All data must still exist.
func (r *run) reinstall(ctx context.Context) error {
	s, err := r.openShop(ctx, false)
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

// uninstall uninstalls the system, and checks that the volumes of all three shards remain. Then it checks that the
// chart refuses an installation with two shards.
func (r *run) uninstall(ctx context.Context) error {
	if err := r.remove(ctx, 9); err != nil {
		return err
	}
	return r.shrink(ctx)
}

// remove uninstalls the system, and checks that only its volumes and the password remain.
func (r *run) remove(ctx context.Context, volumes int) error {
	if _, err := r.chart(ctx, "uninstall", release); err != nil {
		return err
	}
	return r.onlyVolumes(ctx, volumes, "secret/redis-password")
}

// onlyVolumes waits until the namespace contains only this number of volumes and the given other objects.
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
