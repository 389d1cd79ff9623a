package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"checkout/test/stack"
)

// holding is what a machine holds when all is quiet.
type holding struct{ goroutines, files, megabytes int }

// bounds is what a machine may hold when all is quiet. The customers' connections, those between the parts and the workers of each
// shard stay; what a request leaves behind would be there hundreds of times after each round.
func (m *mixing) bounds() holding {
	kept := 150 + 12*m.trial.options.customers + 40*m.trial.size.Machines*m.trial.size.Shards
	return holding{goroutines: kept, files: kept, megabytes: 200}
}

// leaks are the machines that hold more than they may.
func (m *mixing) leaks(ctx context.Context) (found []string, err error) {
	most := m.bounds()
	for _, p := range m.Processes() {
		service, _, _ := strings.Cut(p.Name, "-")
		if service != "order" && service != "stock" && service != "payment" {
			continue
		}
		has, err := m.holds(ctx, p)
		if err != nil {
			return nil, err
		}
		m.trial.most("goroutines of a machine at quiet", has.goroutines)
		m.trial.most("open files of a machine at quiet", has.files)
		m.trial.most("megabytes of a machine at quiet", has.megabytes)
		if has.goroutines > most.goroutines || has.files > most.files || has.megabytes > most.megabytes {
			found = append(found, fmt.Sprintf("%s holds %+v when all is quiet, and may hold %+v", p.Name, has, most))
		}
	}
	return found, nil
}

func (m *mixing) holds(ctx context.Context, p stack.Process) (h holding, err error) {
	request, err := http.NewRequestWithContext(ctx, "GET", m.internal(p.Name)+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return h, err
	}
	response, err := m.HTTP.Do(request)
	if err != nil {
		return h, err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return h, err
	}
	if _, err := fmt.Sscanf(string(profile), "goroutine profile: total %d", &h.goroutines); err != nil {
		return h, fmt.Errorf("%s: %.80q: %w", p.Name, profile, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	if err != nil {
		return h, err
	}
	h.files = len(files)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return h, err
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int
	_, err = fmt.Sscan(rss, &kilobytes)
	h.megabytes = kilobytes >> 10
	return h, err
}

// most keeps the largest figure of a kind for the report.
func (tr *trial) most(what string, n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name := "most " + what
	tr.counts[name] = max(tr.counts[name], n)
}
