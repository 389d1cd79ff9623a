package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// armedPoint is the JSON of an armed fail point; see common/failpoint.
type armedPoint struct {
	Name    string `json:"name"` // unique
	Point   string `json:"point"`
	About   string `json:"about"`
	Action  string `json:"action"`
	Hit     int    `json:"hit"` // the visit at which it fires, from 1; 0 means 1
	PauseMS int64  `json:"pause_ms"`
}

// Actions of fail points.
const (
	actionKill  = "kill"
	actionPause = "pause"
	actionLose  = "lose"
)

// failPoints controls the fail points of a system. A process logs each point that fires, so that it is known even if
// the point kills the process.
type failPoints struct {
	*stack.Stack
	folder string // one file per instance: the points that it arms at its start

	mu    sync.Mutex
	armed map[string]map[string]armedPoint // not fired yet, by instance ("order-1") and name
	fired map[string]string                // the instance, by name
	read  map[string]int64                 // bytes read of each log
}

// withFailPoints configures a system with fail points. The caller removes the folder of their files.
func withFailPoints(cfg *stack.Config) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "checkout-points-"); err != nil {
		return "", err
	}
	cfg.Tags, cfg.Env = "faults", map[string][]string{}
	for _, service := range stack.Services() {
		cfg.Env[service] = []string{"FAIL_POINTS=" + filepath.Join(folder, service)}
	}
	return folder, nil
}

func newFailPoints(s *stack.Stack, folder string) *failPoints {
	return &failPoints{
		Stack: s, folder: folder,
		armed: map[string]map[string]armedPoint{}, fired: map[string]string{}, read: map[string]int64{},
	}
}

// instances returns the names of all instances of a service.
func (f *failPoints) instances(service string) []string {
	var names []string
	for i := range f.InternalURLs(service) {
		names = append(names, fmt.Sprintf("%s-%d", service, i+1))
	}
	return names
}

// arm arms a fail point on instances.
func (f *failPoints) arm(ctx context.Context, p armedPoint, instances ...string) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	for _, instance := range instances {
		if err := f.persist(instance, p.Name, &p); err != nil {
			return err
		}
		// Retry: the instance may be starting again.
		err := check.Poll(ctx, readyWithin, func(ctx context.Context) error {
			return f.call(ctx, "POST", instance, "", body)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// disarm disarms a fail point on instances and resumes what it paused.
func (f *failPoints) disarm(ctx context.Context, name string, instances ...string) error {
	for _, instance := range instances {
		if err := f.persist(instance, name, nil); err != nil {
			return err
		}
		// An error means that the instance is gone, and its fail points with it.
		f.call(ctx, "DELETE", instance, "?name="+url.QueryEscape(name), nil)
	}
	return nil
}

// persist writes the file of an instance's fail points, for its next start: with the point p, or without it if p is
// nil.
func (f *failPoints) persist(instance, name string, p *armedPoint) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readLogs()
	if f.armed[instance] == nil {
		f.armed[instance] = map[string]armedPoint{}
	}
	if delete(f.armed[instance], name); p != nil {
		f.armed[instance][name] = *p
	}
	maps.DeleteFunc(f.armed[instance], func(name string, _ armedPoint) bool { return f.fired[name] != "" })
	text, err := json.Marshal(slices.Collect(maps.Values(f.armed[instance])))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.folder, instance), text, 0o644)
}

func (f *failPoints) call(ctx context.Context, method, instance, query string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	address := internalURL(f.Stack, instance) + "/internal/failpoints" + query
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s fail points of %s: %s %s: %w", method, instance, response.Status, text, err)
	}
	return nil
}

// internalURL returns the address of an instance's internal port.
func internalURL(s *stack.Stack, instance string) string {
	for _, service := range stack.Services() {
		for i, url := range s.InternalURLs(service) {
			if instance == fmt.Sprintf("%s-%d", service, i+1) {
				return url
			}
		}
	}
	panic("no instance is named " + instance)
}

// firedAt returns the instance on which a fail point fired, or "".
func (f *failPoints) firedAt(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fired[name] == "" {
		f.readLogs()
	}
	return f.fired[name]
}

// readLogs reads the new lines of all logs; f.mu is held.
func (f *failPoints) readLogs() {
	for _, service := range stack.Services() {
		for _, instance := range f.instances(service) {
			log, err := os.Open(filepath.Join(f.Dir(), "logs", instance+".log"))
			if err != nil {
				continue // no log yet
			}
			text, _ := io.ReadAll(io.NewSectionReader(log, f.read[instance], 1<<30))
			log.Close()
			whole := bytes.LastIndexByte(text, '\n') + 1
			f.read[instance] += int64(whole)
			for line := range strings.Lines(string(text[:whole])) {
				if name, ok := strings.CutPrefix(line, "fail point fired: "); ok {
					f.fired[strings.TrimSpace(name)] = instance
				}
			}
		}
	}
}

// wait waits until a fail point fires and returns the instance. It fails after the timeout, or if the point did not
// fire when missed reports true.
func (f *failPoints) wait(ctx context.Context, name string, timeout time.Duration, missed func() bool) (
	instance string, err error) {
	for until := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		ended := missed() || time.Now().After(until) || ctx.Err() != nil
		if instance := f.firedAt(name); instance != "" {
			return instance, nil
		}
		if ended {
			return "", fmt.Errorf("wait for fail point %q: it did not fire", name)
		}
	}
}
