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

// armedPoint is an armed fail point in JSON. See common/failpoint.
type armedPoint struct {
	Name    string `json:"name"` // unique
	Point   string `json:"point"`
	About   string `json:"about"` // the point matches steps whose subject contains this string
	Action  string `json:"action"`
	Hit     int    `json:"hit"` // the point fires at the Hit-th matching step; 0 means 1
	PauseMS int64  `json:"pause_ms"`
}

// Actions of fail points.
const (
	actionKill  = "kill"
	actionPause = "pause"
	actionLose  = "lose"
)

// failPoints controls the fail points of a system. Processes log each point that fires. failPoints reads the logs, so
// it also detects points that kill their process.
type failPoints struct {
	*stack.Stack
	folder string // has one file per instance, with the points to arm when the instance starts

	mu    sync.Mutex
	armed map[string]map[string]armedPoint // points that have not fired, by instance ("order-1") and name
	fired map[string]string                // instance on which a point fired, by the point's name
	read  map[string]int64                 // number of bytes read from each log
}

// withFailPoints enables fail points in cfg. It returns the folder for newFailPoints. The caller must remove the
// folder.
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
		// Retry, because the instance may be restarting.
		err := check.Poll(ctx, readyWithin, func(ctx context.Context) error {
			return f.call(ctx, "POST", instance, "", body)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// disarm disarms a fail point on instances and resumes the steps that the point paused.
func (f *failPoints) disarm(ctx context.Context, name string, instances ...string) error {
	for _, instance := range instances {
		if err := f.persist(instance, name, nil); err != nil {
			return err
		}
		// Ignore errors: an instance that does not respond has died, so its fail points are disarmed.
		f.call(ctx, "DELETE", instance, "?name="+url.QueryEscape(name), nil)
	}
	return nil
}

// persist adds the fail point p to an instance's file, or removes the point with this name if p is nil. The instance
// arms the points in the file at its next start, so persist also removes the points that have fired.
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
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("unexpected status %s: %s", response.Status, text)
	}
	if err != nil {
		return fmt.Errorf("change fail points of %s: %w", instance, err)
	}
	return nil
}

// internalURL returns the URL of an instance's internal port.
func internalURL(s *stack.Stack, instance string) string { return urlOf(s.InternalURLs, instance) }

// urlOf returns the URL of an instance. Its first argument is a function that returns the URLs of all instances of a
// service.
func urlOf(urls func(service string) []string, instance string) string {
	for _, service := range stack.Services() {
		for i, url := range urls(service) {
			if instance == fmt.Sprintf("%s-%d", service, i+1) {
				return url
			}
		}
	}
	panic("unknown instance " + instance)
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

// readLogs reads the new lines of all logs. The caller holds f.mu.
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

// wait waits until a fail point fires and returns the instance. It returns an error if the point has not fired before
// the timeout. If missed reports that the point can no longer fire, wait returns the error before the timeout.
func (f *failPoints) wait(ctx context.Context, name string, timeout time.Duration, missed func() bool) (
	instance string, err error) {
	for until := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		ended := missed() || time.Now().After(until) || ctx.Err() != nil
		if instance := f.firedAt(name); instance != "" {
			return instance, nil
		}
		if ended {
			return "", fmt.Errorf("wait for fail point %q: not fired", name)
		}
	}
}
