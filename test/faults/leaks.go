package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"checkout/test/stack"
)

// holding is what a machine holds when all is quiet, or may hold.
type holding struct {
	goroutines, files int
	resident          int // MiB
	heap              int // KiB that are in use when the garbage has just been collected
}

// mayHold is what a machine may hold when all is quiet and so many customers have used it at the same time. Their connections, those
// between the parts and the workers of each shard stay; what a request leaves behind would be there hundreds of times.
func (s *system) mayHold(customers int) holding {
	kept := 80 + 6*customers + 20*s.trial.size.Instances*s.trial.size.Shards
	return holding{goroutines: kept, files: kept, resident: 200, heap: 8 << 10}
}

// beyond tells of which things a machine holds more than it may.
func (h holding) beyond(most holding) (found []string) {
	for _, one := range []struct {
		what      string
		has, most int
	}{
		{"goroutines", h.goroutines, most.goroutines}, {"open files", h.files, most.files},
		{"MiB of memory", h.resident, most.resident}, {"KiB of live heap", h.heap, most.heap},
	} {
		if one.has > one.most {
			found = append(found, fmt.Sprintf("%d %s when all is quiet, and may hold %d", one.has, one.what, one.most))
		}
	}
	return found
}

// leaks are the machines that hold more than they may; look is told what each holds.
func (s *system) leaks(ctx context.Context, most holding, look func(holding)) (found []string, err error) {
	for _, p := range s.Processes() {
		service, _, _ := strings.Cut(p.Name, "-")
		if !slices.Contains(stack.Services(), service) {
			continue
		}
		has, err := s.holds(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		look(has)
		for _, what := range has.beyond(most) {
			found = append(found, p.Name+" holds "+what)
		}
	}
	return found, nil
}

// holds asks a machine, and the kernel, what it holds.
func (s *system) holds(ctx context.Context, p stack.Process) (h holding, err error) {
	heap, err := s.profile(ctx, p.Name, "heap?gc=1&debug=1")
	if err != nil {
		return h, err
	}
	if _, after, ok := strings.Cut(heap, "# HeapAlloc = "); !ok {
		return h, fmt.Errorf("no heap in %.80q", heap)
	} else if _, err := fmt.Sscan(after, &h.heap); err != nil {
		return h, err
	}
	h.heap >>= 10
	goroutines, err := s.profile(ctx, p.Name, "goroutine?debug=1")
	if err != nil {
		return h, err
	}
	if _, err := fmt.Sscanf(goroutines, "goroutine profile: total %d", &h.goroutines); err != nil {
		return h, fmt.Errorf("%.80q: %w", goroutines, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	h.files, h.resident = len(files), residentMiB(p.PID)
	return h, err
}

// profile reads one of a machine's profiles.
func (s *system) profile(ctx context.Context, machine, name string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", s.internal(machine)+"/debug/pprof/"+name, nil)
	if err != nil {
		return "", err
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// internal is the address of a machine's internal door.
func (s *system) internal(machine string) string {
	for _, service := range stack.Services() {
		for i, url := range s.InternalURLs(service) {
			if machine == fmt.Sprintf("%s-%d", service, i+1) {
				return url
			}
		}
	}
	panic("no machine is called " + machine)
}

// hold keeps what a machine has held for the report.
func (tr *trial) hold(h holding) {
	tr.most("goroutines of a machine at quiet", h.goroutines)
	tr.most("open files of a machine at quiet", h.files)
	tr.most("MiB of a machine at quiet", h.resident)
	tr.most("KiB of live heap of a machine at quiet", h.heap)
}

// most keeps the largest figure of a kind for the report.
func (tr *trial) most(what string, n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name := "most " + what
	tr.counts[name] = max(tr.counts[name], n)
}
