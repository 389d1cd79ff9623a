package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkout/test/shop"
)

const snapshotTimeout = "--timeout=5m"

// snapshotClasses returns a storage class whose CSI driver takes snapshots, and the class of these snapshots. If there
// is no such storage class, both results are empty.
func (r *run) snapshotClasses(ctx context.Context) (storage, snapshots string, err error) {
	list, err := r.kube(ctx, "get", "volumesnapshotclass", "-o",
		`jsonpath={range .items[*]}{.driver} {.metadata.name}{"\n"}{end}`)
	if err != nil {
		if strings.Contains(err.Error(), "the server doesn't have a resource type") {
			err = nil
		}
		return "", "", err
	}
	classes := map[string]string{} // by driver
	for line := range strings.Lines(list) {
		driver, class, _ := strings.Cut(strings.TrimSpace(line), " ")
		classes[driver] = class
	}
	list, err = r.kube(ctx, "get", "storageclass", "-o",
		`jsonpath={range .items[*]}{.provisioner} {.metadata.name}{"\n"}{end}`)
	for line := range strings.Lines(list) {
		driver, class, _ := strings.Cut(strings.TrimSpace(line), " ")
		if classes[driver] != "" {
			return class, classes[driver], err
		}
	}
	return "", "", err
}

// backUp returns a step that tests backups. The step:
//   - installs the system with the given values
//   - takes a backup under load, and one without load
//   - changes the data, and restores the second backup
//   - restores the changed data, from the backup that k8s/restore took before it replaced this data
func (r *run) backUp(values string) func(context.Context) error {
	return func(ctx context.Context) error {
		storage, snapshots, err := r.snapshotClasses(ctx)
		if err != nil {
			return err
		}
		if storage == "" {
			r.Logf("skipped: the cluster has no storage class whose driver has a VolumeSnapshotClass")
			return nil
		}
		values := fmt.Sprintf("%s,backup.enabled=true,backup.snapshotClass=%s,redis.storage.class=%s", values, snapshots,
			storage)
		if err := r.install(ctx, func() error { return r.upgradeReplicated(ctx, values) }); err != nil {
			return err
		}
		before, err := r.openShop(ctx, true)
		if err != nil {
			return err
		}
		err = r.backUpNow(ctx, before, "loaded")
		if err == nil {
			err = before.AwaitDecided(ctx, buys, recoveryTimeout)
		}
		if err := errors.Join(err, r.closeShop(ctx, before, anyNumber)); err != nil {
			return err
		}
		if err := r.backUpNow(ctx, before, "idle"); err != nil {
			return err
		}
		after, err := r.openShop(ctx, false)
		if err != nil {
			return err
		}
		if err := r.closeShop(ctx, after, 0); err != nil {
			return err
		}
		return r.restoreBoth(ctx, before, after)
	}
}

// backUpNow runs the CronJob of the backups once. For the backup "loaded", which runs under load, it also logs the
// longest time without a paid order.
func (r *run) backUpNow(ctx context.Context, s *shop.Shop, name string) error {
	began := time.Now()
	if _, err := r.kube(ctx, "create", "job", "backup-"+name, "--from=cronjob/backup"); err != nil {
		return err
	}
	_, err := r.kube(ctx, "wait", "job/backup-"+name, "--for=condition=Complete", snapshotTimeout)
	log, logErr := r.kube(ctx, "logs", "job/backup-"+name)
	if err = errors.Join(err, logErr); err != nil {
		return fmt.Errorf("%w\n%s", err, log)
	}
	if _, err := r.kube(ctx, "rollout", "status", "deployment/gateway", "--timeout=1m"); err != nil {
		return err
	}
	r.Logf("backup %s: complete after %.1f s", name, time.Since(began).Seconds())
	if name == "loaded" {
		if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
			return err
		}
		r.Logf("no order was paid for %.1f s", longestGap(s.PaidTimes(), began).Seconds())
	}
	return nil
}

// restoreBoth restores the last backup, which has only the data of the shop "before". Then it restores the backup of
// the replaced data, which has the data of both shops.
func (r *run) restoreBoth(ctx context.Context, before, after *shop.Shop) error {
	list, err := r.script(ctx, "k8s/restore")
	if err != nil {
		return err
	}
	backups := strings.Split(list, "\n")
	backup, _, _ := strings.Cut(backups[len(backups)-1], " ")
	if len(backups) != 2 {
		return fmt.Errorf("k8s/restore lists the backups %q, want two", backups)
	}
	out, err := r.restore(ctx, backup)
	if err != nil {
		return err
	}
	if err := r.audit(ctx, before); err != nil {
		return err
	}
	user := "/payment/find_user/" + after.Users[0]
	if found := before.Client.Call("GET", user); found.Status != 404 {
		return fmt.Errorf("find a user created after the backup: got %v, want 404", found)
	}
	_, replaced, _ := strings.Cut(out, "the current data is the backup ")
	replaced, _, _ = strings.Cut(replaced, "\n")
	if _, err := r.restore(ctx, replaced); err != nil {
		return err
	}
	if err := errors.Join(r.audit(ctx, before), r.audit(ctx, after)); err != nil {
		return err
	}
	return r.buy(ctx)
}

// restore restores a backup, and returns the output of k8s/restore.
func (r *run) restore(ctx context.Context, backup string) (out string, err error) {
	err = r.change(ctx, "restored "+backup, func() (err error) {
		out, err = r.script(ctx, "k8s/restore", backup)
		return err
	})
	return out, err
}

func (r *run) script(ctx context.Context, args ...string) (string, error) {
	env := []string{"env", "NAMESPACE=" + r.namespace, "RELEASE=" + release, "KUBECTL=" + strings.Join(r.kubectl, " ")}
	return output(ctx, "", slices.Concat(env, args))
}

// resize enlarges the volumes under load, as docs/operations.md describes. No request may fail, and no Redis may
// restart.
func (r *run) resize(ctx context.Context) error {
	class, err := r.kube(ctx, "get", "storageclass", "-o",
		`jsonpath={.items[?(@.allowVolumeExpansion==true)].metadata.name}`)
	if err != nil {
		return err
	}
	if class, _, _ = strings.Cut(class, " "); class == "" {
		r.Logf("skipped: the cluster has no storage class with allowVolumeExpansion")
		return nil
	}
	values := oneShard + ",redis.storage.class=" + class
	if err := r.install(ctx, func() error { return r.upgrade(ctx, values) }); err != nil {
		return err
	}
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	const size = "3Gi"
	return r.underLoad(ctx, 0, func(*shop.Shop) error {
		began := time.Now()
		claims, err := r.kube(ctx, "get", "pvc", "-l", ours, "-o", "name")
		if err != nil {
			return err
		}
		patch := []string{"patch", "-p", `{"spec":{"resources":{"requests":{"storage":"` + size + `"}}}}`}
		if _, err := r.kube(ctx, append(patch, strings.Fields(claims)...)...); err != nil {
			return err
		}
		if _, err := r.kube(ctx, "wait", "pvc", "-l", ours, "--for=jsonpath={.status.capacity.storage}="+size,
			"--timeout=5m"); err != nil {
			return err
		}
		r.Logf("the volumes have %s after %.1f s", size, time.Since(began).Seconds())
		if _, err := r.kube(ctx, "delete", "statefulset", "-l", ours, "--cascade=orphan"); err != nil {
			return err
		}
		if err := r.change(ctx, "upgraded", func() error {
			return r.upgrade(ctx, values+",redis.storage.size="+size)
		}); err != nil {
			return err
		}
		now, err := r.restarts(ctx)
		for pod := range now {
			if strings.Contains(pod, "-redis-") && now[pod] != before[pod] {
				return fmt.Errorf("pod %s: UID/restarts were %s, are %s; want no restart", pod, before[pod], now[pod])
			}
		}
		return err
	})
}

// replicate upgrades a system under load from single shards to replicated shards, as docs/operations.md describes.
// The chart must refuse the upgrade until k8s/replicate has run. All data must stay.
func (r *run) replicate(ctx context.Context) error {
	if err := r.install(ctx, func() error { return r.upgradeReplicated(ctx, oneShard) }); err != nil {
		return err
	}
	s, err := r.openShop(ctx, true)
	if err != nil {
		return err
	}
	err = r.upgradeReplicated(ctx, replicatedShards)
	if err == nil || !strings.Contains(err.Error(), "Run k8s/replicate first") {
		err = errors.Join(errors.New(`upgrade before k8s/replicate: no error "Run k8s/replicate first"`), err)
		return errors.Join(err, r.closeShop(ctx, s, anyNumber))
	}
	began := time.Now()
	_, err = r.script(ctx, "k8s/replicate")
	if err == nil {
		err = r.change(ctx, "upgraded", func() error { return r.upgradeReplicated(ctx, replicatedShards) })
	}
	if err == nil {
		err = s.AwaitDecided(ctx, buys, recoveryTimeout)
	}
	r.Logf("no order was paid for %.0f s", longestGap(s.PaidTimes(), began).Seconds())
	return errors.Join(err, r.closeShop(ctx, s, anyNumber))
}
