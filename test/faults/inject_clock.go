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
	"strings"
	"time"

	"checkout/test/stack"
)

// maxRedisOffset is the largest offset of a Redis clock. Two clocks then differ by at most 24 s, which is less than the
// 30 s that the protocol allows.
const maxRedisOffset = 12 * time.Second

// offsetSource is the source of a library that offsets the clock of a process. The source is in a separate folder,
// because Go allows C files only in the folders of packages that use cgo.
//
//go:embed clock/offset.c
var offsetSource []byte

// offsetClocks makes the clocks of the Redis servers with these names adjustable. It returns the environment of each
// server. In the given folder, it creates one file per server, which contains the offset. setOffset writes these files.
func offsetClocks(ctx context.Context, names []string, folder string) (map[string][]string, error) {
	source, library := filepath.Join(folder, "offset.c"), filepath.Join(folder, "offset.so")
	if err := os.WriteFile(source, offsetSource, 0o644); err != nil {
		return nil, err
	}
	gcc := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", library, source)
	if out, err := gcc.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", source, err, out)
	}
	env := map[string][]string{}
	for _, name := range names {
		file := filepath.Join(folder, name)
		if err := setOffset(file, 0); err != nil {
			return nil, err
		}
		env[name] = []string{"LD_PRELOAD=" + library, "CLOCK_OFFSET_FILE=" + file}
	}
	return env, nil
}

// setOffset writes the offset of a clock to its file. setOffset overwrites the file in place, because Redis has mapped
// the file.
func setOffset(name string, offset time.Duration) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(binary.NativeEndian.AppendUint64(nil, uint64(offset)))
	return errors.Join(err, file.Close())
}

// offsetOf maps an intensity from 0 to 1 to an offset. The intensity 0 results in the largest negative offset, 0.5 in
// no offset, and 1 in the largest positive offset.
func offsetOf(intensity float64, most time.Duration) time.Duration {
	return time.Duration((2*intensity - 1) * float64(most))
}

func clocks(prefixes ...string) func(stack.Size) []string {
	return func(size stack.Size) []string {
		var all []string
		for _, name := range processes(prefixes...)(size) {
			all = append(all, clockPrefix+name)
		}
		return all
	}
}

func (m *mixRun) clockFile(target string) string {
	return filepath.Join(m.clocks, strings.TrimPrefix(target, clockPrefix))
}

// redisClockJump sets the clock of a Redis forward or back, and corrects it later.
var redisClockJump = &injector{
	kind: "Redis clock jumps", targets: clocks("redis"), shortest: time.Second, longest: 8 * time.Second, weight: 2,
	inject: func(m *mixRun, i injection) (func() error, error) {
		file := m.clockFile(i.target)
		return func() error { return setOffset(file, 0) }, setOffset(file, offsetOf(i.intensity, maxRedisOffset))
	},
}

// redisClockDrift makes the clock of a Redis too fast or too slow, and corrects it later.
var redisClockDrift = &injector{
	kind: "Redis clock drifts", targets: clocks("redis"), shortest: 3 * time.Second, longest: 9 * time.Second, weight: 1,
	inject: func(m *mixRun, i injection) (func() error, error) {
		file := m.clockFile(i.target)
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			const steps = 20
			for step := 1; step <= steps; step++ {
				offset := offsetOf(i.intensity, maxRedisOffset) * time.Duration(step) / steps
				if err := setOffset(file, offset); err != nil {
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
			return errors.Join(<-stopped, setOffset(file, 0))
		}, nil
	},
}

// instanceClockJump offsets the clock of an instance by up to an hour, and corrects it later. The instance uses its
// clock to mint IDs, to date shard maps and to measure clock skew.
var instanceClockJump = &injector{
	kind: "instance clock jumps", targets: clocks("order", "stock", "payment"),
	shortest: time.Second, longest: 8 * time.Second, weight: 1,
	inject: func(m *mixRun, i injection) (func() error, error) {
		url := internalURL(m.Stack, strings.TrimPrefix(i.target, clockPrefix)) + "/internal/clock?offset="
		set := func(offset time.Duration) error {
			response, err := http.Post(url+offset.String(), "application/json", nil)
			if err != nil {
				return nil // the instance is down, and restarts with the correct clock
			}
			return response.Body.Close()
		}
		return func() error { return set(0) }, set(offsetOf(i.intensity, time.Hour))
	},
}
