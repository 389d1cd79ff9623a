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

// usage contains the resources that an idle instance uses, or the limits for them.
type usage struct {
	goroutines, files int
	resident          int // resident memory in MiB
	heap              int // live heap in KiB
}

// usageLimit returns the limits for an instance that is idle after the requests of a number of concurrent clients. The
// limits allow for connections that stay open and for the workers of each shard. If each request leaks a resource, the
// instance exceeds the limits.
func (s *system) usageLimit(clients int) usage {
	kept := 80 + 6*clients + 20*s.trial.size.Instances*s.trial.size.Shards
	return usage{goroutines: kept, files: kept, resident: 200, heap: 8 << 10}
}

// exceeds describes each resource that exceeds its limit.
func (u usage) exceeds(limit usage) (excesses []string) {
	for _, one := range []struct {
		what       string
		has, limit int
	}{
		{"goroutines", u.goroutines, limit.goroutines}, {"open files", u.files, limit.files},
		{"MiB of memory", u.resident, limit.resident}, {"KiB of live heap", u.heap, limit.heap},
	} {
		if one.has > one.limit {
			excesses = append(excesses, fmt.Sprintf("%d %s when idle, want at most %d", one.has, one.what, one.limit))
		}
	}
	return excesses
}

// leaks describes the instances that exceed the limit. It also calls record with the usage of each instance.
func (s *system) leaks(ctx context.Context, limit usage, record func(usage)) (leaks []string, err error) {
	for _, p := range s.Processes() {
		service, _, _ := strings.Cut(p.Name, "-")
		if !slices.Contains(stack.Services(), service) {
			continue
		}
		u, err := s.usage(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("read usage of %s: %w", p.Name, err)
		}
		record(u)
		for _, excess := range u.exceeds(limit) {
			leaks = append(leaks, p.Name+" has "+excess)
		}
	}
	return leaks, nil
}

// usage reads the usage of an instance from its profiles and from /proc.
func (s *system) usage(ctx context.Context, p stack.Process) (u usage, err error) {
	heap, err := s.profile(ctx, p.Name, "heap?gc=1&debug=1")
	if err != nil {
		return u, err
	}
	if _, after, ok := strings.Cut(heap, "# HeapAlloc = "); !ok {
		return u, fmt.Errorf("parse heap profile: no HeapAlloc in %.80q", heap)
	} else if _, err := fmt.Sscan(after, &u.heap); err != nil {
		return u, err
	}
	u.heap >>= 10
	goroutines, err := s.profile(ctx, p.Name, "goroutine?debug=1")
	if err != nil {
		return u, err
	}
	if _, err := fmt.Sscanf(goroutines, "goroutine profile: total %d", &u.goroutines); err != nil {
		return u, fmt.Errorf("parse goroutine profile %.80q: %w", goroutines, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	u.files, u.resident = len(files), residentMiB(p.PID)
	return u, err
}

func (s *system) profile(ctx context.Context, instance, name string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", urlOf(s.MetricsURLs, instance)+"/debug/pprof/"+name, nil)
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

// recordUsage records the maximum usage of idle instances in the report.
func (tr *trial) recordUsage(u usage) {
	tr.recordMax("goroutines of an idle instance", u.goroutines)
	tr.recordMax("open files of an idle instance", u.files)
	tr.recordMax("MiB of an idle instance", u.resident)
	tr.recordMax("KiB of live heap of an idle instance", u.heap)
}
