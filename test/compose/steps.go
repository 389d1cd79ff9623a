package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (r *run) config(ctx context.Context) error {
	_, err := r.project.compose(ctx, "config", "-q")
	return err
}

func (r *run) build(ctx context.Context) error {
	if _, err := r.project.compose(ctx, "build"); err != nil {
		return err
	}
	return r.checkImages(ctx)
}

// firstUps starts the system from nothing. It must answer at once and without a container having died on the way. One of the times
// every Redis has a password, of which the images must know nothing.
func (r *run) firstUps(ctx context.Context) error {
	for i := range firstUps {
		if _, err := r.project.compose(ctx, "down", "--volumes", "--remove-orphans"); err != nil {
			return err
		}
		password := ""
		if i == 1 {
			password = fmt.Sprintf("not a secret %016x", rand.Uint64())
		}
		begun := time.Now()
		starting, cancel := context.WithTimeout(ctx, upWithin)
		_, err := r.project.composeWith(starting, password, "up", "--build", "--detach")
		cancel()
		if err != nil {
			return err
		}
		first, err := r.buy(ctx)
		if err != nil {
			return err
		}
		r.bought = []purchase{first}
		r.say("  %d: the first checkout is paid %.1f s after the command", i+1, time.Since(begun).Seconds())
		if err := r.project.waitHealthy(ctx); err != nil {
			return err
		}
		all, err := r.project.containers(ctx)
		if err != nil {
			return err
		}
		for _, service := range r.project.everyone() {
			if n := all[service].RestartCount; n != 0 {
				return fmt.Errorf("%s was started again %d times", service, n)
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

// grow gives a system that is in use more machines and more Redis, as a person would. What it held it still holds.
func (r *run) grow(machines, shards int) func(context.Context) error {
	return func(ctx context.Context) error {
		file := filepath.Join(r.dir, "scaled.yml")
		if err := r.project.script(ctx, "scale", strconv.Itoa(machines), strconv.Itoa(shards), file); err != nil {
			return err
		}
		r.project.machines, r.project.shards, r.project.files = machines, shards, append(r.project.files, file)
		err := r.underLoad(ctx, "growth", func() error {
			_, err := r.project.compose(ctx, "up", "--build", "--detach")
			return err
		})
		if err != nil {
			return err
		}
		return r.keeps(ctx)
	}
}

// buy buys as soon as the system lets it.
func (r *run) buy(ctx context.Context) (bought purchase, err error) {
	err = poll(ctx, returnsWithin, func() error {
		bought, err = r.shop.buy(ctx)
		return err
	})
	return bought, err
}

// keeps tells whether everything that was bought still reads as it did, and buys once more.
func (r *run) keeps(ctx context.Context) error {
	for _, p := range r.bought {
		if err := poll(ctx, returnsWithin, func() error { return r.shop.holds(ctx, p) }); err != nil {
			return err
		}
	}
	one, err := r.buy(ctx)
	r.bought = append(r.bought, one)
	return err
}

// script returns a step that runs Python in test/ against the gateway.
func (r *run) script(arguments ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, r.python, arguments...)
		cmd.Dir = "test"
		cmd.Env = append(os.Environ(), "GATEWAY_URL="+r.shop.gateway)
		cmd.Stdout, cmd.Stderr = r.stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 5 * time.Second
		return cmd.Run()
	}
}

// kills ends processes with SIGKILL: each alone, all services, every Redis, and all there is. They must come back by themselves, with
// everything that was told to a caller, and the gateway must find them without being started again.
func (r *run) kills(ctx context.Context) error {
	victims := [][]string{r.project.allMachines(), r.project.allShards(), r.project.everyone()}
	for _, one := range r.project.everyone() {
		victims = append(victims, []string{one})
	}
	for _, group := range victims {
		before, err := r.project.containers(ctx)
		if err != nil {
			return err
		}
		if err := r.project.kill(ctx, group...); err != nil {
			return err
		}
		begun := time.Now()
		if err := r.keeps(ctx); err != nil {
			return fmt.Errorf("after SIGKILL of %v: %w", group, err)
		}
		took := time.Since(begun)
		if err := r.project.waitHealthy(ctx); err != nil {
			return fmt.Errorf("after SIGKILL of %v: %w", group, err)
		}
		after, err := r.project.containers(ctx)
		if err != nil {
			return err
		}
		for _, service := range r.project.everyone() {
			restarted := after[service].State.StartedAt != before[service].State.StartedAt
			if killed := slices.Contains(group, service); killed != restarted || after[service].ID != before[service].ID {
				return fmt.Errorf("after SIGKILL of %v: %s: started again: %v, container %s", group, service, restarted, after[service].ID)
			}
		}
		r.say("  %s: paid again after %.1f s", strings.Join(group, ", "), took.Seconds())
	}
	return nil
}

// recreate replaces a service's container, as an update does, under the eyes of a gateway that stays.
func (r *run) recreate(ctx context.Context) error {
	for _, machine := range r.project.allMachines() {
		if _, err := r.project.compose(ctx, "up", "--detach", "--no-deps", "--force-recreate", machine); err != nil {
			return err
		}
		if err := r.keeps(ctx); err != nil {
			return err
		}
	}
	return r.project.waitHealthy(ctx)
}

// backup copies all data while callers buy, loses it, and puts it back: what was bought before is there, what was bought afterwards
// is not, and can be bought.
func (r *run) backup(ctx context.Context) error {
	if err := r.keeps(ctx); err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "backup")
	if err := r.underLoad(ctx, "backup", func() error { return r.project.script(ctx, "backup", dir) }); err != nil {
		return err
	}
	later, err := r.shop.fill(ctx)
	if err != nil {
		return err
	}
	if _, err := r.project.compose(ctx, "down", "--volumes"); err != nil {
		return err
	}
	if err := r.project.script(ctx, "restore", dir); err != nil {
		return err
	}
	if err := r.keeps(ctx); err != nil {
		return err
	}
	if status, err := r.shop.checkout(ctx, later.order); status != http.StatusNotFound {
		return fmt.Errorf("an order of after the backup: %d, %v", status, err)
	}
	return nil
}

// restart stops the system: every process must end by itself, in time and without an error. It then removes the containers and starts
// others on the same volumes.
func (r *run) restart(ctx context.Context) error {
	if _, err := r.project.compose(ctx, "stop"); err != nil {
		return err
	}
	all, err := r.project.containers(ctx)
	if err != nil {
		return err
	}
	for _, service := range r.project.everyone() {
		if state := all[service].State; state.Running || state.ExitCode != 0 {
			return fmt.Errorf("%s was stopped with exit code %d (137: killed, after its time was over)", service, state.ExitCode)
		}
	}
	if _, err := r.project.compose(ctx, "down"); err != nil {
		return err
	}
	if _, err := r.project.compose(ctx, "up", "--detach"); err != nil {
		return err
	}
	return r.keeps(ctx)
}
