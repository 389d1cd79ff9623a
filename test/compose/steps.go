package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (r *run) config(ctx context.Context) error {
	_, err := r.project.compose(ctx, "config", "-q")
	return err
}

// demo checks that compose.demo.yml runs the same system as docker-compose.yml, without builds.
func (r *run) demo(ctx context.Context) error {
	want, err := r.project.rendered(ctx, "docker-compose.yml")
	if err != nil {
		return err
	}
	services, _ := want["services"].(map[string]any)
	for _, service := range services {
		delete(service.(map[string]any), "build")
	}
	got, err := r.project.rendered(ctx, "compose.demo.yml")
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) || len(services) == 0 {
		return fmt.Errorf("compose.demo.yml: got %v, want %v", got, want)
	}
	return nil
}

func (r *run) build(ctx context.Context) error {
	if _, err := r.project.compose(ctx, "--profile", "template", "build"); err != nil {
		return err
	}
	return r.checkImages(ctx)
}

// firstUps deletes all data and starts the system, three times. The system must work, and no container may restart. At
// the second start, every Redis has a password. The images must not contain this password.
func (r *run) firstUps(ctx context.Context) error {
	for i := range firstUps {
		if _, err := r.project.compose(ctx, "down", "--volumes", "--remove-orphans"); err != nil {
			return err
		}
		password := ""
		if i == 1 {
			password = fmt.Sprintf("not a secret %016x", rand.Uint64())
		}
		began := time.Now()
		starting, cancel := context.WithTimeout(ctx, upTimeout)
		_, err := r.project.composeWith(starting, password, "up", "--build", "--detach")
		cancel()
		if err != nil {
			return err
		}
		if err := r.openShop(ctx); err != nil {
			return err
		}
		if err := r.shop.Buy(ctx, recoveryTimeout); err != nil {
			return err
		}
		r.Logf("start %d: first checkout paid after %.1f s", i+1, time.Since(began).Seconds())
		if err := r.project.waitHealthy(ctx); err != nil {
			return err
		}
		all, err := r.project.inspect(ctx)
		if err != nil {
			return err
		}
		for _, name := range r.project.all() {
			if n := all[name].RestartCount; n != 0 {
				return fmt.Errorf("start container %s: it restarted %d times", name, n)
			}
		}
		if password == "" {
			continue
		}
		if err := r.checkSecret(ctx, password); err != nil {
			return err
		}
	}
	return nil
}

// grow returns a step that adds instances and shards under load with compose/scale, as an operator does.
func (r *run) grow(instances, shards int) func(context.Context) error {
	return func(ctx context.Context) error {
		r.project.instances, r.project.shards = instances, shards
		return r.scale(ctx, "growth")
	}
}

// scale changes the running system to the project's numbers of instances, shards and nodes, under load. No data may be
// lost.
func (r *run) scale(ctx context.Context, what string) error {
	p, file := r.project, filepath.Join(r.dir, "scaled.yml")
	p.files = []string{p.files[0], file}
	if err := p.script(ctx, "scale", strconv.Itoa(p.instances), strconv.Itoa(p.shards), file); err != nil {
		return err
	}
	err := r.underLoad(ctx, what, func() error {
		_, err := p.compose(ctx, "up", "--build", "--detach")
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.stillWorks(ctx)
	return err
}

// script returns a step that runs a Python script. The script's batch_init overwrites paid orders, so the step then
// deletes all data and creates new users and items.
func (r *run) script(script ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		failed := r.Python(ctx, r.python, r.project.gatewayURL(), script...)
		shards, err := r.project.openShards(ctx)
		if err == nil {
			err = shards.Empty(ctx)
			shards.Close()
		}
		if err == nil {
			err = r.openShop(ctx)
		}
		return errors.Join(failed, err)
	}
}

// kills sends SIGKILL to the processes of groups of containers: all instances, all shards, all containers, and each
// container alone. Docker must restart only the killed containers. No acknowledged data may be lost.
func (r *run) kills(ctx context.Context) error {
	victims := [][]string{r.project.allInstances(), r.project.allRedis(), r.project.all()}
	for _, one := range r.project.all() {
		victims = append(victims, []string{one})
	}
	for _, group := range victims {
		before, err := r.project.inspect(ctx)
		if err != nil {
			return err
		}
		if err := r.project.kill(ctx, group...); err != nil {
			return err
		}
		took, err := r.stillWorks(ctx)
		if err != nil {
			return fmt.Errorf("after SIGKILL of %v: %w", group, err)
		}
		after, err := r.project.inspect(ctx)
		if err != nil {
			return err
		}
		for _, name := range r.project.all() {
			restarted := after[name].State.StartedAt != before[name].State.StartedAt
			if killed := slices.Contains(group, name); killed != restarted || after[name].ID != before[name].ID {
				return fmt.Errorf("after SIGKILL of %v: container %s: restarted: %v, want %v; ID %s, want %s",
					group, name, restarted, killed, after[name].ID, before[name].ID)
			}
		}
		r.Logf("%s: checkout paid after %.1f s", strings.Join(group, ", "), took.Seconds())
	}
	return nil
}

// recreate replaces the container of each instance, like an update. The gateway keeps running.
func (r *run) recreate(ctx context.Context) error {
	for _, name := range r.project.allInstances() {
		if _, err := r.project.compose(ctx, "up", "--detach", "--no-deps", "--force-recreate", name); err != nil {
			return err
		}
		if _, err := r.stillWorks(ctx); err != nil {
			return fmt.Errorf("replace container %s: %w", name, err)
		}
	}
	return nil
}

// backup backs up all data under load, deletes the data, and restores the backup. Then orders from before the backup
// must exist, and a later order must not exist.
func (r *run) backup(ctx context.Context) error {
	if _, err := r.stillWorks(ctx); err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "backup")
	if err := r.underLoad(ctx, "backup", func() error { return r.project.script(ctx, "backup", dir) }); err != nil {
		return err
	}
	later := r.shop.Client.Call("POST", "/orders/create/"+r.shop.Users[0])
	if !later.OK() {
		return fmt.Errorf("create an order after the backup: %v", later)
	}
	if _, err := r.project.compose(ctx, "down", "--volumes"); err != nil {
		return err
	}
	if err := r.project.script(ctx, "restore", dir); err != nil {
		return err
	}
	if _, err := r.stillWorks(ctx); err != nil {
		return err
	}
	if response := r.shop.Client.Checkout(later.Field("order_id")); response.Status != http.StatusNotFound {
		return fmt.Errorf("check out an order newer than the backup: %v, want 404", response)
	}
	return nil
}

// restart stops the system. Every process must exit with code 0 within its grace period. Then restart removes the
// containers and starts new containers with the same volumes.
func (r *run) restart(ctx context.Context) error {
	if _, err := r.project.compose(ctx, "stop"); err != nil {
		return err
	}
	all, err := r.project.inspect(ctx)
	if err != nil {
		return err
	}
	for _, name := range r.project.all() {
		if state := all[name].State; state.Running || state.ExitCode != 0 {
			return fmt.Errorf("stop %s: exit code %d, want 0 (137: killed after the grace period)", name, state.ExitCode)
		}
	}
	if _, err := r.project.compose(ctx, "down"); err != nil {
		return err
	}
	if _, err := r.project.compose(ctx, "up", "--detach"); err != nil {
		return err
	}
	_, err = r.stillWorks(ctx)
	return err
}
