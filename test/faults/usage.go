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

// usage is what an instance uses, or may use, when it is idle.
type usage struct {
	goroutines, files int
	resident          int // MiB
	heap              int // KiB in use after a garbage collection
}

// usageLimit returns what an idle instance may use after so many concurrent clients. Connections of the clients,
// connections between the processes, and the workers of each shard remain. A leak per request exceeds the limit by
// hundreds.
func (s *system) usageLimit(clients int) usage {
	kept := 80 + 6*clients + 20*s.trial.size.Instances*s.trial.size.Shards
	return usage{goroutines: kept, files: kept, resident: 200, heap: 8 << 10}
}

// exceeds describes what is above the limit.
func (u usage) exceeds(limit usage) (found []string) {
	for _, one := range []struct {
		what       string
		has, limit int
	}{
		{"goroutines", u.goroutines, limit.goroutines}, {"open files", u.files, limit.files},
		{"MiB of memory", u.resident, limit.resident}, {"KiB of live heap", u.heap, limit.heap},
	} {
		if one.has > one.limit {
			found = append(found, fmt.Sprintf("%d %s when idle, but at most %d are allowed", one.has, one.what, one.limit))
		}
	}
	return found
}

// leaks describes the instances that use more than the limit. It passes what each instance uses to record.
func (s *system) leaks(ctx context.Context, limit usage, record func(usage)) (found []string, err error) {
	for _, p := range s.Processes() {
		service, _, _ := strings.Cut(p.Name, "-")
		if !slices.Contains(stack.Services(), service) {
			continue
		}
		u, err := s.usage(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		record(u)
		for _, excess := range u.exceeds(limit) {
			found = append(found, p.Name+" has "+excess)
		}
	}
	return found, nil
}

// usage reads what an instance uses, from its profiles and from the kernel.
func (s *system) usage(ctx context.Context, p stack.Process) (u usage, err error) {
	heap, err := s.profile(ctx, p.Name, "heap?gc=1&debug=1")
	if err != nil {
		return u, err
	}
	if _, after, ok := strings.Cut(heap, "# HeapAlloc = "); !ok {
		return u, fmt.Errorf("heap profile: no HeapAlloc in %.80q", heap)
	} else if _, err := fmt.Sscan(after, &u.heap); err != nil {
		return u, err
	}
	u.heap >>= 10
	goroutines, err := s.profile(ctx, p.Name, "goroutine?debug=1")
	if err != nil {
		return u, err
	}
	if _, err := fmt.Sscanf(goroutines, "goroutine profile: total %d", &u.goroutines); err != nil {
		return u, fmt.Errorf("goroutine profile: %.80q: %w", goroutines, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	u.files, u.resident = len(files), residentMiB(p.PID)
	return u, err
}

// profile reads a profile of an instance.
func (s *system) profile(ctx context.Context, instance, name string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", internalURL(s.Stack, instance)+"/debug/pprof/"+name, nil)
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

// recordUsage records what an idle instance uses.
func (tr *trial) recordUsage(u usage) {
	tr.recordMax("goroutines of an idle instance", u.goroutines)
	tr.recordMax("open files of an idle instance", u.files)
	tr.recordMax("MiB of an idle instance", u.resident)
	tr.recordMax("KiB of live heap of an idle instance", u.heap)
}
