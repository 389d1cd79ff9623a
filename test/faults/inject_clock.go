package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"checkout/test/stack"
)

// farthest is how far a Redis' clock is put wrong: two of them differ by less than the protocol's 30 s.
const farthest = 12 * time.Second

// wrongClock is the source of a library that puts a clock wrong. (A C file beside Go files would have to be built by cgo.)
//
//go:embed clock/wrong.c
var wrongClock []byte

// fakeClocks gives every Redis a clock of its own: a file in dir says how far it is off.
func fakeClocks(ctx context.Context, size stack.Size, dir string) (map[string][]string, error) {
	source, library := filepath.Join(dir, "wrong.c"), filepath.Join(dir, "wrong.so")
	if err := os.WriteFile(source, wrongClock, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", library, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %w\n%s", err, out)
	}
	env := map[string][]string{}
	for _, name := range parts("redis")(size) {
		file := filepath.Join(dir, name)
		if err := setClock(file, 0); err != nil {
			return nil, err
		}
		env[name] = []string{"LD_PRELOAD=" + library, "WRONG_CLOCK=" + file}
	}
	return env, nil
}

// setClock says how far a clock is off. The file stays the same one: it is mapped, and 8 bytes are read at once.
func setClock(name string, by time.Duration) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(binary.NativeEndian.AppendUint64(nil, uint64(by)))
	return errors.Join(err, file.Close())
}

// wrong is how far a dose puts a clock wrong.
func wrong(dose float64, most time.Duration) time.Duration {
	return time.Duration((2*dose - 1) * float64(most))
}

func clocks(prefixes ...string) func(stack.Size) []string {
	return func(size stack.Size) []string {
		var all []string
		for _, name := range parts(prefixes...)(size) {
			all = append(all, "clock of "+name)
		}
		return all
	}
}

// jumping puts a Redis' clock forward or back at once, and back again.
var jumping = &injector{
	kind: "Redis clock jumps", targets: clocks("redis"), shortest: time.Second, until: 8 * time.Second, weight: 2,
	inject: func(m *mixing, i injection) (func() error, error) {
		file := filepath.Join(m.clocks, i.target[len("clock of "):])
		return func() error { return setClock(file, 0) }, setClock(file, wrong(i.dose, farthest))
	},
}

// drifting has a Redis' clock go too fast or too slow, until it is put right.
var drifting = &injector{
	kind: "Redis clock drifts", targets: clocks("redis"), shortest: 3 * time.Second, until: 9 * time.Second, weight: 1,
	inject: func(m *mixing, i injection) (func() error, error) {
		file := filepath.Join(m.clocks, i.target[len("clock of "):])
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			const steps = 20
			for step := 1; step <= steps; step++ {
				if err := setClock(file, wrong(i.dose, farthest)*time.Duration(step)/steps); err != nil {
					stopped <- err
					return
				}
				select {
				case <-stop:
					stopped <- nil
					return
				case <-time.After(i.lasts / steps):
				}
			}
			<-stop
			stopped <- nil
		}()
		return func() error {
			close(stop)
			return errors.Join(<-stopped, setClock(file, 0))
		}, nil
	},
}

// misleading puts the clock of a machine wrong, by up to an hour: it mints IDs by it, and measures others' clocks.
var misleading = &injector{
	kind: "machine clock jumps", targets: clocks("order", "stock", "payment"), shortest: time.Second, until: 8 * time.Second, weight: 1,
	inject: func(m *mixing, i injection) (func() error, error) {
		door := m.internal(i.target[len("clock of "):])
		set := func(by time.Duration) error {
			response, err := http.Post(door+"/internal/clock?offset="+by.String(), "", nil)
			if err != nil {
				return nil // it is away, and starts with a right clock
			}
			return response.Body.Close()
		}
		return func() error { return set(0) }, set(wrong(i.dose, time.Hour))
	},
}
