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

// arming is a fail point to be armed, as common/failpoint takes it.
type arming struct {
	Name    string `json:"name"` // that tells it apart from every other
	Point   string `json:"point"`
	About   string `json:"about"`
	Action  string `json:"action"`
	Hit     int    `json:"hit"` // at which of the steps it fires, from 1; 0 is 1, too
	PauseMS int64  `json:"pause_ms"`
}

// Actions of fail points.
const (
	killAt  = "kill"
	pauseAt = "pause"
	loseAt  = "lose"
)

// points are the fail points of a system whose services are built with them. Each process says on its log when one fires, so that it
// is seen whatever becomes of the process.
type points struct {
	*stack.Stack
	files string // folder of what is armed, by machine, for processes that start

	mu       sync.Mutex
	standing map[string]map[string]arming // armed and not fired, by machine ("order-1") and name
	fired    map[string]string            // the machine, by name
	read     map[string]int64             // how far, by log
}

// withPoints has a system built with fail points, and started with a folder of them, which is the caller's to remove.
func withPoints(cfg *stack.Config) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "checkout-points-"); err != nil {
		return "", err
	}
	cfg.Tags, cfg.Env = "faults", map[string][]string{}
	for _, service := range stack.Services() {
		cfg.Env[service] = []string{"FAIL_POINTS=" + filepath.Join(folder, service)}
	}
	return folder, nil
}

func newPoints(s *stack.Stack, folder string) *points {
	return &points{Stack: s, files: folder, standing: map[string]map[string]arming{}, fired: map[string]string{}, read: map[string]int64{}}
}

// machines are the names of all machines of a service.
func (p *points) machines(service string) []string {
	var names []string
	for i := range p.InternalURLs(service) {
		names = append(names, fmt.Sprintf("%s-%d", service, i+1))
	}
	return names
}

// arm arms a point on machines.
func (p *points) arm(ctx context.Context, a arming, machines ...string) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	for _, machine := range machines {
		if err := p.stand(machine, a.Name, &a); err != nil {
			return err
		}
		// A machine that is being started again is there in a moment.
		err := check.Poll(ctx, readyWithin, func(ctx context.Context) error { return p.call(ctx, "POST", machine, "", body) })
		if err != nil {
			return err
		}
	}
	return nil
}

// disarm takes a point away from machines, and lets those go on who are paused by it.
func (p *points) disarm(ctx context.Context, name string, machines ...string) error {
	for _, machine := range machines {
		if err := p.stand(machine, name, nil); err != nil {
			return err
		}
		p.call(ctx, "DELETE", machine, "?name="+url.QueryEscape(name), nil) // a machine that cannot be told is gone, and the point with it
	}
	return nil
}

// stand keeps, for the machine's next life, that a point is armed, or nil: that it is not; and forgets all that have fired.
func (p *points) stand(machine, name string, a *arming) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look()
	if p.standing[machine] == nil {
		p.standing[machine] = map[string]arming{}
	}
	if delete(p.standing[machine], name); a != nil {
		p.standing[machine][name] = *a
	}
	maps.DeleteFunc(p.standing[machine], func(name string, _ arming) bool { return p.fired[name] != "" })
	text, err := json.Marshal(slices.Collect(maps.Values(p.standing[machine])))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.files, machine), text, 0o644)
}

func (p *points) call(ctx context.Context, method, machine, query string, body []byte) error {
	service, number, _ := strings.Cut(machine, "-")
	var i int
	if _, err := fmt.Sscan(number, &i); err != nil {
		return fmt.Errorf("machine %q: %w", machine, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.InternalURLs(service)[i-1]+"/internal/failpoints"+query, bytes.NewReader(body))
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
		return fmt.Errorf("%s: fail points: %s %s: %w", machine, response.Status, text, err)
	}
	return nil
}

// firedAt is the machine on which a point has fired; empty: it has not.
func (p *points) firedAt(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fired[name] == "" {
		p.look()
	}
	return p.fired[name]
}

// look reads what is new in the logs.
func (p *points) look() {
	for _, service := range stack.Services() {
		for _, machine := range p.machines(service) {
			log, err := os.Open(filepath.Join(p.Dir(), "logs", machine+".log"))
			if err != nil {
				continue // it has said nothing yet
			}
			text, _ := io.ReadAll(io.NewSectionReader(log, p.read[machine], 1<<30))
			log.Close()
			whole := bytes.LastIndexByte(text, '\n') + 1
			p.read[machine] += int64(whole)
			for line := range strings.Lines(string(text[:whole])) {
				if name, ok := strings.CutPrefix(line, "fail point fired: "); ok {
					p.fired[strings.TrimSpace(name)] = machine
				}
			}
		}
	}
}

// wait waits until a point has fired and tells where; an error says that it has not, until over said so or the time was up.
func (p *points) wait(ctx context.Context, name string, within time.Duration, over func() bool) (machine string, err error) {
	for until := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		ended := over() || time.Now().After(until) || ctx.Err() != nil
		if machine := p.firedAt(name); machine != "" {
			return machine, nil
		}
		if ended {
			return "", fmt.Errorf("%s: nobody came to it", name)
		}
	}
}
